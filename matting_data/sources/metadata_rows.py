"""The metadata CSV of a source: its rows, and the image that each is about."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from matting_data.errors import UsageError, nearest
from matting_data.sources.match_files import composed
from matting_data.storage.refused import refusals
from matting_data.storage.regular_files import open_regular

METADATA_COLUMNS = ("subset", "split", "person", "license", "author", "url")

_SHOWN = 8
"""Rows that a message lists."""

_REMEDY = "write paths below the source's folder"


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


_Unused = tuple[MetadataRow, list[str]]
"""A row that is about no image, or the images that it fits."""


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
        Missing file, no ``file`` column, a row of more values than columns, or a split that is neither ``train`` nor
        ``test``.
    RefusedError
        The system does not let it be read.
    """
    rows = []
    try:
        with refusals(path), io.TextIOWrapper(open_regular(path), "utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if "file" not in (reader.fieldnames or ()):
                raise UsageError(f"{path} has no column 'file': add one with paths below the source's folder")
            for column in reader.fieldnames or ():
                if column not in ("file", *METADATA_COLUMNS) and (hint := nearest(column, METADATA_COLUMNS)):
                    raise UsageError(f"{path}: the column {column!r} has no meaning{hint}")
            for row in reader:
                if any(row.get(None, ())):  # where csv puts values beyond the header
                    raise UsageError(
                        f"{path} line {reader.line_num} has more values than columns: quote values that hold a comma"
                    )
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


class MetadataTable:
    """A table, and which of its rows are about an image of the sources that name it.

    A row names an image by its path below the source's folder, or by its bare name where only one image is called so.
    Backslashes, a leading ``./`` and the Unicode normalisation make no difference.

    Parameters
    ----------
    path : Path
        The file, for messages.
    rows : sequence of MetadataRow
        Of :func:`read_metadata`.
    """

    def __init__(self, path: Path, rows: Sequence[MetadataRow]) -> None:
        self._path, self._rows = path, rows
        self._unused: dict[int, _Unused] = {row.line: (row, []) for row in rows}
        self._images: list[str] = []
        self._may_be_unused = True

    def match(self, images: Sequence[str], unmatched: Literal["refuse", "note"]) -> dict[str, dict[str, str]]:
        """Give each image of a source that has a row its values.

        Parameters
        ----------
        images : sequence of str
            POSIX paths below the source's folder.
        unmatched : {"refuse", "note"}
            What the source says of rows that name no image, or fit several.

        Raises
        ------
        UsageError
            No row is about any of these images, or two are about one.
        """
        find = _Finder(images)
        by_image: dict[str, MetadataRow] = {}
        for row in self._rows:
            found = find(row.file)
            if len(found) == 1:
                other = by_image.setdefault(found[0], row)
                if other is not row:
                    raise UsageError(
                        f"{self._path} line {row.line}: {row.file!r} is described by line {other.line} too; remove one"
                    )
                self._unused.pop(row.line, None)
            elif row.line in self._unused and found:
                self._unused[row.line] = row, found
        self._images += images
        self._may_be_unused &= unmatched == "note"
        if self._rows and not by_image:
            raise UsageError(f"{self._unused_rows()}; {_REMEDY}")
        return {image: row.values for image, row in by_image.items()}

    def settle(self) -> list[str]:
        """Say which rows no source used; UsageError where a source refuses that."""
        if not self._unused:
            return []
        if not self._may_be_unused:
            raise UsageError(f"{self._unused_rows()}; {_REMEDY}, remove these rows, or set 'unmatched_rows: note'")
        return [self._unused_rows()]

    def _unused_rows(self) -> str:
        entries = list(self._unused.values())
        kinds = {
            "name no image": [entry for entry in entries if not entry[1]],
            "fit several images": [entry for entry in entries if entry[1]],
        }
        said = [f"{len(found)} rows {what} ({self._lines(found)})" for what, found in kinds.items() if found]
        return f"{self._path}: {' and '.join(said)}"

    def _lines(self, entries: Sequence[_Unused]) -> str:
        row, found = entries[0]
        lines = ", ".join(str(each.line) for each, _ in entries[:_SHOWN]) + (", ..." if entries[_SHOWN:] else "")
        hint = f", which may be {' or '.join(found[:2])}" if found else nearest(row.file, self._images).rstrip("?")
        return f"lines {lines}; the first is {row.file!r}{hint}"


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
