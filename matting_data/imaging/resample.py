"""Cubic enlargement of a window, in integers: the same bytes on every processor.

OpenCV's ``INTER_CUBIC`` runs Intel's IPP where it finds it, which rounds differently from one processor generation to
the next and by the size of the source; its own code takes three times as long. This is the same interpolation
(a = −0.75, borders repeated), for the window's pixels only, at any offset.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

_A = -0.75
_WEIGHT_BITS = 11
_KEPT_BITS = 6
"""Fraction bits of the half-way result, which must fit 16 bits: 1.4 · 255 · 2^6 < 2^15."""

_STRIP = 64


def cubic_window(
    source: NDArray[np.uint8], enlarged: tuple[int, int], offset: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return a window of `source` enlarged by cubic convolution.

    Parameters
    ----------
    source : ndarray
        H×W×3 uint8.
    enlarged : (int, int)
        Width and height the whole source would have; not smaller than its own.
    offset, size : (int, int)
        x, y of the window's top left corner in the enlarged image, and its width and height.

    Returns
    -------
    ndarray
        height×width×3 uint8; within one level of the exact result (Keys, "Cubic Convolution Interpolation for
        Digital Image Processing", 1981), the difference being the rounding of the weights to 11 bits.
    """
    height, width = source.shape[:2]
    column, column_weight = _taps(size[0], width, enlarged[0] / width, offset[0])
    row, row_weight = _taps(size[1], height, enlarged[1] / height, offset[1])
    left, right, top, bottom = column.min(), column.max() + 1, row.min(), row.max() + 1
    # rows of a transposed image are columns: both directions run along memory, many pixels an instruction;
    # strips keep the turned pixels in the cache
    upright = np.empty((int(bottom - top), size[0], 3), np.int16)
    for first in range(0, len(upright), _STRIP):
        strip = upright[first : first + _STRIP]
        turned = np.asarray(cv2.transpose(source[top + first : top + first + len(strip), left:right]), dtype=np.uint8)
        wide = np.empty((size[0], len(strip), 3), np.int16)
        _mix_to_fixed(turned.reshape(len(turned), -1), column - left, column_weight, wide.reshape(size[0], -1))
        cv2.transpose(wide, dst=strip)
    window = np.empty((size[1], size[0], 3), np.uint8)
    _mix_to_bytes(upright.reshape(len(upright), -1), row - top, row_weight, window.reshape(size[1], -1))
    return window


@lru_cache(maxsize=256)
def _taps(count: int, length: int, scale: float, first: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the 4 source positions (count×4) and integer weights of output positions `first`, `first` + 1, ..."""
    position = (np.arange(first, first + count) + 0.5) / scale - 0.5
    base = np.floor(position)
    t = position - base
    outer_left = _A * (((t + 1) - 5) * (t + 1) + 8) * (t + 1) - 4 * _A
    inner_left = ((_A + 2) * t - (_A + 3)) * t * t + 1
    s = 1 - t
    inner_right = ((_A + 2) * s - (_A + 3)) * s * s + 1
    weights = np.rint(np.stack([outer_left, inner_left, inner_right], axis=1) * 2**_WEIGHT_BITS).astype(np.int32)
    # the last one is what is missing to 1, so that a flat image stays flat
    last = np.int32(2**_WEIGHT_BITS) - weights.sum(axis=1, dtype=np.int32)
    index = np.clip(base.astype(np.int64)[:, None] + np.arange(-1, 3), 0, length - 1)
    return index, np.concatenate([weights, last[:, None]], axis=1)


@numba.njit(cache=True)
def _mix_to_fixed(
    source: NDArray[np.uint8], index: NDArray[np.int64], weights: NDArray[np.int32], out: NDArray[np.int16]
) -> None:
    shift = np.int32(_WEIGHT_BITS - _KEPT_BITS)
    half = np.int32(1) << (shift - np.int32(1))
    for y in range(out.shape[0]):
        a, b, c, d = source[index[y, 0]], source[index[y, 1]], source[index[y, 2]], source[index[y, 3]]
        u, v, w, z = weights[y, 0], weights[y, 1], weights[y, 2], weights[y, 3]
        line = out[y]
        for x in range(line.size):
            total = np.int32(a[x]) * u + np.int32(b[x]) * v + np.int32(c[x]) * w + np.int32(d[x]) * z
            line[x] = np.int16((total + half) >> shift)


@numba.njit(cache=True)
def _mix_to_bytes(
    source: NDArray[np.int16], index: NDArray[np.int64], weights: NDArray[np.int32], out: NDArray[np.uint8]
) -> None:
    shift = np.int32(_WEIGHT_BITS + _KEPT_BITS)
    half = np.int32(1) << (shift - np.int32(1))
    for y in range(out.shape[0]):
        a, b, c, d = source[index[y, 0]], source[index[y, 1]], source[index[y, 2]], source[index[y, 3]]
        u, v, w, z = weights[y, 0], weights[y, 1], weights[y, 2], weights[y, 3]
        line = out[y]
        for x in range(line.size):
            total = np.int32(a[x]) * u + np.int32(b[x]) * v + np.int32(c[x]) * w + np.int32(d[x]) * z
            line[x] = np.uint8(min(max((total + half) >> shift, np.int32(0)), np.int32(255)))
