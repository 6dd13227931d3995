"""The metadata CSV of a source: its rows, and the image that each is about."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from matting_data.errors import UsageError, nearest
from matting_data.sources.match_files import composed

METADATA_COLUMNS = ("subset", "split", "person", "license", "author", "url")

_SHOWN = 8
"""Rows that a message lists."""


@dataclass(frozen=True)
class MetadataRow:
    """One row.

    Attributes
    ----------
    line : int
        Where it ends in the file; the header is line 1.
    file : str
        As written.
    values : dict
        Of each of ``METADATA_COLUMNS``; empty where nothing is given. Text is in Unicode's form NFC, so that one
        person has one name.
    """

    line: int
    file: str
    values: dict[str, str]


def read_metadata(path: Path) -> list[MetadataRow]:
    """Read a source's metadata CSV.

    Parameters
    ----------
    path : Path
        UTF-8 CSV with a header; column ``file`` and any of ``METADATA_COLUMNS``; further columns are ignored, and so
        are rows without any value.

    Raises
    ------
    UsageError
        Missing file, no ``file`` column, or a split that is neither ``train`` nor ``test``.
    """
    rows = []
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if "file" not in (reader.fieldnames or ()):
                raise UsageError(f"{path} has no column 'file': add one with paths below the source's folder")
            for column in reader.fieldnames or ():
                if column not in ("file", *METADATA_COLUMNS) and (hint := nearest(column, METADATA_COLUMNS)):
                    raise UsageError(f"{path}: the column {column!r} has no meaning{hint}")
            for row in reader:
                values = {name: composed((row.get(name) or "").strip()) for name in METADATA_COLUMNS}
                file = (row["file"] or "").strip()
                if file or any(values.values()):
                    rows.append(MetadataRow(reader.line_num, file, values))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read the metadata {path}: {error}; correct 'metadata' in the recipe") from None
    for each in rows:
        if each.values["split"] not in ("", "train", "test"):
            raise UsageError(f"{path} line {each.line}: split {each.values['split']!r} is neither 'train' nor 'test'")
    return rows


def rows_by_image(
    rows: Sequence[MetadataRow], images: Sequence[str], table: Path, unmatched: str = "refuse"
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Give each image the values of its row.

    A row names an image by its path below the source's folder, or by its bare name where only one image is called so.
    Backslashes, a leading ``./`` and the Unicode normalisation make no difference.

    Parameters
    ----------
    rows : sequence of MetadataRow
        Of `table`.
    images : sequence of str
        POSIX paths below the source's folder.
    table : Path
        For messages.
    unmatched : {"refuse", "note"}
        What becomes of rows that name no image, or fit several.

    Returns
    -------
    (dict, list of str)
        Image → values of its row, and what a user should know of the table.

    Raises
    ------
    UsageError
        Two rows are about one image, or, with ``refuse``, some are about none.
    """
    find = _Finder(images)
    by_image: dict[str, MetadataRow] = {}
    unused: list[tuple[MetadataRow, list[str]]] = []
    for row in rows:
        found = find(row.file)
        if len(found) != 1:
            unused.append((row, found))
        elif found[0] in by_image:
            first = by_image[found[0]]
            raise UsageError(f"{table} line {row.line}: {row.file!r} is described by line {first.line} too; remove one")
        else:
            by_image[found[0]] = row
    notes = []
    if unused:
        said = f"{table}: {_said(unused, images)}"
        if unmatched == "refuse":
            raise UsageError(
                f"{said}; write paths below the source's folder, remove these rows, or set 'unmatched_rows: note'"
            )
        notes.append(said)
    if len(by_image) < len(images):
        silent = next(image for image in images if image not in by_image)
        notes.append(f"{table}: {len(images) - len(by_image)} of {len(images)} images have no row, such as {silent}")
    return {image: row.values for image, row in by_image.items()}, notes


class _Finder:
    """Looks up the images that the text of a row can mean."""

    def __init__(self, images: Sequence[str]) -> None:
        self._images = set(images)
        self._by_path, self._by_name = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
        for image in images:
            self._by_path[composed(image)].append(image)
            self._by_name[composed(PurePosixPath(image).name)].append(image)

    def __call__(self, file: str) -> list[str]:
        if file in self._images:
            return [file]
        path = composed(file)
        if path not in self._by_path:  # on POSIX a name may hold a backslash
            path = str(PurePosixPath(path.replace("\\", "/")))
        return self._by_path.get(path) or self._by_name.get(path, [])


def _said(unused: Sequence[tuple[MetadataRow, list[str]]], images: Sequence[str]) -> str:
    """Say which rows are about no image, or fit several."""
    kinds: Mapping[str, list[tuple[MetadataRow, list[str]]]] = {
        "name no image": [entry for entry in unused if not entry[1]],
        "fit several images": [entry for entry in unused if entry[1]],
    }
    parts = []
    for what, entries in kinds.items():
        if entries:
            row, found = entries[0]
            lines = ", ".join(str(each.line) for each, _ in entries[:_SHOWN]) + (", ..." if entries[_SHOWN:] else "")
            hint = f", which may be {' or '.join(found[:2])}" if found else nearest(row.file, images).rstrip("?")
            parts.append(f"{len(entries)} rows {what} (lines {lines}; the first is {row.file!r}{hint})")
    return " and ".join(parts)
