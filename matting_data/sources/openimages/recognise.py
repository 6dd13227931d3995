"""Which file of a metadata folder is what, by the names of the releases V2 to V7, and what is missing."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matting_data.errors import UsageError
from matting_data.sources.find_files import nearest_sibling
from matting_data.sources.walk import files_below
from matting_data.storage.refused import is_file, is_folder, looked_up

FileKind = Literal["images", "boxes", "verified", "machine", "classes", "hierarchy"]
Split = Literal["train", "validation", "test", "all"]

_SUFFIX = r"\.(csv|csv\.gz|parquet)"
_WORD = r"[\w-]*"
_PART = rf"{_WORD}(train|validation|val|test)"
_NAMES: dict[FileKind, str] = {
    "images": rf"(image_ids_and_rotation|images|{_PART}-images{_WORD}){_SUFFIX}",
    "boxes": rf"({_PART}-annotations-bbox{_WORD}|open_images_extended_miap_boxes_(train|val|test)){_SUFFIX}",
    "verified": rf"{_PART}-annotations-human(-imagelabels)?{_WORD}{_SUFFIX}",
    "machine": rf"{_PART}-annotations-machine(-imagelabels)?{_WORD}{_SUFFIX}",
    "classes": rf"({_WORD}class-descriptions{_WORD}|dict{_WORD})\.csv(\.gz)?",
    "hierarchy": rf"{_WORD}hierarchy{_WORD}\.json",
}
_SPLIT = re.compile(r"(?:^|[-_])(train|validation|val|test)(?=[-_.])")
_SPLITS: dict[str, Split] = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}

MISSING: dict[FileKind, str] = {
    "images": (
        "no list of images (image_ids_and_rotation.csv): images that no label mentions get no row, ids cannot be "
        "checked, and rotation and licence stay empty"
    ),
    "boxes": (
        "no boxes (…-annotations-bbox.csv): no image reaches the tier boxes_without_human, and people, groups and "
        "depictions that were only drawn as boxes go unseen"
    ),
    "verified": (
        "no labels verified by people (…-annotations-human-imagelabels.csv): no image reaches the tier "
        "verified_absent, and wrong labels of classifiers are not refuted"
    ),
    "machine": (
        "no labels of classifiers (…-annotations-machine-imagelabels.csv): the tier no_human_label is weaker, since "
        "nothing looked at images that nobody labelled"
    ),
    "classes": "no class descriptions (…class-descriptions….csv): unknown labels cannot be told",
    "hierarchy": "no hierarchy (bbox_labels_600_hierarchy.json): humans are those of mattingdata's own list only",
}
"""What is weaker without a kind of file."""


@dataclass(frozen=True)
class MetadataFile:
    """One recognised file.

    Attributes
    ----------
    path : Path
    kind : str
        ``images``, ``boxes``, ``verified``, ``machine``, ``classes`` or ``hierarchy``.
    split : str
        ``train``, ``validation``, ``test``, or ``all`` where the name says none.
    """

    path: Path
    kind: FileKind
    split: Split

    @property
    def format(self) -> str:
        """``csv``, ``csv.gz``, ``parquet`` or ``json``."""
        name = self.path.name.lower()
        return "csv.gz" if name.endswith(".csv.gz") else name.rpartition(".")[2]

    @property
    def status(self) -> os.stat_result:
        """Size and time of change; UsageError where it is gone, RefusedError where the system does not say."""
        found = looked_up(self.path)
        if found is None:
            raise UsageError(f"{self.path} is gone: put it back, and run the same command again")
        return found


@dataclass(frozen=True)
class Metadata:
    """A metadata folder, sorted out.

    Attributes
    ----------
    root : Path
    files : tuple of MetadataFile
        In the order of their paths.
    ignored : tuple of str
        Files below the folder that are none of OpenImages' tables, as paths below `root`.
    """

    root: Path
    files: tuple[MetadataFile, ...]
    ignored: tuple[str, ...]

    def of(self, *kinds: FileKind) -> tuple[MetadataFile, ...]:
        """List the files of these kinds."""
        return tuple(file for file in self.files if file.kind in kinds)

    def missing(self) -> tuple[str, ...]:
        """Say which evidence is weaker for want of a file, one sentence each."""
        said = []
        parts = {file.split for file in self.of("images", "boxes", "verified", "machine")} - {"all"}
        for kind, sentence in MISSING.items():
            have = {file.split for file in self.of(kind)}
            if not have:
                said.append(sentence)
            elif kind not in ("classes", "hierarchy") and "all" not in have and parts - have:
                said.append(f"for {' and '.join(sorted(parts - have))} {sentence}")
        return tuple(said)

    @property
    def total_bytes(self) -> int:
        """Size of all tables, as CSV: compressed ones are counted five times their size."""
        return sum(f.status.st_size * (1 if f.format in ("csv", "json") else 5) for f in self.files)


def recognise(root: Path) -> Metadata:
    """Sort out a metadata folder, which may mirror the bucket's own folders (``v7/``, ``2018_04/train/``).

    Parameters
    ----------
    root : Path
        Folder with files of one or several releases under their own names, as CSV, CSV compressed with gzip, or
        Parquet.

    Returns
    -------
    Metadata

    Raises
    ------
    UsageError
        If there is no such folder, it holds no table of OpenImages at all, or one table twice in two formats.
    """
    if not is_folder(root):
        hint = nearest_sibling(root) or "; give the folder that holds OpenImages' CSV files"
        raise UsageError(f"there is no metadata folder {root}{hint}")
    files: dict[str, MetadataFile] = {}
    ignored = []
    for path in sorted(root / name for name in files_below(root, "the metadata of OpenImages")):
        relative = path.relative_to(root)
        file = _recognised(path) if is_file(path) else None
        if file is None:
            ignored.append(relative.as_posix())
            continue
        table = str(relative).lower().removesuffix(".gz").removesuffix(".csv").removesuffix(".parquet")
        if table in files:
            raise UsageError(f"{files[table].path} and {path.name} are the same table in two formats: remove one")
        files[table] = file
    tables = tuple(files.values())
    if not any(file.kind in ("images", "boxes", "verified", "machine") for file in tables):
        raise UsageError(
            f"{root} holds no table of OpenImages under its own name, such as train-annotations-bbox.csv: "
            "download the files listed in docs/openimages-and-sun.md"
        )
    return Metadata(root, tables, tuple(ignored))


def _recognised(path: Path) -> MetadataFile | None:
    name = path.name.lower()
    kind = next((kind for kind, pattern in _NAMES.items() if re.fullmatch(pattern, name)), None)
    if kind is None:
        return None
    found = _SPLIT.search(name) if kind not in ("classes", "hierarchy") else None
    return MetadataFile(path, kind, _SPLITS[found[1]] if found else "all")
