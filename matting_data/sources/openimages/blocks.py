"""Tables as blocks of a few megabytes, cut between rows, with the number of each block's first line.

Everything downstream sees one block at a time, so that memory does not grow with the files, and every malformed row
can be named by its line.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from matting_data.errors import UsageError, nearest
from matting_data.records.tables import PARQUET_ERRORS
from matting_data.sources.openimages.recognise import FileKind, MetadataFile

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


@dataclass
class OpenTable:
    """A table being read: its layout, its blocks, and whether its last line was whole (known at the end)."""

    layout: Layout
    blocks: Iterator[Block]
    unterminated: bool = False


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
    stream: BinaryIO = gzip.open(file.path) if file.format == "csv.gz" else open(file.path, "rb")  # type: ignore[assignment]  # noqa: SIM115
    reader = _CsvReader(file.path, stream, block_bytes)
    first = reader.first_line()
    if not first.strip():
        stream.close()
        raise UsageError(f"{file.path} is empty: download it again")
    cells = first.decode("utf-8-sig", "replace").strip().replace('"', "").split(",")
    if _ID.fullmatch(cells[0]):
        fitting = [columns for columns in _HEADERLESS[file.kind] if len(columns) == len(cells)]
        if not fitting and not (file.kind == "images" and '"' in first.decode("utf-8", "replace")):
            stream.close()
            raise UsageError(f"{file.path} has no header and {len(cells)} columns: add its header as the first line")
        table = OpenTable(Layout(file.kind, (fitting or [IMAGE_COLUMNS])[0]), iter(()))
        table.blocks = reader.blocks(table, first, 1)
    else:
        table = OpenTable(_layout(file, cells), iter(()))
        table.blocks = reader.blocks(table, b"", 2)
    return table


def _layout(file: MetadataFile, header: list[str]) -> Layout:
    columns = tuple(_ALIASES.get(name.strip(), name.strip()) for name in header)
    for name in _REQUIRED[file.kind]:
        if name not in columns:
            unexplained = [column for column in columns if column not in (*_BOXES, *_CLICKS, *IMAGE_COLUMNS)]
            hint = nearest(name, unexplained).replace("did you mean", "the nearest is").rstrip("?")
            raise UsageError(f"{file.path} has no column {name!r}{hint}: it is not a {file.kind} file of OpenImages")
    return Layout(file.kind, columns)


class _CsvReader:
    """Cuts a stream into blocks of whole rows."""

    def __init__(self, path: Path, stream: BinaryIO, block_bytes: int) -> None:
        self._path = path
        self._stream = stream
        self._block_bytes = block_bytes

    def first_line(self) -> bytes:
        return self._guarded(lambda: self._stream.readline(_LONGEST_ROW))

    def blocks(self, table: OpenTable, carried: bytes, line: int) -> Iterator[Block]:
        size = self._block_bytes
        windows = carried.endswith(b"\r\n")
        with self._stream:
            while chunk := self._guarded(lambda: self._stream.read(size)):
                data = carried + chunk
                windows = windows or b"\r\n" in chunk[: 1 << 16]
                cut = table.layout.cut_before(data, len(data))
                if cut == 0:
                    if len(data) > _LONGEST_ROW:
                        raise UsageError(
                            f"{self._path} has no row of OpenImages from line {line} on: download it again"
                        )
                    carried = data
                    continue
                carried = data[cut:]
                block = data[:cut]
                yield Block(block.replace(b"\r\n", b"\n") if windows else block, line)
                line += count(block, "\n")
            if carried:
                table.unterminated = not carried.endswith(b"\n")
                yield Block(carried.replace(b"\r\n", b"\n") if windows else carried, line)

    def _guarded(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except (OSError, EOFError, zlib.error) as error:
            self._stream.close()
            what = str(error) or type(error).__name__
            raise UsageError(f"{self._path} is cut short or damaged ({what}): download it again") from None


def _open_parquet(file: MetadataFile) -> OpenTable:
    remedy = "is no readable Parquet file: write or download it again"
    try:
        source = pl.scan_parquet(file.path, glob=False)
        names = source.collect_schema().names()
        rows = int(source.select(pl.len()).collect().item())
    except PARQUET_ERRORS as error:
        raise UsageError(f"{file.path} {remedy} ({str(error).splitlines()[0]})") from None
    layout = _layout(file, names)

    def blocks() -> Iterator[Block]:
        for start in range(0, rows, BLOCK_ROWS):
            try:
                table = source.slice(start, BLOCK_ROWS).cast(pl.String).collect()
            except PARQUET_ERRORS as error:
                raise UsageError(f"{file.path} {remedy} ({str(error).splitlines()[0]})") from None
            table.columns = list(layout.columns)
            yield Block(table, start + 1)

    return OpenTable(layout, blocks())
