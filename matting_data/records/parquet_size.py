"""How much a Parquet file unfolds to, read from its headers before anything decodes it.

A file of some kilobytes can stand for gigabytes: of rows that repeat, or of pages that are compressed zeros. No reader
at hand has a limit for that, and the footer alone may lie, so the header of every page is looked at too, which is where
decoders take the lengths from that they allocate. The layout is that of parquet.thrift (apache/parquet-format 2.10),
written in Thrift's compact protocol (apache/thrift, doc/specs/thrift-compact-protocol.md).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from matting_data.storage.regular_files import open_regular

_MAGIC = b"PAR1"
_MOST_FOOTER = 64 << 20
_DEEPEST = 12
MOST_TEXT = 1 << 16
"""Bytes of a text of a table; the longest that are written, rows of labels, have some hundreds."""

_VALUE = 8
"""Bytes of a number; every value of a column counts as one at least, however few bits store it."""


class MalformedError(ValueError):
    """What the headers of a Parquet file say cannot be."""


@dataclass(frozen=True)
class Unfolded:
    """What a Parquet file takes when it is decoded.

    Attributes
    ----------
    rows : int
    bytes : int
        Of all pages without compression, and 8 for every value.
    """

    rows: int
    bytes: int


def unfolded(source: Path | bytes) -> Unfolded:
    """Measure what a Parquet file unfolds to, decoding nothing.

    Raises
    ------
    MalformedError
        It is not Parquet, or its headers contradict its length or each other.
    OSError
        It cannot be read.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as stream:
        try:
            return _measured(stream, stream.seek(0, io.SEEK_END))
        except IndexError:
            raise MalformedError("its headers end too soon") from None


def _measured(stream: BinaryIO, size: int) -> Unfolded:
    footer = _footer(stream, size)
    total = 0
    for group in _listed(footer, 4):
        if not isinstance(group, dict):
            raise MalformedError("its row groups are none")
        for column in _listed(group, 1):
            about = column.get(3) if isinstance(column, dict) else None
            if not isinstance(about, dict):
                raise MalformedError("it describes a column in another file, or not at all")
            total += _column(stream, about, size)
    return Unfolded(_number(footer, 3), total)


def _footer(stream: BinaryIO, size: int) -> dict[int, Any]:
    stream.seek(max(0, size - 8))
    end = stream.read(8)
    length = int.from_bytes(end[:4], "little")
    if size < 12 or end[4:] != _MAGIC or length > min(size - 12, _MOST_FOOTER):
        raise MalformedError("it is not Parquet")
    stream.seek(size - 8 - length)
    return _struct(stream.read(length), 0, _DEEPEST)[0]


def _column(stream: BinaryIO, about: dict[int, Any], size: int) -> int:
    """Add up what the pages of a column chunk unfold to."""
    dictionary, data = about.get(11), _number(about, 9)
    start = min(data, dictionary) if isinstance(dictionary, int) and dictionary > 0 else data
    wanted, length = _number(about, 5), _number(about, 7)
    if start + length > size:
        raise MalformedError("a column lies beyond its end")
    stream.seek(start)
    chunk, place, total, values = stream.read(length), 0, 0, 0
    while place < len(chunk):
        header, place = _struct(chunk, place, _DEEPEST)
        place += _number(header, 3)
        kind = {0: 5, 2: 7, 3: 8}.get(_number(header, 1))  # data, dictionary, data of version 2; indices hold no values
        held = header.get(kind) if kind else {1: 0}
        if not isinstance(held, dict):
            raise MalformedError("a page does not say what it holds")
        count = _number(held, 1)
        values += count if kind != 7 else 0
        total += _number(header, 2) + _VALUE * count
        if kind == 7 and _number(header, 2) > max(1, count) * MOST_TEXT:  # its rows can repeat it at no cost
            raise MalformedError(f"its texts have more than {MOST_TEXT:,} bytes")
    if place != len(chunk) or values != wanted:
        raise MalformedError("its pages are not those that its footer describes")
    return total


def _number(struct: dict[int, Any], field: int) -> int:
    value = struct.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedError("a number is missing from its headers, or negative")
    return value


def _listed(struct: dict[int, Any], field: int) -> list[Any]:
    value = struct.get(field)
    if not isinstance(value, list):
        raise MalformedError("a list is missing from its headers")
    return value


def _struct(data: bytes, place: int, deep: int) -> tuple[dict[int, Any], int]:
    """Read a struct as field → number, truth value, list or struct, and where it ends.

    Text is None, since nothing asks for it.
    """
    if not deep:
        raise MalformedError("its headers are nested too deeply")
    fields: dict[int, Any] = {}
    identity = 0
    while head := data[place]:
        place += 1
        kind = head & 15
        if head >> 4:
            identity += head >> 4
        else:
            identity, place = _zigzag(data, place)
        if kind in (1, 2):
            fields[identity] = kind == 1
        else:
            fields[identity], place = _value(data, place, kind, deep)
    return fields, place + 1


def _value(data: bytes, place: int, kind: int, deep: int) -> tuple[Any, int]:
    if kind in (4, 5, 6):
        return _zigzag(data, place)
    if kind == 8:
        length, place = _varint(data, place)
        if length > len(data) - place:
            raise IndexError
        return None, place + length
    if kind == 12:
        return _struct(data, place, deep - 1)
    if kind in (9, 10):
        head, place = data[place], place + 1
        count, place = _varint(data, place) if head >> 4 == 15 else (head >> 4, place)
        if count > len(data) - place or not deep:  # every entry takes a byte at least
            raise IndexError
        entries = []
        for _ in range(count):
            entry, place = _value(data, place, head & 15, deep - 1)
            entries.append(entry)
        return entries, place
    if kind in (1, 2, 3, 7):  # in a list, a truth value is a byte
        return None, place + (8 if kind == 7 else 1)
    raise MalformedError("its headers hold a type that Parquet has none of")


def _zigzag(data: bytes, place: int) -> tuple[int, int]:
    byte = data[place]
    if byte < 128:  # most are short
        return byte >> 1 ^ -(byte & 1), place + 1
    number, place = _varint(data, place)
    return number >> 1 ^ -(number & 1), place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, place
    raise MalformedError("a number in its headers has no end")
