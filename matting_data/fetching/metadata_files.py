"""OpenImages' own metadata files: names, sizes and hashes are data, in ``manifests/openimages/files.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from matting_data.errors import UsageError, nearest
from matting_data.fetching.wanted import Wanted

METADATA_BASE = "https://storage.googleapis.com/openimages"


@dataclass(frozen=True)
class MetadataFile:
    """One row of the file table.

    Attributes
    ----------
    path : str
        Below the base address; its last part is the name it gets.
    group : str
        What it tells: ``images``, ``labels``, ``machine_labels``, ``boxes``, ...
    split : str
        ``train``, ``validation``, ``test`` or ``all``.
    version : str
        Of OpenImages: ``2018_04``, ``v5``, ``v6``, ``v7``, ``miap``.
    bytes : int
        Length, 0 where not known. Enforced only with a hash: some sizes are hearsay.
    sha256, md5 : str
        Hex, empty where not known.
    header : str
        Kind of columns, A to E, as in the facts of OpenImages; empty without.
    """

    path: str
    group: str
    split: str
    version: str
    bytes: int
    sha256: str
    md5: str
    header: str

    @property
    def name(self) -> str:
        """The name it gets in the folder."""
        return PurePosixPath(self.path).name

    def wanted(self, base: str = METADATA_BASE) -> Wanted:
        """Return what to fetch."""
        length = self.bytes if self.sha256 or self.md5 else 0
        return Wanted(self.name, self.name, f"{base}/{self.path}", length, self.md5, self.sha256, image=False)


def metadata_files() -> list[MetadataFile]:
    """Read the file table."""
    table = resources.files("matting_data.manifests") / "openimages" / "files.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return [MetadataFile(**dict[str, Any](row, bytes=int(row["bytes"] or 0))) for row in rows]


def select(files: Iterable[MetadataFile], names: Sequence[str] = (), groups: Sequence[str] = (),
           splits: Sequence[str] = ()) -> list[MetadataFile]:  # fmt: skip
    """Choose files by name, or by group and split.

    Parameters
    ----------
    names : sequence of str
        File names, with or without the folder they lie in.
    groups : sequence of str
        Further files, of these groups.
    splits : sequence of str
        Keep only files of these splits and of ``all``; every split without.

    Raises
    ------
    UsageError
        An unknown name or group, with the nearest known one.
    """
    files = list(files)
    known = {file.name: file for file in files} | {file.path: file for file in files}
    _require_known("file", names, known)
    _require_known("group", groups, {file.group: file for file in files})
    chosen = {known[name].name for name in names}
    chosen |= {file.name for file in files if file.group in groups and _of(file.split, splits)}
    return [file for file in files if file.name in chosen]


def groups_of(files: Iterable[MetadataFile]) -> Iterator[str]:
    """Yield the groups in the order of the table."""
    yield from dict.fromkeys(file.group for file in files)


def _of(split: str, splits: Sequence[str]) -> bool:
    return not splits or split in splits or split == "all"


def _require_known(what: str, words: Sequence[str], known: dict[str, MetadataFile]) -> None:
    for word in words:
        if word not in known:
            hint = nearest(word, known) or f"; known are {', '.join(list(known)[:8])}, ..."
            raise UsageError(f"OpenImages has no metadata {what} {word!r}{hint}")
