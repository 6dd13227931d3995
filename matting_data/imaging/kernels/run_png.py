"""PNG of planes with long flat runs, in integers: the same bytes on every processor, in a fraction of zlib's time.

Every row is stored as its difference from the row above (filter ``Up``), which leaves of a trimap zeros and the few
pixels by which its edges moved. The deflate stream repeats the last byte only (matches at distance 1), in one block
with Huffman codes of its own. The checksum of the pixels, too, is taken run by run.
"""

from __future__ import annotations

import struct
import zlib

import numba
import numpy as np
from numpy.typing import NDArray

from matting_data.errors import MattingDataError

UP = 2
ADLER_BASE = np.uint64(65521)
_EVERY_BYTE = np.uint64(0x0101010101010101)

_END = 512
TOKENS = _END + 1
"""A token is one step of deflate: below 256 a literal byte, then a match of token − 253 bytes, last the block's end."""

LENGTH_CODE_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


LENGTH_EXTRA_BITS = np.array([max(0, code // 4 - 1) for code in range(28)] + [0])
LENGTHS = np.array(
    [3 + (code if code < 8 else (4 + code % 4) << LENGTH_EXTRA_BITS[code]) for code in range(28)] + [258]
)
"""How many extra bits each of deflate's 29 length symbols has, and its shortest length (RFC 1951, 3.2.5)."""


def _symbols() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Tabulate every token's symbol, its number of extra bits and their value."""
    symbol, extra_bits, extra = np.arange(_END + 1), np.zeros(_END + 1, np.int64), np.zeros(_END + 1, np.int64)
    for code, (first, bits) in enumerate(zip(253 + LENGTHS, LENGTH_EXTRA_BITS, strict=True)):
        span = slice(first, first + 2**bits)
        symbol[span], extra_bits[span], extra[span] = 257 + code, bits, np.arange(2**bits)
    symbol[_END] = 256
    return symbol, extra_bits, extra


_SYMBOL, _EXTRA_BITS, _EXTRA = _symbols()


def run_png(plane: NDArray[np.uint8]) -> bytes:
    """Encode a plane of long flat runs, such as a trimap, as lossless 8-bit gray PNG.

    The bytes depend on nothing but the pixels. Every plane is encoded correctly, but only flat ones become small.

    Parameters
    ----------
    plane : ndarray
        H×W uint8.

    Returns
    -------
    bytes
        A file after the PNG Specification (Third Edition) with one IDAT chunk: a zlib stream (RFC 1950) of a single
        deflate block with dynamic Huffman codes (RFC 1951).

    Raises
    ------
    MattingDataError
        For anything but a plane of uint8 with pixels.
    """
    if plane.ndim != 2 or plane.size == 0 or plane.dtype != np.uint8:
        raise MattingDataError(f"no gray PNG can hold {plane.dtype} of shape {plane.shape}")
    height, width = plane.shape
    tokens = token_space(width, height)
    # contiguous and writable, whatever comes: the kernel is compiled for one kind of array
    count, frequency, checksum = _tokenise(np.require(plane, requirements=["C", "W"]), tokens)
    return png_of_tokens(width, height, tokens[:count], frequency, int(checksum))


def token_space(width: int, height: int) -> NDArray[np.uint16]:
    """Allocate the tokens of a plane in which no byte repeats, the most there can be."""
    return np.empty(height * (width + 1) + 1, np.uint16)


def png_of_tokens(
    width: int, height: int, tokens: NDArray[np.uint16], frequency: NDArray[np.int64], checksum: int
) -> bytes:
    """Encode a plane's tokens as PNG; `frequency` counts each kind, `checksum` is its filtered rows' Adler-32."""
    symbol_frequency = np.zeros(286, np.int64)
    np.add.at(symbol_frequency, _SYMBOL, frequency)
    lengths = _code_lengths(symbol_frequency, 15)
    patterns = canonical_codes(lengths)[_SYMBOL] | _EXTRA << lengths[_SYMBOL]
    bits = lengths[_SYMBOL] + _EXTRA_BITS
    bits[256:_END] += 1  # the code of distance 1, a single 0
    head_patterns, head_bits = _head(lengths)

    size = -(-int(frequency @ bits + head_bits.sum()) // 8)
    stream = np.zeros(size + 4, np.uint8)  # the writer stores 4 bytes at a time
    place = _write(np.arange(head_bits.size, dtype=np.uint16), head_patterns, head_bits, stream, 0)
    _write(tokens, patterns, bits, stream, place)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = stream[:size].tobytes() + struct.pack(">I", checksum)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


@numba.njit(cache=True)
def _tokenise(plane: NDArray[np.uint8], tokens: NDArray[np.uint16]) -> tuple[int, NDArray[np.int64], np.uint64]:
    """Fill `tokens`; return how many there are, how many of each kind, and the filtered rows' Adler-32 (RFC 1950)."""
    height, width = plane.shape
    frequency = np.zeros(TOKENS, np.int64)
    low, high, count = np.uint64(1), np.uint64(0), 0
    words = np.zeros(width // 8 + 1, np.uint64)
    row, above = words.view(np.uint8)[:width], np.zeros(width, np.uint8)
    for y in range(height):
        line = plane[y]
        for x in range(width):
            row[x] = line[x] - above[x]
        above = line
        tokens[count] = UP
        count += 1
        low += np.uint64(UP)
        high += low
        start = 0
        while start < width:
            value, end = row[start], _run_end(words, row, start)
            count, low, high = add_run(tokens, count, frequency, value, end - start, low, high)
            start = end
        low %= ADLER_BASE
        high %= ADLER_BASE
    return end_tokens(tokens, count, frequency, height), frequency, high << np.uint64(16) | low


@numba.njit(cache=True)
def add_run(
    tokens: NDArray[np.uint16],
    count: int,
    frequency: NDArray[np.int64],
    value: int,
    run: int,
    low: np.uint64,
    high: np.uint64,
) -> tuple[int, np.uint64, np.uint64]:
    """Append `run` bytes of `value` to the first `count` tokens; return the count and both sums of Adler-32."""
    length = np.uint64(run)
    # so many steps of Adler-32 at once; rows of 2^28 pixels would still fit 64 bits
    high += length * low + np.uint64(value) * (length * (length + np.uint64(1)) // np.uint64(2))
    low += length * np.uint64(value)
    tokens[count] = value
    count += 1
    repeats = run - 1
    while repeats >= 3:
        match = min(repeats, 258)
        tokens[count] = 253 + match
        frequency[253 + match] += 1
        count += 1
        repeats -= match
    for _ in range(repeats):  # too few for a match
        tokens[count] = value
        count += 1
    frequency[value] += 1 + repeats
    return count, low, high


@numba.njit(cache=True)
def end_tokens(tokens: NDArray[np.uint16], count: int, frequency: NDArray[np.int64], rows: int) -> int:
    """Append the block's end, and count it and the rows' filters; return how many tokens there are."""
    tokens[count] = _END
    frequency[UP] += rows
    frequency[_END] = 1
    return count + 1


@numba.njit(cache=True)
def _run_end(words: NDArray[np.uint64], row: NDArray[np.uint8], start: int) -> int:
    """Find where the run of equal bytes from `start` on ends in `row`, whose memory `words` shares."""
    value, end = row[start], start + 1
    while end < row.size and row[end] == value:
        end += 1
        while end & 7 == 0 and end + 8 <= row.size and words[end >> 3] == np.uint64(value) * _EVERY_BYTE:
            end += 8
    return end


@numba.njit(cache=True)
def _write(
    tokens: NDArray[np.uint16],
    patterns: NDArray[np.int64],
    bits: NDArray[np.int64],
    stream: NDArray[np.uint8],
    place: int,
) -> int:
    """Write every token's pattern into `stream`, whose first `place` bits are written; return how many are then."""
    at, filled = place >> 3, place & 7
    pending = np.int64(stream[at])  # the bits beyond are 0
    for token in tokens:
        pending |= patterns[token] << filled
        filled += bits[token]
        if filled >= 32:
            for i in range(4):
                stream[at + i] = pending >> 8 * i & 255
            at += 4
            pending >>= 32
            filled -= 32
    for i in range(4):
        stream[at + i] = pending >> 8 * i & 255
    return at * 8 + filled


@numba.njit(cache=True)
def _head(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List patterns and bits of all fields before the first token: RFC 1950, 2.2 and RFC 1951, 3.2.3 and 3.2.7."""
    described = np.ones(lengths.size + 2, np.int64)  # distance 1 and one never used: some decoders want a full tree
    described[: lengths.size] = lengths
    steps = np.empty((described.size, 3), np.int64)  # symbol, extra bits' value, extra bits: a length, or many zeros
    frequency, count, place = np.zeros(19, np.int64), 0, 0
    while place < described.size:
        zeros = 0
        while zeros < 138 and place + zeros < described.size and described[place + zeros] == 0:
            zeros += 1
        if zeros >= 11:
            steps[count] = 18, zeros - 11, 7
        elif zeros >= 3:
            steps[count] = 17, zeros - 3, 3
        else:
            steps[count] = described[place], 0, 0
        place += zeros if zeros >= 3 else 1
        frequency[steps[count, 0]] += 1
        count += 1
    code_bits = _code_lengths(frequency, 7)
    code = canonical_codes(code_bits)
    fields = np.empty((6 + 19 + 2 * count, 2), np.int64)
    # deflate with a window of 32 KiB; the last block; its codes are dynamic; how many lengths of each kind follow
    fields[0], fields[1], fields[2] = (0x0178, 16), (1, 1), (2, 2)
    fields[3], fields[4], fields[5] = (lengths.size - 257, 5), (1, 5), (len(LENGTH_CODE_ORDER) - 4, 4)
    for number, symbol in enumerate(LENGTH_CODE_ORDER):
        fields[6 + number] = code_bits[symbol], 3
    for number in range(count):
        symbol, extra, extra_bits = steps[number]
        fields[25 + 2 * number] = code[symbol], code_bits[symbol]
        fields[26 + 2 * number] = extra, extra_bits
    return np.ascontiguousarray(fields[:, 0]), np.ascontiguousarray(fields[:, 1])


@numba.njit(cache=True)
def _code_lengths(frequency: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
    """Compute Huffman code lengths of at most `longest` bits for symbols of these frequencies, two or more not 0."""
    symbols = np.flatnonzero(frequency)
    lengths = np.zeros_like(frequency)
    weights, least = frequency[symbols], 1
    while True:
        order = np.argsort(weights, kind="mergesort")  # stable
        lengths[symbols[order]] = _depths(weights[order])
        if lengths.max() <= longest:
            return lengths
        least *= 2  # the deepest leaves are the rarest symbols
        weights = np.maximum(weights, least)


@numba.njit(cache=True)
def _depths(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Compute the depths of ascending weights in their Huffman tree."""
    leaves = weights.size
    nodes = 2 * leaves - 1
    weight, parent, depth = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
    for leaf in range(leaves):
        weight[leaf] = weights[leaf]
    leaf, inner = 0, leaves  # the lightest without a parent; inner nodes, too, come in ascending order
    for node in range(leaves, nodes):
        for _ in range(2):
            if leaf < leaves and (inner == node or weight[leaf] <= weight[inner]):
                child = leaf
                leaf += 1
            else:
                child = inner
                inner += 1
            parent[child] = node
            weight[node] += weight[child]
    for node in range(nodes - 2, -1, -1):
        depth[node] = depth[parent[node]] + 1
    return depth[:leaves]


@numba.njit(cache=True)
def canonical_codes(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Assign the codes of these lengths (RFC 1951, 3.2.2), turned so that the first bit is the lowest."""
    codes = np.zeros_like(lengths)
    code = 0
    for length in range(1, 16):
        for symbol in range(lengths.size):
            if lengths[symbol] == length:
                for bit in range(length):
                    codes[symbol] |= (code >> bit & 1) << (length - 1 - bit)
                code += 1
        code <<= 1
    return codes
