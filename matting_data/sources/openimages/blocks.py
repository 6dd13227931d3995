"""Tables as blocks of a few megabytes, cut between rows, with the number of each block's first line.

Everything downstream sees one block at a time, so that memory does not grow with the files, and every malformed row
can be named by its line.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from matting_data.errors import UsageError, nearest
from matting_data.records.tables import table_errors
from matting_data.sources.openimages.recognise import FileKind, MetadataFile
from matting_data.storage.refused import refusals

BLOCK_BYTES = 4 << 20
"""Larger blocks are no faster, and memory grows with them: a few are held at a time."""

BLOCK_ROWS = 60_000
"""The same for Parquet."""

_LONGEST_ROW = 64 << 20

_LABELS = ("ImageID", "Source", "LabelName", "Confidence")
_BOXES = (
    *_LABELS, "XMin", "XMax", "YMin", "YMax", "IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside",
)  # fmt: skip
_CLICKS = tuple(f"XClick{number}{axis}" for axis in "XY" for number in range(1, 5))
IMAGE_COLUMNS = (
    "ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author", "Title",
    "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation",
)  # fmt: skip
"""Columns of the lists of images; the oldest lists lack the last."""

_REQUIRED: dict[FileKind, tuple[str, ...]] = {
    "images": ("ImageID",),
    "boxes": ("ImageID", "LabelName", "Confidence", "IsGroupOf", "IsDepiction"),
    "verified": ("ImageID", "LabelName", "Confidence"),
    "machine": ("ImageID", "LabelName", "Confidence"),
}
_HEADERLESS: dict[FileKind, tuple[tuple[str, ...], ...]] = {
    "images": (IMAGE_COLUMNS, IMAGE_COLUMNS[:-1]),
    "boxes": (_BOXES, (*_BOXES, *_CLICKS)),
    "verified": (_LABELS,),
    "machine": (_LABELS,),
}
_ALIASES = {"IsDepictionOf": "IsDepiction", "IsInsideOf": "IsInside"}
"""MIAP's boxes spell two flags otherwise."""

_ID = re.compile(r"[0-9a-fA-F]{16}")
_RECORD = re.compile(rb"[0-9a-fA-F]{16},")


@dataclass(frozen=True)
class Layout:
    """The columns of one file.

    Attributes
    ----------
    kind : str
        As of :class:`MetadataFile`.
    columns : tuple of str
        In the file's order, under the names of the releases V4 to V7.
    """

    kind: FileKind
    columns: tuple[str, ...]

    @property
    def quoted(self) -> bool:
        """Whether values may be quoted and hold line breaks: authors and titles do."""
        return self.kind == "images"

    def cut_before(self, data: bytes, end: int) -> int:
        """Find the last place at or before `end` where a row starts, or 0.

        A line break ends a row, but in a quoted title it may not: there the next line must start with an image id.
        """
        while (place := data.rfind(b"\n", 0, end)) >= 0:
            if not self.quoted or _RECORD.match(data, place + 1):
                return place + 1
            end = place
        return 0


@dataclass(frozen=True)
class Block:
    """Some rows of a file.

    Attributes
    ----------
    data : bytes or DataFrame
        CSV without header, whole rows; or a table of strings (from Parquet).
    line : int
        Number of its first line in the file, from 1; of its first row for Parquet.
    """

    data: bytes | pl.DataFrame
    line: int


@dataclass(frozen=True)
class OpenTable:
    """A table being read: its layout and its blocks."""

    layout: Layout
    blocks: Iterator[Block]


def count(data: bytes, character: str) -> int:
    """Count a character, several times faster than ``bytes.count`` where it is frequent."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord(character)))


def open_table(file: MetadataFile, block_bytes: int = BLOCK_BYTES) -> OpenTable:
    """Open a table of labels, boxes or images.

    Parameters
    ----------
    file : MetadataFile
    block_bytes : int
        Size of a block.

    Raises
    ------
    UsageError
        If the file is empty, cannot be read, lacks a column, or (while its blocks are read) is damaged.
    """
    if file.format == "parquet":
        return _open_parquet(file)
    with _whole(file.path), _opened(file) as stream:
        first = stream.readline(_LONGEST_ROW)
    if not first.strip():
        raise UsageError(f"{file.path} is empty: download it again")
    cells = first.decode("utf-8-sig", "replace").strip().replace('"', "").split(",")
    if not _ID.fullmatch(cells[0]):
        layout = _layout(file, cells)
        return OpenTable(layout, _csv_blocks(file, layout, block_bytes, header=True))
    fitting = [columns for columns in _HEADERLESS[file.kind] if len(columns) == len(cells)]
    if not fitting and not (file.kind == "images" and b'"' in first):
        raise UsageError(f"{file.path} has no header and {len(cells)} columns: add its header as the first line")
    layout = Layout(file.kind, (fitting or [IMAGE_COLUMNS])[0])
    return OpenTable(layout, _csv_blocks(file, layout, block_bytes, header=False))


def _layout(file: MetadataFile, header: list[str]) -> Layout:
    columns = tuple(_ALIASES.get(name.strip(), name.strip()) for name in header)
    for name in _REQUIRED[file.kind]:
        if name not in columns:
            unexplained = [column for column in columns if column not in (*_BOXES, *_CLICKS, *IMAGE_COLUMNS)]
            hint = nearest(name, unexplained).replace("did you mean", "the nearest is").rstrip("?")
            raise UsageError(f"{file.path} has no column {name!r}{hint}: it is not a {file.kind} file of OpenImages")
    return Layout(file.kind, columns)


def _csv_blocks(file: MetadataFile, layout: Layout, block_bytes: int, header: bool) -> Iterator[Block]:
    """Cut a file into blocks of whole rows."""
    carried, line, windows = b"", 1 + header, False
    with _whole(file.path), _opened(file) as stream:
        if header:
            stream.readline(_LONGEST_ROW)
        while chunk := stream.read(block_bytes):
            data = carried + chunk
            windows = windows or b"\r\n" in chunk[: 1 << 16]
            cut = layout.cut_before(data, len(data))
            if cut == 0 and len(data) > _LONGEST_ROW:
                raise UsageError(f"{file.path} has no row of OpenImages from line {line} on: download it again")
            block, carried = data[:cut], data[cut:]
            if block:
                yield Block(block.replace(b"\r\n", b"\n") if windows else block, line)
                line += count(block, "\n")
    if carried:
        yield Block(carried.replace(b"\r\n", b"\n") if windows else carried, line)


def _opened(file: MetadataFile) -> BinaryIO:
    return gzip.open(file.path) if file.format == "csv.gz" else open(file.path, "rb")  # type: ignore[return-value]


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Raise what reading a damaged file raises as a UsageError, and what the system refuses as RefusedError."""
    try:
        with refusals(path):
            yield
    except (OSError, EOFError, zlib.error) as error:
        what = str(error) or type(error).__name__
        raise UsageError(f"{path} is cut short or damaged ({what}): download it again") from None


def _open_parquet(file: MetadataFile) -> OpenTable:
    source = pl.scan_parquet(file.path, glob=False)
    what = f"{file.path} is no readable Parquet file", "write or download it again", UsageError
    with table_errors(*what), refusals(file.path):
        rows = int(source.select(pl.len()).collect().item())
        layout = _layout(file, source.collect_schema().names())

    def blocks() -> Iterator[Block]:
        for start in range(0, rows, BLOCK_ROWS):
            with table_errors(*what), refusals(file.path):
                table = source.slice(start, BLOCK_ROWS).cast(pl.String).collect()
            table.columns = list(layout.columns)
            yield Block(table, start + 1)

    return OpenTable(layout, blocks())
