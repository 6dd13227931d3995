"""Errors of single pixels: mean squared error, mean absolute difference, sum of absolute differences.

On codes (uint8, uint16) the sums are integers, so the results are exact to the last division.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from matting_data.metrics.mattes import Pair, Plane, Region, pair


def mse(prediction: ArrayLike, truth: ArrayLike, region: ArrayLike | None = None) -> float:
    """Mean squared error, Σ (p − g)² / number of pixels that count.

    Parameters
    ----------
    prediction, truth : array_like
        H×W mattes: uint8, uint16, or floating point in [0, 1].
    region : array_like of bool, optional
        H×W; the pixels that count. All by default.

    Returns
    -------
    float
        In [0, 1]. An all-background truth is a truth like any other: the result is the mean of p².

    Raises
    ------
    UsageError
        For NaN, values outside [0, 1], unequal shapes, other types, and an empty region.

    Notes
    -----
    As in the evaluation code of Deep Image Matting (Xu et al., CVPR 2017), there over the unknown pixels.
    """
    both = pair(prediction, truth, region)
    return squared_sum(both) / both.pixels


def mad(prediction: ArrayLike, truth: ArrayLike, region: ArrayLike | None = None) -> float:
    """Mean absolute difference, Σ |p − g| / number of pixels that count; otherwise as :func:`mse`.

    Never smaller than the MSE of the same mattes, since no difference exceeds 1.
    """
    both = pair(prediction, truth, region)
    return absolute_sum(both) / both.pixels


def sad(prediction: ArrayLike, truth: ArrayLike, region: ArrayLike | None = None) -> float:
    """Sum of absolute differences, Σ |p − g|, unscaled; otherwise as :func:`mse`.

    Papers print it divided by 1000.
    """
    return absolute_sum(pair(prediction, truth, region))


def absolute_sum(both: Pair) -> float:
    """Compute Σ |p − g| of a checked pair."""
    if both.top:
        return int(_absolute_codes(both.prediction, both.truth, both.region)) / both.top
    return float(_sum_floats(both.prediction, both.truth, both.region, False))


def squared_sum(both: Pair) -> float:
    """Compute Σ (p − g)² of a checked pair."""
    if both.top:
        return int(_squared_codes(both.prediction, both.truth, both.region)) / both.top**2
    return float(_sum_floats(both.prediction, both.truth, both.region, True))


@numba.njit(cache=True)
def _absolute_codes(prediction: Plane, truth: Plane, region: Region) -> np.int64:
    total = np.int64(0)
    everywhere = region.size == 0
    for y in range(prediction.shape[0]):
        p, g = prediction[y], truth[y]
        row = np.int64(0)
        if everywhere:
            for x in range(p.size):
                row += abs(np.int32(p[x]) - np.int32(g[x]))
        else:
            counts = region[y]
            for x in range(p.size):
                row += abs(np.int32(p[x]) - np.int32(g[x])) * np.int32(counts[x])
        total += row
    return total


@numba.njit(cache=True)
def _squared_codes(prediction: Plane, truth: Plane, region: Region) -> np.int64:
    total = np.int64(0)
    everywhere = region.size == 0
    for y in range(prediction.shape[0]):
        p, g = prediction[y], truth[y]
        row = np.int64(0)
        if everywhere:
            for x in range(p.size):
                difference = np.int64(p[x]) - np.int64(g[x])
                row += difference * difference
        else:
            counts = region[y]
            for x in range(p.size):
                difference = (np.int64(p[x]) - np.int64(g[x])) * np.int64(counts[x])
                row += difference * difference
        total += row
    return total


@numba.njit(cache=True)
def _sum_floats(prediction: NDArray[np.float64], truth: NDArray[np.float64], region: Region, squared: bool) -> float:
    total = 0.0
    everywhere = region.size == 0
    for y in range(prediction.shape[0]):
        p, g = prediction[y], truth[y]
        row = 0.0  # a sum for each row keeps the rounding error far below 1e-12 of the result
        for x in range(p.size):
            if everywhere or region[y, x]:
                difference = abs(p[x] - g[x])
                row += difference * difference if squared else difference
        total += row
    return total
