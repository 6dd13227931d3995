"""Cubic enlargement of a window, in integers: the same bytes on every processor.

OpenCV's ``INTER_CUBIC`` runs Intel's IPP where it finds it, which rounds differently from one processor generation to
the next and by the size of the source; its own code takes three times as long. This is the same interpolation
(a = −0.75, borders repeated), for the window's pixels only, at any offset, and only for those that are seen: an
opaque foreground costs a copy of its colours.
"""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.kernels.row_spans import Rows, RowSpans, composite_row, empty_row_spans
from matting_data.imaging.kernels.simd_mixing import PIXELS, VALUES, mix_pixels, mix_values

_A = -0.75
_WEIGHT_BITS = 11
_KEPT_BITS = 6
"""Fraction bits of the half-way result, which must fit 16 bits: 1.4 · 255 · 2^6 < 2^15."""

_RING = 4
"""Half-way rows that are kept: as many as a row of the window is made of."""

_DROPPED = _WEIGHT_BITS - _KEPT_BITS
_HALF = 1 << (_DROPPED - 1)
_LAST_SHIFT = _WEIGHT_BITS + _KEPT_BITS
_LAST_HALF = 1 << (_LAST_SHIFT - 1)


def cubic_window(
    source: NDArray[np.uint8],
    enlarged: tuple[int, int],
    offset: tuple[int, int],
    size: tuple[int, int],
    row_spans: RowSpans | None = None,
) -> NDArray[np.uint8]:
    """Enlarge a window of `source` by cubic convolution, and composite a foreground on it.

    Parameters
    ----------
    source : ndarray
        H×W×3 uint8.
    enlarged : (int, int)
        Width and height the whole source would have; not smaller than its own.
    offset, size : (int, int)
        x, y of the window's top left corner in the enlarged image, and its width and height.
    row_spans : RowSpans or None
        A foreground of the window's size; the result equals compositing it afterwards, to the bit.

    Returns
    -------
    ndarray
        height×width×3 uint8; the background in it within one level of the exact result (Keys, "Cubic Convolution
        Interpolation for Digital Image Processing", 1981), the difference being the rounding of the weights to 11
        bits.
    """
    height, width = source.shape[:2]
    # the last step may make pixels too many
    column, column_weight = _taps(-(-size[0] // PIXELS) * PIXELS, enlarged[0] / width, offset[0])
    row, row_weight = _taps(size[1], enlarged[1] / height, offset[1])
    needed = int(column[0]) + 2, int(column[size[0] - 1]) + 2 + _RING
    columns = (3 * (column + 2)).astype(np.int32), column_weight, *needed
    rows = np.clip(row[:, None] + np.arange(_RING), 0, height - 1), row_weight
    spans = empty_row_spans(size[1]) if row_spans is None else row_spans
    # contiguous and writable, whatever comes: the kernel is compiled for one kind of array
    source = np.require(source, requirements=["C", "W"]).reshape(height, -1)
    window = np.empty((size[1], size[0], 3), np.uint8)
    _render(source, columns, rows, spans.rows, window.reshape(size[1], -1))
    return window


@lru_cache(maxsize=256)
def _taps(count: int, scale: float, first: int) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """Compute the first of 4 source positions, and the 4 weights, of output positions `first`, `first` + 1, ..."""
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
    return base.astype(np.int64) - 1, np.concatenate([weights, last[:, None]], axis=1).astype(np.int16)


@numba.njit(cache=True)
def _render(
    source: NDArray[np.uint8],
    columns: tuple[NDArray[np.int32], NDArray[np.int16], int, int],
    rows: tuple[NDArray[np.int64], NDArray[np.int16]],
    foreground: Rows,
    window: NDArray[np.uint8],
) -> None:
    """Fill the window row by row, from half-way rows that are made when they are first needed, and where."""
    column, column_weights, needed_from, needed_to = columns
    row, row_weights = rows
    spans = foreground[0]
    height, width = window.shape[0], window.shape[1] // 3
    # a half-way row is not needed where all rows that it is for are opaque
    hidden_from, hidden_to = np.zeros(source.shape[0], np.int64), np.full(source.shape[0], width, np.int64)
    for y in range(height):
        for tap in range(_RING):
            at = row[y, tap]
            hidden_from[at] = max(hidden_from[at], spans[y, 1] // 3)
            hidden_to[at] = min(hidden_to[at], spans[y, 2] // 3)
    bordered = np.empty(source.shape[1] + 3 * (4 + PIXELS) + 4, np.uint8)
    ring = np.empty((_RING, 3 * (width + PIXELS)), np.int16)
    ready = row[0, 0]
    for y in range(height):
        while ready <= row[y, _RING - 1]:
            _add_borders(source[ready], bordered, needed_from, needed_to)
            half_way = ring[ready % _RING]
            start, end = hidden_from[ready], max(hidden_from[ready], hidden_to[ready])
            for first, last in ((0, start), (end // PIXELS * PIXELS, width)):
                for x in range(first, last, PIXELS):
                    mix_pixels(bordered, column, column_weights, half_way, x, _HALF, _DROPPED)
            ready += 1
        a, b = ring[row[y, 0] % _RING], ring[row[y, 1] % _RING]
        c, d = ring[row[y, 2] % _RING], ring[row[y, 3] % _RING]
        line, weights = window[y], row_weights[y]
        for first, last in ((0, spans[y, 1]), (spans[y, 2], line.size)):
            _mix_rows(a[first:last], b[first:last], c[first:last], d[first:last], weights, line[first:last])
        composite_row(foreground, y, line)


@numba.njit(cache=True)
def _add_borders(line: NDArray[np.uint8], bordered: NDArray[np.uint8], start: int, end: int) -> None:
    """Fill `bordered` from pixel `start` to before `end`: the line, its first and last pixel repeated twice."""
    width = line.size // 3
    first, last = max(2, start), min(width + 2, end)
    pixels, inner = line[3 * (first - 2) : 3 * (last - 2)], bordered[3 * first : 3 * last]
    for x in range(inner.size):
        inner[x] = pixels[x]
    for x in range(3 * start, 3 * first):
        bordered[x] = pixels[x % 3]
    for x in range(3 * last, 3 * end):
        bordered[x] = pixels[pixels.size - 3 + x % 3]


@numba.njit(cache=True)
def _mix_rows(
    a: NDArray[np.int16],
    b: NDArray[np.int16],
    c: NDArray[np.int16],
    d: NDArray[np.int16],
    weights: NDArray[np.int16],
    line: NDArray[np.uint8],
) -> None:
    """Make a part of a line of the window from the same part of four half-way rows."""
    if line.size >= VALUES:
        for x in range(0, line.size - VALUES, VALUES):
            mix_values(a, b, c, d, weights, line, x, _LAST_HALF, _LAST_SHIFT)
        mix_values(a, b, c, d, weights, line, line.size - VALUES, _LAST_HALF, _LAST_SHIFT)
        return
    for x in range(line.size):
        total = a[x] * weights[0] + b[x] * weights[1] + c[x] * weights[2] + d[x] * weights[3]
        line[x] = min(max((total + _LAST_HALF) >> _LAST_SHIFT, 0), 255)
