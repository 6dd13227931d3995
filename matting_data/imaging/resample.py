"""Cubic enlargement of a window, in integers: the same bytes on every processor.

OpenCV's ``INTER_CUBIC`` runs Intel's IPP where it finds it, which rounds differently from one processor generation to
the next and by the size of the source; its own code takes three times as long. This is the same interpolation
(a = −0.75, borders repeated), for the window's pixels only, at any offset, and only for those that are seen: an
opaque foreground before the window costs a copy of its colours.
"""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.front import Front, Rows, nothing, put_before

_A = -0.75
_WEIGHT_BITS = 11
_KEPT_BITS = 6
"""Fraction bits of the half-way result, which must fit 16 bits: 1.4 · 255 · 2^6 < 2^15."""

_RING = 4
"""Half-way rows that are kept: as many as a row of the window is made of."""

# Three channels in one 64-bit word, so that a multiplication weighs them all. A channel's weighted sum lies between
# −0.2 and 1.2 times 255 · 2^11: with the bias it is never negative and takes 20 of its 21 bits.
_FIELD = 21
_BIAS = 1 << 18
_DROPPED = _WEIGHT_BITS - _KEPT_BITS
_ROUNDED_BIAS = sum((_BIAS + (1 << (_DROPPED - 1))) << (_FIELD * channel) for channel in range(3))
# the bias stays in the half-way result; the second pass, whose weights too sum to 2^11, takes it out
_LAST_SHIFT = _WEIGHT_BITS + _KEPT_BITS
_LAST_ROUNDING = (1 << (_LAST_SHIFT - 1)) - ((_BIAS >> _DROPPED) << _WEIGHT_BITS)


def cubic_window(
    source: NDArray[np.uint8],
    enlarged: tuple[int, int],
    offset: tuple[int, int],
    size: tuple[int, int],
    front: Front | None = None,
) -> NDArray[np.uint8]:
    """Return a window of `source` enlarged by cubic convolution, with what stands before it.

    Parameters
    ----------
    source : ndarray
        H×W×3 uint8.
    enlarged : (int, int)
        Width and height the whole source would have; not smaller than its own.
    offset, size : (int, int)
        x, y of the window's top left corner in the enlarged image, and its width and height.
    front : Front or None
        A foreground of the window's size to be composited on it; equal to the bit to mixing it in afterwards.

    Returns
    -------
    ndarray
        height×width×3 uint8; the background in it within one level of the exact result (Keys, "Cubic Convolution
        Interpolation for Digital Image Processing", 1981), the difference being the rounding of the weights to 11
        bits.
    """
    height, width = source.shape[:2]
    column, column_weight = _taps(size[0], enlarged[0] / width, offset[0])
    row, row_weight = _taps(size[1], enlarged[1] / height, offset[1])
    window = np.empty((size[1], size[0], 3), np.uint8)
    _render(
        # contiguous and writable, whatever comes: the kernel is compiled for one kind of array
        np.require(source, requirements=["C", "W"]).reshape(height, -1),
        ((column + 2).astype(np.uint64), column_weight[:, (0, 2, 3)].astype(np.uint64).ravel()),
        (np.clip(row[:, None] + np.arange(_RING), 0, height - 1), row_weight.astype(np.int32)),
        (nothing(size[1]) if front is None else front).rows,
        window.reshape(size[1], -1),
    )
    return window


@lru_cache(maxsize=256)
def _taps(count: int, scale: float, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first of 4 source positions, and the 4 weights, of output positions `first`, `first` + 1, ..."""
    position = (np.arange(first, first + count) + 0.5) / scale - 0.5
    base = np.floor(position)
    t = position - base
    outer_left = _A * (((t + 1) - 5) * (t + 1) + 8) * (t + 1) - 4 * _A
    inner_left = ((_A + 2) * t - (_A + 3)) * t * t + 1
    s = 1 - t
    inner_right = ((_A + 2) * s - (_A + 3)) * s * s + 1
    weights = np.rint(np.stack([outer_left, inner_left, inner_right], axis=1) * 2**_WEIGHT_BITS).astype(np.int64)
    # the last one is what is missing to 1, so that a flat image stays flat
    last = 2**_WEIGHT_BITS - weights.sum(axis=1)
    return base.astype(np.int64) - 1, np.concatenate([weights, last[:, None]], axis=1)


@numba.njit(cache=True)
def _render(
    source: NDArray[np.uint8],
    columns: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    rows: tuple[NDArray[np.int64], NDArray[np.int32]],
    front: Rows,
    window: NDArray[np.uint8],
) -> None:
    """Fill the window row by row, from half-way rows that are made when they are first needed, and where."""
    column, column_weights = columns
    row, row_weights = rows
    spans = front[0]
    height, width = window.shape[0], window.shape[1] // 3
    # a half-way row is not needed where all rows that it is for are opaque
    hidden_from, hidden_to = np.zeros(source.shape[0], np.int64), np.full(source.shape[0], width, np.int64)
    for y in range(height):
        for tap in range(_RING):
            at = row[y, tap]
            hidden_from[at] = max(hidden_from[at], spans[y, 1] // 3)
            hidden_to[at] = min(hidden_to[at], spans[y, 2] // 3)
    packed = np.empty(source.shape[1] // 3 + 4, np.uint64)
    ring = np.empty((_RING, 3 * width), np.int16)
    ready = row[0, 0]
    for y in range(height):
        while ready <= row[y, _RING - 1]:
            _pack(source[ready], packed, np.int64(column[0]), np.int64(column[-1]) + _RING)  # type: ignore[arg-type]
            half_way = ring[ready % _RING]
            start, end = hidden_from[ready], max(hidden_from[ready], hidden_to[ready])
            for first, last in ((0, start), (end, width)):
                _mix_columns(
                    packed, column[first:last], column_weights[3 * first : 3 * last], half_way[3 * first : 3 * last]
                )
            ready += 1
        a, b = ring[row[y, 0] % _RING], ring[row[y, 1] % _RING]
        c, d = ring[row[y, 2] % _RING], ring[row[y, 3] % _RING]
        line, weights = window[y], row_weights[y]
        for first, last in ((0, spans[y, 1]), (spans[y, 2], line.size)):
            _mix_rows(a[first:last], b[first:last], c[first:last], d[first:last], weights, line[first:last])
        put_before(front, y, line)


@numba.njit(cache=True)
def _pack(line: NDArray[np.uint8], packed: NDArray[np.uint64], start: int, end: int) -> None:
    """Fill `packed` from `start` to before `end`: a pixel a word, the border repeated twice on either side."""
    width = packed.size - 4
    green, blue = np.uint64(_FIELD), np.uint64(2 * _FIELD)
    first, last = max(2, start), min(width + 2, end)
    pixels, words = line[3 * (first - 2) : 3 * (last - 2)], packed[first:last]
    for x in range(words.size):
        words[x] = (
            np.uint64(pixels[3 * x]) | np.uint64(pixels[3 * x + 1]) << green | np.uint64(pixels[3 * x + 2]) << blue
        )
    packed[start:first] = words[0]
    packed[last:end] = words[-1]


@numba.njit(cache=True)
def _mix_columns(
    packed: NDArray[np.uint64], first: NDArray[np.uint64], weights: NDArray[np.uint64], out: NDArray[np.int16]
) -> None:
    """Write the biased half-way results of the pixels that start at `first` in `packed`, three values each."""
    one, two, three, bias = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(_ROUNDED_BIAS)
    red, whole = np.uint64(_DROPPED), np.uint64(_WEIGHT_BITS)
    green, blue = np.uint64(_DROPPED + _FIELD), np.uint64(_DROPPED + 2 * _FIELD)
    for x in range(first.size):
        at = first[x]
        middle = packed[at + one]
        # the weights' sum is known: three multiplications do for four pixels
        total = (packed[at] - middle) * weights[3 * x] + (packed[at + two] - middle) * weights[3 * x + 1]
        total += (packed[at + three] - middle) * weights[3 * x + 2] + (middle << whole) + bias
        out[3 * x] = np.int16(total >> red)  # of a channel's 21 bits the 16 that are kept
        out[3 * x + 1] = np.int16(total >> green)
        out[3 * x + 2] = np.int16(total >> blue)


@numba.njit(cache=True)
def _mix_rows(
    a: NDArray[np.int16],
    b: NDArray[np.int16],
    c: NDArray[np.int16],
    d: NDArray[np.int16],
    weights: NDArray[np.int32],
    line: NDArray[np.uint8],
) -> None:
    u, v, w, z = weights[0], weights[1], weights[2], weights[3]
    for x in range(line.size):
        # numba widens every result to 64 bits; cut back at once, twice as many fit an instruction
        upper = np.int32(np.int32(np.int32(a[x]) * u) + np.int32(np.int32(b[x]) * v))
        lower = np.int32(np.int32(np.int32(c[x]) * w) + np.int32(np.int32(d[x]) * z))
        total = np.int32(np.int32(upper + lower) + np.int32(_LAST_ROUNDING))
        line[x] = np.uint8(min(max(np.int32(total >> np.int32(_LAST_SHIFT)), np.int32(0)), np.int32(255)))
