"""The connectivity error: what a matte owes to pieces that hang on nothing.

At each threshold θ = 0.1, 0.2, ..., 1 the pixels where both mattes reach θ fall into components; the largest is the
source region Ω. A pixel is connected up to the last threshold before it first lies outside Ω, and what its alpha
exceeds that level by, where that is 0.15 or more, counts as disconnected.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from matting_data.metrics.components import LEVELS, LargestRule, depths, runs_of
from matting_data.metrics.mattes import Pair, Plane, Region, pair

STEPS = tuple(i / LEVELS for i in range(1, LEVELS + 1))
"""The thresholds, each the nearest float64 to its tenth."""

SLACK_FREE = 0.15
"""Smaller excesses over the connected level are forgiven."""


@dataclass(frozen=True)
class ConnectivityRule:
    """What implementations disagree about.

    Attributes
    ----------
    largest : LargestRule
        Which component is the source region.
    thresholds : tuple of float, optional
        Ten float64 thresholds that values (code / 255) are compared with as floating-point numbers. By default
        tenths, compared exactly.
    """

    largest: LargestRule = field(default_factory=LargestRule)
    thresholds: tuple[float, ...] | None = None


def connectivity(prediction: ArrayLike, truth: ArrayLike, region: ArrayLike | None = None) -> float:
    """Connectivity error, Σ |φ(p) − φ(g)|, unscaled, with φ(α) = 1 − d·[d ≥ 0.15] and d = α − l.

    l is 0.1·(i − 1) for the first i whose source region Ω_i does not hold the pixel, and 1 where all ten do. Ω_i is
    the largest 4-connected component of {p ≥ 0.1·i} ∩ {g ≥ 0.1·i}.

    Parameters
    ----------
    prediction, truth : array_like
        H×W mattes: uint8, uint16, or floating point in [0, 1].
    region : array_like of bool, optional
        H×W; the pixels whose differences are summed (components are always those of the whole image). All by default.

    Returns
    -------
    float
        At least 0. With an all-background truth no pixel is connected, l is 0 everywhere and the result is the sum of
        all predictions of 0.15 or more.

    Raises
    ------
    UsageError
        For NaN, values outside [0, 1], unequal shapes, other types, and an empty region.

    Notes
    -----
    Rhemann et al., A perceptually motivated online benchmark for image matting, CVPR 2009, as fixed by the evaluation
    code of Deep Image Matting. Papers print the result divided by 1000. What that code leaves to chance is settled
    here:

    * Thresholds are exact: on codes ``code·10 ≥ 255·i``; a floating-point value may fall short by the rounding of its
      own type (1e-9 for float64, 6e-8 for float32), so that ``0.7`` passes 0.7 in each of them.
    * Among equally large components, the one wins whose first pixel comes first column by column, as in MATLAB.
    * Where nothing reaches a threshold, Ω_i is empty and no pixel lies in it. The MATLAB script skips such a threshold
      and gives 0 when the mattes nowhere overlap; ``--like matlab`` does the same.
    """
    return connectivity_sum(pair(prediction, truth, region), ConnectivityRule())


def connectivity_sum(both: Pair, rule: ConnectivityRule) -> float:
    """Compute Σ |φ(p) − φ(g)| of a checked pair, by any rule."""
    lower = np.minimum(both.prediction, both.truth)
    if both.top:
        levels = _levels_of_codes(lower, both.top, rule.thresholds)
    else:
        slack = both.slack if rule.thresholds is None else 0.0
        levels = _levels_of_floats(lower, np.array(rule.thresholds or STEPS) - slack)
    runs = runs_of(levels)
    depth = depths(runs, levels.shape[1], rule.largest)
    places = runs.first, runs.start, depth
    if both.top:
        # in units of 1 / (20·top), where tenths, 0.15 and codes are all integers
        total = int(_sum_codes(both.prediction, both.truth, both.region, *places, both.top))
        return total / (2 * LEVELS * both.top)
    forgiven = SLACK_FREE - both.slack
    return float(_sum_floats(both.prediction, both.truth, both.region, *places, forgiven))


def _levels_of_codes(codes: Plane, top: int, thresholds: tuple[float, ...] | None) -> NDArray[np.uint8]:
    """Count the thresholds that each code reaches."""
    values = np.arange(top + 1)
    if thresholds is None:
        passed = [values * LEVELS >= top * i for i in range(1, LEVELS + 1)]
    else:
        passed = [values / top >= threshold for threshold in thresholds]
    table = np.array(passed).sum(axis=0, dtype=np.uint8)
    if codes.dtype == np.uint8:
        return np.asarray(cv2.LUT(codes, np.asarray(table)), dtype=np.uint8)
    return np.take(table, codes)


@numba.njit(cache=True)
def _levels_of_floats(values: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.uint8]:
    levels = np.zeros(values.shape, np.uint8)
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            value = values[y, x]
            passed = 0
            while passed < thresholds.size and value >= thresholds[passed]:
                passed += 1
            levels[y, x] = passed
    return levels


@numba.njit(cache=True)
def _sum_codes(
    prediction: Plane,
    truth: Plane,
    region: Region,
    first: NDArray[np.int32],
    start: NDArray[np.int32],
    depth: NDArray[np.uint8],
    top: int,
) -> np.int64:
    everywhere = region.size == 0
    width = prediction.shape[1]
    forgiven = np.int32(3 * top)
    total = np.int64(0)
    for y in range(first.size - 1):
        p, g = prediction[y], truth[y]
        for run in range(first[y], first[y + 1]):
            end = start[run + 1] if run + 1 < first[y + 1] else width
            connected = np.int32(2 * top) * np.int32(depth[run])
            for x in range(start[run], end):
                p_excess = np.int32(20) * np.int32(p[x]) - connected
                g_excess = np.int32(20) * np.int32(g[x]) - connected
                p_excess = p_excess if p_excess >= forgiven else np.int32(0)
                g_excess = g_excess if g_excess >= forgiven else np.int32(0)
                counts = everywhere or region[y, x]
                total += abs(p_excess - g_excess) * np.int64(counts)
    return total


@numba.njit(cache=True)
def _sum_floats(
    prediction: NDArray[np.float64],
    truth: NDArray[np.float64],
    region: Region,
    first: NDArray[np.int32],
    start: NDArray[np.int32],
    depth: NDArray[np.uint8],
    forgiven: float,
) -> float:
    everywhere = region.size == 0
    width = prediction.shape[1]
    total = 0.0
    for y in range(first.size - 1):
        row = 0.0
        for run in range(first[y], first[y + 1]):
            end = start[run + 1] if run + 1 < first[y + 1] else width
            connected = depth[run] / LEVELS
            for x in range(start[run], end):
                if everywhere or region[y, x]:
                    p_excess, g_excess = prediction[y, x] - connected, truth[y, x] - connected
                    p_excess = p_excess if p_excess >= forgiven else 0.0
                    g_excess = g_excess if g_excess >= forgiven else 0.0
                    row += abs(p_excess - g_excess)
        total += row
    return total
