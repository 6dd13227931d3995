"""OpenImages' own metadata files: names, sizes and hashes are data, in ``manifests/openimages/files.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from matting_data.errors import UsageError, nearest
from matting_data.fetching.wanted import Request, Wanted, check_base_url

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
        """Describe the file to fetch."""
        length = self.bytes if self.sha256 or self.md5 else 0
        return Wanted(self.name, self.name, f"{base}/{self.path}", length, self.md5, self.sha256, image=False)


def metadata_files() -> list[MetadataFile]:
    """Read the file table."""
    table = resources.files("matting_data.manifests") / "openimages" / "files.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return [MetadataFile(**dict[str, Any](row, bytes=int(row["bytes"] or 0))) for row in rows]


def metadata_request(
    names: Sequence[str], groups: Sequence[str] = (), splits: Sequence[str] = (), base_url: str | None = None
) -> Request:
    """Ask for metadata files by name, or by group and split.

    Parameters
    ----------
    names : sequence of str
        File names, with or without the folder they lie in.
    groups : sequence of str
        Further files, of these groups.
    splits : sequence of str
        Keep, of the groups, only files of these splits and of ``all``; every split without.

    Raises
    ------
    UsageError
        Nothing chosen, an unknown name or group (with the nearest known one), or an unusable address.
    """
    files = metadata_files()
    known = {file.name: file for file in files} | {file.path: file for file in files}
    known_groups = list(dict.fromkeys(file.group for file in files))
    if not names and not groups:
        raise UsageError(f"nothing is asked for: name files, or a --group of {', '.join(known_groups)}")
    _require_known("file", names, known)
    _require_known("group", groups, known_groups)
    named = {known[name] for name in names}
    wide = {*splits, "all"} if splits else {file.split for file in files}
    chosen = [file for file in files if file in named or (file.group in groups and file.split in wide)]
    if not chosen:
        raise UsageError(f"--group {', '.join(groups)} has no file for --split {', '.join(splits)}: leave out --split")
    base = check_base_url(base_url or METADATA_BASE, METADATA_BASE)
    return Request(lambda: (file.wanted(base) for file in chosen), len(chosen), sum(file.bytes for file in chosen))


def _require_known(what: str, words: Sequence[str], known: Iterable[str]) -> None:
    for word in words:
        if word not in known:
            hint = nearest(word, known) or f"; known are {', '.join(list(known)[:8])}, ..."
            raise UsageError(f"OpenImages has no metadata {what} {word!r}{hint}")
