"""A decoder of the PNG that :mod:`matting_data.imaging.kernels.run_png` writes, in under half of a general one's time.

Mattes are mostly flat, so most of the work of a general decoder, copying and checking byte by byte, is that of filling
runs here. Only the form that the writer gives is known; everything else is left to a general decoder.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.kernels.run_png import LENGTH_CODE_ORDER, LENGTH_EXTRA_BITS, LENGTHS, canonical_codes
from matting_data.imaging.limits import MAX_PIXELS

_HEAD = 8 + 25 + 8
"""Signature, IHDR, and length and name of IDAT."""

_TAIL = b"\0\0\0\0IEND\xaeB`\x82"

_MAX_BITS = 15
_END_OF_BLOCK = 256

_QUICK_BITS = 11
_QUICK = np.uint64((1 << _QUICK_BITS) - 1)
_ANY = np.uint64((1 << _MAX_BITS) - 1)


_ORDER = np.array(LENGTH_CODE_ORDER)


def read_run_png(data: bytes | memoryview, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8] | None:
    """Decode an 8-bit gray PNG of the form that :func:`matting_data.imaging.kernels.run_png.run_png` writes.

    Parameters
    ----------
    data : bytes
        A whole file.
    max_pixels : int
        Larger images are left to the general decoder, which refuses them.

    Returns
    -------
    ndarray or None
        H×W uint8; None where the file is of another form, or damaged (checksums of the chunks are compared).
    """
    form = _form(data, max_pixels)
    if form is None:
        return None
    width, height, stream = form
    filtered = np.empty((height, width + 1), np.uint8)
    if not _inflate(stream, filtered.reshape(-1), _ORDER, LENGTHS, LENGTH_EXTRA_BITS):
        return None
    plane = np.empty((height, width), np.uint8)
    return plane if _unfilter(filtered, plane) else None


def _form(data: bytes | memoryview, max_pixels: int) -> tuple[int, int, NDArray[np.uint8]] | None:
    """Take width, height and the deflate stream from a file of three whole chunks, IHDR, IDAT and IEND; else None."""
    if len(data) < _HEAD + 24 or bytes(data[:16]) != b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR":
        return None
    width, height, *rest = struct.unpack(">IIBBBBB", data[16:29])
    length = int.from_bytes(data[33:37], "big")
    end = _HEAD + length
    if rest != [8, 0, 0, 0, 0] or bytes(data[37:41]) != b"IDAT" or bytes(data[end + 4 :]) != _TAIL:
        return None
    if any(zlib.crc32(data[a:b]) != int.from_bytes(data[b : b + 4], "big") for a, b in ((12, 29), (37, end))):
        return None
    if not 0 < width * height <= max_pixels:
        return None
    # zeros behind it: bits are fetched four bytes at a time
    stream = np.frombuffer(bytes(data[_HEAD + 2 : end]) + bytes(8), np.uint8)
    return width, height, stream


@numba.njit(cache=True)
def _inflate(
    stream: NDArray[np.uint8],
    out: NDArray[np.uint8],
    order: NDArray[np.int64],
    first: NDArray[np.int64],
    extra: NDArray[np.int64],
) -> bool:
    """Fill `out` from one block with codes of its own whose matches repeat the last byte; False for anything else."""
    # final block, dynamic codes; counts of literal, distance and code length codes
    head = _bits(stream, 0, 17)
    literals, distances, codes = (head >> 3 & 31) + 257, (head >> 8 & 31) + 1, (head >> 13 & 15) + 4
    if head & 7 != 5 or literals > 286 or distances > 2:
        return False
    place: Any = 17
    short = np.zeros(19, np.int64)
    for i in range(codes):
        short[order[i]] = _bits(stream, place, 3)
        place += 3
    table = np.zeros(1 << 7, np.uint16)
    if not _fill_table(short, 7, table):
        return False
    lengths = np.zeros(literals + distances, np.int64)
    done = 0
    while done < lengths.size:
        entry = np.int64(table[_bits(stream, place, 7)])
        place += entry & 15
        symbol, repeats, value = entry >> 4, 1, np.int64(0)
        if entry == 0:
            return False
        if symbol < 16:
            value = symbol
        elif symbol == 16:
            if done == 0:
                return False
            value, repeats = lengths[done - 1], 3 + _bits(stream, place, 2)
            place += 2
        elif symbol == 17:
            repeats = 3 + _bits(stream, place, 3)
            place += 3
        else:
            repeats = 11 + _bits(stream, place, 7)
            place += 7
        if done + repeats > lengths.size:
            return False
        lengths[done : done + repeats] = value
        done += repeats
    if lengths[literals] > 1:
        return False
    long = np.zeros(1 << _MAX_BITS, np.uint16)
    return _fill_table(lengths[:literals], _MAX_BITS, long) and _fill(
        stream, place, out, long, lengths[literals], first, extra
    )


@numba.njit(cache=True)
def _fill(
    stream: NDArray[np.uint8],
    place: int,
    out: NDArray[np.uint8],
    table: NDArray[np.uint16],
    distance_bits: int,
    first: NDArray[np.int64],
    extra: NDArray[np.int64],
) -> bool:
    """Write literals and runs until the end of the block; False where `out` is not filled exactly."""
    at, filled, size = place >> 3, 0, out.size
    if at >= stream.size:
        return False
    pending = np.uint64(stream[at]) >> np.uint64(place & 7)
    held: Any = 8 - (place & 7)
    at += 1
    while True:
        if held < 32:  # a token takes 15 bits of code, 5 of length and 1 of distance at most
            if at + 4 > stream.size:
                return False
            for i in range(4):
                pending |= np.uint64(stream[at + i]) << np.uint64(held + 8 * i)
            at += 4
            held += 32
        # most codes are short: the beginning of the table, which stays in the cache, knows them
        entry = np.int64(table[pending & _QUICK])
        if entry & 15 > _QUICK_BITS or entry == 0:
            entry = np.int64(table[pending & _ANY])
        used = entry & 15
        symbol = entry >> 4
        if entry == 0:
            return False
        pending >>= np.uint64(used)
        held -= used
        if symbol < _END_OF_BLOCK:
            if filled == size:
                return False
            out[filled] = symbol
            filled += 1
            continue
        if symbol == _END_OF_BLOCK:
            return filled == size
        bits = extra[symbol - 257]
        length = first[symbol - 257] + np.int64(pending & ((np.uint64(1) << np.uint64(bits)) - np.uint64(1)))
        pending >>= np.uint64(bits)
        if np.int64(pending & np.uint64(1)) or distance_bits == 0:  # the code of distance 1 is 0
            return False
        pending >>= np.uint64(1)
        held -= bits + 1
        if filled == 0 or filled + length > size:
            return False
        value = out[filled - 1]
        for i in range(filled, filled + length):
            out[i] = value
        filled += length


@numba.njit(cache=True)
def _fill_table(lengths: NDArray[np.int64], bits: int, table: NDArray[np.uint16]) -> bool:
    """Fill `table` with symbol · 16 + length for each `bits` bits that begin with its code (RFC 1951, 3.2.2)."""
    codes, room = canonical_codes(lengths), 1 << bits
    for symbol in range(lengths.size):
        length = lengths[symbol]
        if length:
            room -= 1 << (bits - length)
            if room < 0:  # more codes than there are
                return False
            for place in range(codes[symbol], 1 << bits, 1 << length):
                table[place] = np.uint16(symbol << 4 | length)
    return True


@numba.njit(cache=True)
def _bits(stream: NDArray[np.uint8], place: int, count: int) -> int:
    """Read up to 17 bits from bit `place` on, the first lowest; beyond the stream they are 0."""
    value: Any = 0
    at = place >> 3
    for i in range(4):
        if at + i < stream.size:
            value |= np.int64(stream[at + i]) << 8 * i
    return value >> (place & 7) & ((1 << count) - 1)


@numba.njit(cache=True)
def _unfilter(filtered: NDArray[np.uint8], plane: NDArray[np.uint8]) -> bool:
    """Undo the filter ``Up``; False where a row has another."""
    height, width = plane.shape
    for y in range(height):
        if filtered[y, 0] != 2:
            return False
        row, line = filtered[y, 1:], plane[y]
        if y == 0:
            for x in range(width):
                line[x] = row[x]
        else:
            above = plane[y - 1]
            for x in range(width):
                line[x] = row[x] + above[x]
    return True
