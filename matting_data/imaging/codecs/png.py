"""PNG chunks: what the decoders do not check, and what their limits on metadata get wrong."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from matting_data.errors import RejectedInput

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_CRITICAL = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))

_PIXELS = _CRITICAL | {b"tRNS"}
"""Chunks that decide pixels: damage to one of these is damage to the image."""

_KEPT_METADATA = frozenset((b"eXIf", b"iCCP"))

_LARGEST_METADATA = 1 << 19
"""Pillow refuses profiles of more than 1 MiB when expanded; larger ones are read by :func:`colour_profile`."""

_LARGEST_PROFILE = 1 << 24

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True)
class Header:
    """The IHDR chunk: size in pixels, bits a sample, colour type (0, 2, 3, 4 or 6), and whether it is interlaced."""

    width: int
    height: int
    depth: int
    colour_type: int
    interlaced: bool


def is_png(data: bytes) -> bool:
    """Tell whether a file begins as a PNG with a header does."""
    return data.startswith(SIGNATURE) and data[12:16] == b"IHDR" and len(data) >= 33


def header(data: bytes) -> Header:
    """Read the header of what :func:`is_png` calls a PNG."""
    return Header(
        int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"), data[24], data[25], bool(data[28])
    )


def pixels_only(data: bytes, transparency: bool = True) -> bytes:
    """Strip from a PNG the metadata that no pixel needs; its orientation and a usual profile stay.

    Parameters
    ----------
    data : bytes
        A whole file.
    transparency : bool
        Whether the tRNS chunk stays.

    Raises
    ------
    RejectedInput
        ``unreadable``: a chunk that decides pixels is damaged, or the end is missing.
    """
    kept = [SIGNATURE]
    for name, content, start, end, sound in _chunks(data):
        if name in _PIXELS:
            if not sound:
                raise RejectedInput("unreadable", f"the PNG data is damaged: the checksum of {name.decode()} is wrong")
            if transparency or name != b"tRNS":
                kept.append(data[start:end])
        elif name in _KEPT_METADATA and sound and _is_usual(name, content):
            kept.append(data[start:end])
        if name == b"IEND":
            return b"".join(kept)
    raise RejectedInput("unreadable", "the PNG data ends early")


def require_whole(data: bytes) -> None:
    """Raise RejectedInput ``unreadable`` unless all checksums hold and the data fill all rows, as Pillow never asks."""
    about = header(data)
    inflater, length = zlib.decompressobj(), 0
    try:
        for name, content, _, _, _ in _chunks(pixels_only(data)):
            if name == b"IDAT":
                length += len(inflater.decompress(content))
    except zlib.error as error:
        raise RejectedInput("unreadable", f"the PNG data is damaged: {error}") from None
    if not inflater.eof or length < _expected_length(about):
        raise RejectedInput("unreadable", "the PNG data ends early")


def transparent_level(data: bytes) -> tuple[int, ...] | None:
    """Read the transparent gray level or colour of a PNG of colour type 0 or 2, in its own depth, or None."""
    for name, content, *_ in _chunks(data):
        if name == b"tRNS":
            return tuple(int.from_bytes(content[place : place + 2], "big") for place in range(0, len(content) - 1, 2))
        if name == b"IDAT":
            break
    return None


def colour_profile(data: bytes) -> bytes | None:
    """Read the ICC profile of a PNG, up to 16 MiB; None where it has none that can be read."""
    for name, content, *_ in _chunks(data):
        if name == b"iCCP":
            compressed = bytes(content).partition(b"\0")[2][1:]
            try:
                inflater = zlib.decompressobj()
                profile = inflater.decompress(compressed, _LARGEST_PROFILE)
            except zlib.error:
                return None
            return profile if inflater.eof else None
        if name == b"IDAT":
            break
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, int, int, bool]]:
    """Yield name, content, start, end and whether the checksum holds, of each chunk that is whole."""
    view, place = memoryview(data), len(SIGNATURE)
    while place + 12 <= len(data):
        length = int.from_bytes(view[place : place + 4], "big")
        end = place + 12 + length
        if end > len(data):
            return
        checksum = int.from_bytes(view[end - 4 : end], "big")
        yield (
            bytes(view[place + 4 : place + 8]), view[place + 8 : end - 4], place, end,
            zlib.crc32(view[place + 4 : end - 4]) == checksum,
        )  # fmt: skip
        place = end


def _is_usual(name: bytes, content: memoryview) -> bool:
    if len(content) > _LARGEST_METADATA:
        return False
    if name != b"iCCP":
        return True
    inflater = zlib.decompressobj()
    try:
        expanded = inflater.decompress(bytes(content).partition(b"\0")[2][1:], _LARGEST_METADATA)
    except zlib.error:
        return False
    return inflater.eof and len(expanded) < _LARGEST_METADATA


def _expected_length(about: Header) -> int:
    """Count the bytes of all rows with their filter types (PNG specification, 9.2 and 8.2 for interlaced ones)."""
    bits = about.depth * _CHANNELS.get(about.colour_type, 1)

    def rows(width: int, height: int) -> int:
        return height * (1 + (width * bits + 7) // 8) if width > 0 and height > 0 else 0

    if not about.interlaced:
        return rows(about.width, about.height)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    return sum(rows(-((x - about.width) // dx), -((y - about.height) // dy)) for x, y, dx, dy in passes)
