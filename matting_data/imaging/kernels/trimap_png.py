"""PNG of a trimap straight from its two packed masks: the bytes of ``run_png``, without a plane in between.

Of a trimap only the pixels matter by which an edge moved from one row to the next. In packed masks
(:mod:`matting_data.imaging.kernels.bitmask`) 64 pixels at a time tell whether there are any.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.kernels.run_png import ADLER_BASE, TOKENS, UP, add_run, end_tokens, png_of_tokens, token_space

_DIFFERENCE = np.array([0, 128, 129, 1, 0, 0, 127, 255], np.int64)
"""A pixel minus the one above it, modulo 256, by bits: `outer` changes, `inner` changes, `inner` changes to set."""

_DE_BRUIJN = 0x03F79D71B4CB0A89
_POSITION = np.zeros(64, np.int64)
for _bit in range(64):
    _POSITION[(_DE_BRUIJN << _bit & 2**64 - 1) >> 58] = _bit
"""Number of a word's only set bit, found in 6 bits of a product (Leiserson, Prokop, Randall, 1998)."""


def trimap_png(outer: NDArray[np.uint64], inner: NDArray[np.uint64], width: int) -> bytes:
    """Encode a trimap as lossless 8-bit gray PNG.

    Parameters
    ----------
    outer, inner : ndarray
        Packed masks, words × H: 255 where both are set, 128 where only `outer` is; `inner` lies inside `outer`. Bits
        beyond `width` have no meaning.
    width : int
        In pixels, at least 1.

    Returns
    -------
    bytes
        What :func:`~matting_data.imaging.kernels.run_png.run_png` makes of
        :func:`~matting_data.imaging.kernels.bitmask.paint`.
    """
    tokens = token_space(width, outer.shape[1])
    count, frequency, checksum = _tokenise(outer, inner, width, tokens)
    return png_of_tokens(width, outer.shape[1], tokens[:count], frequency, int(checksum))


@numba.njit(cache=True)
def _tokenise(
    outer: NDArray[np.uint64], inner: NDArray[np.uint64], width: int, tokens: NDArray[np.uint16]
) -> tuple[int, NDArray[np.int64], np.uint64]:
    """Fill `tokens`; return how many there are, how many of each kind, and the filtered rows' Adler-32."""
    words, height = outer.shape
    frequency = np.zeros(TOKENS, np.int64)
    low, high, count = np.uint64(1), np.uint64(0), 0
    one, last = np.uint64(1), np.uint64(63)
    in_last = ~np.uint64(0) >> np.uint64(-width % 64)  # those of the last word's bits that are pixels
    for y in range(height):
        tokens[count] = UP
        count += 1
        low += np.uint64(UP)
        high += low
        start, value = 0, 0
        before, before_inner, before_set = np.uint64(0), np.uint64(0), np.uint64(0)  # the pixel to the left
        for word in range(words):
            changed, changed_inner, inside = outer[word, y], inner[word, y], inner[word, y]
            if y:
                changed ^= outer[word, y - 1]
                changed_inner ^= inner[word, y - 1]
            inside &= changed_inner
            borders = (changed ^ (changed << one | before)) | (changed_inner ^ (changed_inner << one | before_inner))
            borders |= inside ^ (inside << one | before_set)
            before, before_inner, before_set = changed >> last, changed_inner >> last, inside >> last
            if word == words - 1:
                borders &= in_last
            while borders:
                x = _POSITION[((borders & (~borders + one)) * np.uint64(_DE_BRUIJN)) >> np.uint64(58)]
                borders &= borders - one
                at = 64 * word + x
                if at:  # the first pixel has none to its left
                    count, low, high = add_run(tokens, count, frequency, value, at - start, low, high)
                    start = at
                bit = np.uint64(x)
                code = changed >> bit & one | (changed_inner >> bit & one) << one
                value = _DIFFERENCE[code | (inside >> bit & one) << np.uint64(2)]
        count, low, high = add_run(tokens, count, frequency, value, width - start, low, high)
        low %= ADLER_BASE
        high %= ADLER_BASE
    return end_tokens(tokens, count, frequency, height), frequency, high << np.uint64(16) | low
