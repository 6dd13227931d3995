"""The gradient error: how differently two mattes rise and fall.

Both mattes are smoothed and differentiated at once by derivatives of a Gaussian, and the lengths of the gradients are
compared. The 9×9 kernels of the reference are products of two one-dimensional ones, so each row is filtered along its
columns and then along itself, with its neighbours still in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, exp, log, pi, sqrt

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from matting_data.metrics.mattes import Pair, Plane, Region, pair

SIGMA = 1.4

Line = NDArray[np.float64]
"""Values along one row of pixels, or the taps of a kernel; with two dimensions, several rows."""


@dataclass(frozen=True)
class GradientFilter:
    """A separable derivative filter.

    Attributes
    ----------
    smooth, slope : tuple of float
        Taps at distances 0 to r: the even kernel across the derivative, the odd one along it (``slope[0]`` is 0).
    mirrored : bool
        Beyond the border, pixels are mirrored (``dcba|abcd``) instead of the last one repeated.
    """

    smooth: tuple[float, ...]
    slope: tuple[float, ...]
    mirrored: bool = False


@cache
def reference_filter(radius: int | None = None) -> GradientFilter:
    """Build the filter of the DIM evaluation code, σ = 1.4, of L2 norm 1 as a two-dimensional kernel.

    Parameters
    ----------
    radius : int, optional
        Half the kernel's side; by default where the Gaussian's density falls below 0.01, rounded up: 4.
    """
    if radius is None:
        radius = ceil(SIGMA * sqrt(-2 * log(sqrt(2 * pi) * SIGMA * 0.01)))
    smooth = [exp(-(x**2) / (2 * SIGMA**2)) for x in range(radius + 1)]
    slope = [x * value for x, value in enumerate(smooth)]
    # the norm of a product of kernels is the product of their norms
    return GradientFilter(_unit(smooth), _unit(slope))


@cache
def gaussian_filter() -> GradientFilter:
    """Build the filter of ``scipy.ndimage.gaussian_filter`` with sigma 1.4, order 1 along one axis and mode reflect.

    The Gaussian sums to 1 over 13 taps (four sigmas) and its derivative is that Gaussian times −x/σ²; nothing is
    normalised to length 1, which is why code built on it divides by 10 instead of 1000.
    """
    radius = int(4 * SIGMA + 0.5)
    density = [exp(-(x**2) / (2 * SIGMA**2)) for x in range(radius + 1)]
    total = density[0] + 2 * sum(density[1:])
    smooth = tuple(value / total for value in density)
    return GradientFilter(smooth, tuple(x / SIGMA**2 * value for x, value in enumerate(smooth)), mirrored=True)


def gradient(prediction: ArrayLike, truth: ArrayLike, region: ArrayLike | None = None, *, scaled: bool = True) -> float:
    """Gradient error, Σ (‖∇p‖ − ‖∇g‖)², unscaled.

    Parameters
    ----------
    prediction, truth : array_like
        H×W mattes: uint8, uint16, or floating point in [0, 1].
    region : array_like of bool, optional
        H×W; the pixels whose differences are summed (gradients always see their neighbours). All by default.
    scaled : bool
        First stretch each matte to [0, 1] by its own minimum and maximum, over the whole image, as the MATLAB
        reference does. Many ports leave it out; the two agree whenever both mattes reach 0 and 1.

    Returns
    -------
    float
        At least 0. A constant matte, an all-background truth for instance, has gradient 0 everywhere (its stretch is
        not defined and not needed), so the result is then Σ ‖∇p‖², which is 0 if the prediction is constant too.

    Raises
    ------
    UsageError
        For NaN, values outside [0, 1], unequal shapes, other types, and an empty region.

    Notes
    -----
    Rhemann et al., A perceptually motivated online benchmark for image matting, CVPR 2009; details as in the
    evaluation code of Deep Image Matting: σ = 1.4, 9×9 derivatives of a Gaussian, each divided by its L2 norm, the
    border pixel repeated. Papers print the result divided by 1000.
    """
    return gradient_sum(pair(prediction, truth, region), reference_filter(), scaled)


def gradient_sum(both: Pair, kernel: GradientFilter, scaled: bool) -> float:
    """Compute Σ (‖∇p‖ − ‖∇g‖)² of a checked pair, with any filter."""
    radius = len(kernel.slope) - 1
    rows, columns = (_beyond(length, radius, kernel.mirrored) for length in both.prediction.shape)
    stretches = tuple(_stretch(matte, both.top, scaled) for matte in (both.prediction, both.truth))
    taps = np.array(kernel.smooth), np.array(kernel.slope)
    return float(_difference(both.prediction, both.truth, both.region, taps, rows, columns, stretches))


def _unit(half: list[float]) -> tuple[float, ...]:
    """Scale one half of an even or odd kernel so that the whole has L2 norm 1."""
    norm = sqrt(half[0] ** 2 + 2 * sum(value**2 for value in half[1:]))
    return tuple(value / norm for value in half)


def _stretch(matte: Plane, top: int, scaled: bool) -> tuple[float, float]:
    """Compute what is subtracted from the matte's values, and what they are then divided by."""
    if scaled:
        low, high = float(matte.min()), float(matte.max())
        return low, high - low if high > low else 1.0
    return 0.0, float(top or 1)


def _beyond(length: int, radius: int, mirrored: bool) -> NDArray[np.int64]:
    """Look up which pixel stands at each of the places −radius to length + radius − 1."""
    place = np.arange(-radius, length + radius)
    if mirrored:
        place %= 2 * length
        return np.where(place < length, place, 2 * length - 1 - place)
    return np.clip(place, 0, length - 1)


@numba.njit(cache=True)
def _difference(
    prediction: Plane,
    truth: Plane,
    region: Region,
    taps: tuple[Line, Line],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    stretches: tuple[tuple[float, float], ...],
) -> float:
    height, width = prediction.shape
    side = 2 * taps[1].size - 1
    p_stretch, g_stretch = stretches
    everywhere = region.size == 0
    p_rows, g_rows = np.empty((side, width)), np.empty((side, width))
    work = np.empty(columns.size), np.empty(columns.size), np.empty(width)
    p_length, g_length = np.empty(width), np.empty(width)
    for row in range(side - 1):
        _widen(prediction[rows[row]], p_stretch, p_rows[row])
        _widen(truth[rows[row]], g_stretch, g_rows[row])
    total = 0.0
    for y in range(height):
        last = y + side - 1
        _widen(prediction[rows[last]], p_stretch, p_rows[last % side])
        _widen(truth[rows[last]], g_stretch, g_rows[last % side])
        _lengths(p_rows, y, taps, columns, work, p_length)
        _lengths(g_rows, y, taps, columns, work, g_length)
        line = 0.0
        for x in range(width):
            if everywhere or region[y, x]:
                difference = p_length[x] - g_length[x]
                line += difference * difference
        total += line
    return total


@numba.njit(cache=True)
def _lengths(
    rows: Line,
    top: int,
    taps: tuple[Line, Line],
    columns: NDArray[np.int64],
    work: tuple[Line, Line, Line],
    length: Line,
) -> None:
    """Write one row of gradient lengths; `rows` is a ring that holds row `top` + k at place (`top` + k) % side."""
    (smooth, slope), (across, along, scratch) = taps, work
    radius, side, width = slope.size - 1, rows.shape[0], length.size
    inner_across, inner_along = across[radius : radius + width], along[radius : radius + width]
    _mix(rows[(top + radius) % side], smooth[0], inner_across, inner_along)
    for k in range(1, radius + 1):
        # pairs at equal distance: a flat neighbourhood cancels to an exact zero
        above, below = rows[(top + radius - k) % side], rows[(top + radius + k) % side]
        _add_pairs(above, below, smooth[k], slope[k], inner_across, inner_along)
    for x in range(radius):
        for mixed in (across, along):
            mixed[x] = mixed[radius + columns[x]]
            mixed[radius + width + x] = mixed[radius + columns[radius + width + x]]
    for x in range(width):
        length[x] = 0.0
        scratch[x] = smooth[0] * inner_along[x]
    for k in range(1, radius + 1):
        left, right = radius - k, radius + k
        _add_differences(across[left : left + width], across[right : right + width], slope[k], length)
        _add_sums(along[left : left + width], along[right : right + width], smooth[k], scratch)
    for x in range(width):
        length[x] = np.sqrt(length[x] * length[x] + scratch[x] * scratch[x])


@numba.njit(cache=True)
def _widen(source: Line, stretch: tuple[float, float], target: Line) -> None:
    # stretched before it is filtered: a matte of hardly any contrast would drown in its own offset
    for x in range(target.size):
        target[x] = (source[x] - stretch[0]) / stretch[1]


@numba.njit(cache=True)
def _mix(centre: Line, smooth: float, across: Line, along: Line) -> None:
    for x in range(across.size):
        across[x] = smooth * centre[x]
        along[x] = 0.0


@numba.njit(cache=True)
def _add_pairs(above: Line, below: Line, smooth: float, slope: float, across: Line, along: Line) -> None:
    for x in range(across.size):
        across[x] += smooth * (above[x] + below[x])
        along[x] += slope * (below[x] - above[x])


@numba.njit(cache=True)
def _add_sums(one: Line, other: Line, factor: float, target: Line) -> None:
    for x in range(target.size):
        target[x] += factor * (one[x] + other[x])


@numba.njit(cache=True)
def _add_differences(one: Line, other: Line, factor: float, target: Line) -> None:
    for x in range(target.size):
        target[x] += factor * (other[x] - one[x])
