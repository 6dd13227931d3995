"""Weighted sums of vectors against the same sums in NumPy's 64-bit integers."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matting_data.imaging.kernels.simd_mixing import PIXELS, VALUES, mix_pixels, mix_values

ROUNDING, SHIFT = 16, 5
LAST_ROUNDING, LAST_SHIFT = 1 << 16, 17


@numba.njit
def all_pixels(line: Any, first: Any, weights: Any, out: Any) -> None:
    for at in range(0, first.size, PIXELS):
        mix_pixels(line, first, weights, out, at, ROUNDING, SHIFT)


@numba.njit
def all_values(a: Any, b: Any, c: Any, d: Any, weights: Any, out: Any) -> None:
    for at in range(0, out.size, VALUES):
        mix_values(a, b, c, d, weights, out, at, LAST_ROUNDING, LAST_SHIFT)


def plain_pixels(line: NDArray[Any], first: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.int64]:
    """Channel by channel: 4 neighbours, 3 bytes apart, weighted, added up and shifted."""
    result = np.empty((first.size, 3), np.int64)
    for pixel, (start, taps) in enumerate(zip(first, weights.astype(np.int64), strict=True)):
        neighbours = line[start : start + 12].reshape(4, 3).astype(np.int64)
        result[pixel] = (ROUNDING + (taps[:, None] * neighbours).sum(axis=0)) >> SHIFT
    return result


@given(st.integers(1, 20), st.integers(4, 60), st.integers(0, 2**32))
@settings(deadline=None)
def test_pixels_are_sums_of_their_four_neighbours(pairs: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    line = rng.choice([0, 1, 127, 255, rng.integers(256)], 3 * width + 4).astype(np.uint8)
    first = (3 * rng.integers(0, width - 3, PIXELS * pairs)).astype(np.int32)
    # as those of a cubic convolution, whose sums stay within 16 bits: -0.15 to 1.1 of 2048
    weights = rng.integers(-300, 2300, (first.size, 4)) // np.array([8, 1, 8, 8])
    out = np.full(3 * first.size + 2, 7, np.int16)
    all_pixels(line, first, weights.astype(np.int16), out)
    np.testing.assert_array_equal(out[:-2].reshape(-1, 3), plain_pixels(line, first, weights))


@given(st.integers(1, 5), st.integers(0, 2**32))
@settings(deadline=None)
def test_values_are_sums_of_four_rows_kept_within_a_byte(blocks: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-(2**15), 2**15, (4, VALUES * blocks), dtype=np.int16)
    rows[:, rng.random(rows.shape[1]) < 0.5] //= 8  # few of the others stay within a byte
    weights = rng.integers(-4096, 4096, 4, dtype=np.int16)
    out = np.empty(rows.shape[1], np.uint8)
    all_values(*rows, weights, out)
    total = (weights.astype(np.int64)[:, None] * rows).sum(axis=0)
    np.testing.assert_array_equal(out, np.clip((total + LAST_ROUNDING) >> LAST_SHIFT, 0, 255))
