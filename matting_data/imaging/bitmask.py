"""Binary masks at 64 pixels a machine word: morphology with any kernel, exactly, at a fraction of OpenCV's time.

A dilation is the union of the mask shifted by every member of the kernel. A kernel whose rows are unbroken spans (as
OpenCV's ellipses are) needs one shift for each column offset and one union for each row, and on packed words each
of those moves 64 pixels at a time. Words are stored column by column (words × H), so that every operation runs along
whole columns in memory.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

_WORD = 64

_ROOM = 32
"""Widened masks that there is room for at first: kernels of up to 30 pixels a side need no more."""

_SPREAD = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little") * np.uint8(255)
_SPREAD = _SPREAD.view("<u8").astype(np.uint64).ravel()
"""Each byte's bits as the bytes of a word, 255 where set."""


def pack(mask: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Pack an H×W mask of 0 and 1 into ceil(W/64)×H words; bit 0 of a word is its leftmost pixel."""
    height, width = mask.shape
    words = -(-width // _WORD)
    packed = np.zeros((height, words * 8), np.uint8)
    packed[:, : -(-width // 8)] = np.packbits(mask, axis=1, bitorder="little")
    return np.ascontiguousarray(packed.view("<u8").T, dtype=np.uint64)


class Dilator:
    """Dilations of one mask by many kernels; what they share, the mask widened along its rows, is computed once.

    Parameters
    ----------
    words : ndarray
        From :func:`pack`; bits beyond the mask's width must be 0.
    """

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self._wide = np.empty((_ROOM, *words.shape), np.uint64)
        self._wide[0] = words
        self._at = {(0, 0): 0}

    def dilate(self, kernel: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """Dilate the mask.

        Parameters
        ----------
        kernel : ndarray
            k×k uint8 whose rows are unbroken spans around the anchor column ``k // 2``, as
            ``cv2.getStructuringElement`` makes ellipses.

        Returns
        -------
        ndarray
            As ``cv2.dilate`` with nothing outside the frame. Bits beyond the width may be set.
        """
        anchor = kernel.shape[0] // 2
        shifts = []
        for row, members in enumerate(kernel):
            span = np.flatnonzero(members)
            if span.size:  # OpenCV's kernel reaches a pixel from x + column − anchor
                shifts.append((row - anchor, self._widened(anchor - int(span[0]), int(span[-1]) - anchor)))
        result: NDArray[np.uint64] = np.zeros_like(self._wide[0])
        _or_rows(self._wide, np.array(shifts, np.int64).reshape(-1, 2), result)
        return result

    def _widened(self, left: int, right: int) -> int:
        """Return where the union of the mask shifted by every offset from −left to right is kept."""
        if (left, right) not in self._at:
            smaller = self._widened(left - 1, right) if left > right else self._widened(left, right - 1)
            at = len(self._at)
            if at == len(self._wide):
                room = np.empty((2 * at, *self._wide.shape[1:]), np.uint64)
                room[:at] = self._wide
                self._wide = room
            _or_shifted(self._wide[smaller], self._wide[0], -left if left > right else right, self._wide[at])
            self._at[left, right] = at
        return self._at[left, right]


def inverted(words: NDArray[np.uint64], width: int) -> NDArray[np.uint64]:
    """Return the complement of a packed mask of `width` pixels.

    An erosion is the complement of a dilation of the complement; nothing outside the frame takes part, as in
    ``cv2.erode``.
    """
    return ~words & _inside(words.shape[0], width)


def paint(outer: NDArray[np.uint64], inner: NDArray[np.uint64], width: int) -> NDArray[np.uint8]:
    """Return H×width uint8: 255 where both packed masks are set, 128 where only `outer` is, 127 where only `inner`."""
    image = np.empty((outer.shape[1], width), np.uint8)
    _paint(outer, inner, image)
    return image


@numba.njit(cache=True)
def _paint(outer: NDArray[np.uint64], inner: NDArray[np.uint64], image: NDArray[np.uint8]) -> None:
    high, low, byte = np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(255)
    pixels = np.empty(outer.shape[0] * (_WORD // 8), np.uint64)
    row = pixels.view(np.uint8)[: image.shape[1]]
    for y in range(image.shape[0]):
        for word in range(outer.shape[0]):
            o, i = outer[word, y], inner[word, y]
            for part in range(8):
                shift = np.uint64(8 * part)
                upper, lower = _SPREAD[(o >> shift) & byte], _SPREAD[(i >> shift) & byte]
                pixels[8 * word + part] = (upper & high) | (lower & low)
        line = image[y]
        for x in range(line.size):
            line[x] = row[x]


@numba.njit(cache=True)
def _or_rows(wide: NDArray[np.uint64], shifts: NDArray[np.int64], result: NDArray[np.uint64]) -> None:
    """``result[:, y] |= wide[at, :, y + dy]`` for every (dy, at) in `shifts`; nothing comes from outside a column."""
    height = result.shape[1]
    for word in range(result.shape[0]):  # a column stays in the cache
        for number in range(shifts.shape[0]):
            dy, at = shifts[number, 0], shifts[number, 1]
            if -height < dy < height:
                there = wide[at, word, max(0, dy) : height + min(0, dy)]
                here = result[word, max(0, -dy) : height - max(0, dy)]
                for y in range(here.size):
                    here[y] |= there[y]


@numba.njit(cache=True)
def _or_shifted(mask: NDArray[np.uint64], source: NDArray[np.uint64], offset: int, out: NDArray[np.uint64]) -> None:
    """``out[x] = mask[x] | source[x + offset]`` for every pixel x; nothing comes in from outside the row."""
    skip, bits = abs(offset) // _WORD, np.uint64(abs(offset) % _WORD)
    step = 1 if offset > 0 else -1
    for word in range(out.shape[0]):
        line = out[word]
        line[:] = mask[word]
        near, far = word + step * skip, word + step * (skip + 1)
        if 0 <= near < out.shape[0]:
            words = source[near]
            for y in range(line.size):
                line[y] |= words[y] >> bits if step > 0 else words[y] << bits
        if bits and 0 <= far < out.shape[0]:  # the bits that cross a word's border
            words, rest = source[far], np.uint64(_WORD) - bits
            for y in range(line.size):
                line[y] |= words[y] << rest if step > 0 else words[y] >> rest


def _inside(words: int, width: int) -> NDArray[np.uint64]:
    """Return a words×1 column whose bits below `width` are set."""
    row = np.zeros((1, words * _WORD), np.uint8)
    row[0, :width] = 1
    return pack(row)
