"""What a metric accepts as a matte, a region and a trimap, and the one place where anything else is refused.

Integer mattes keep their codes, so that sums and thresholds on them are exact; everything else becomes float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from matting_data.errors import UsageError

Plane = NDArray[Any]
"""H×W uint8, uint16 or float64."""

Region = NDArray[np.bool_]

FLOAT_SLACK = 1e-9
"""How far a float64 value may lie below a threshold and still reach it; coarser floats get half their own epsilon."""

UNKNOWN = 128

_SMALLEST_RANGE = 2
"""The largest value from which a float matte is taken for codes of 8 or 16 bits; resampling overshoots by less."""


@dataclass(frozen=True)
class Pair:
    """A prediction and a truth on one scale.

    Attributes
    ----------
    prediction, truth : ndarray
        H×W, C-contiguous; both uint8 or both uint16 (codes), or both float64 in [0, 1].
    top : int
        The code of 1.0: 255 or 65535; 0 for float64.
    slack : float
        For comparing float64 values with thresholds; 0 for codes.
    region : ndarray
        H×W bool, or 0×0 when every pixel counts.
    pixels : int
        Number of pixels that count, at least 1.
    """

    prediction: Plane
    truth: Plane
    top: int
    slack: float
    region: Region
    pixels: int


def pair(prediction: ArrayLike, truth: ArrayLike, region: ArrayLike | None = None) -> Pair:
    """Check a prediction, a truth and a region, and bring both mattes to one scale.

    Parameters
    ----------
    prediction, truth : array_like
        H×W; uint8 (0 to 255), uint16 (0 to 65535) or floating point in [0, 1]; the two may differ in type.
    region : array_like of bool, optional
        H×W; True where pixels count. Everywhere by default.

    Raises
    ------
    UsageError
        Another number of dimensions, unequal shapes, no pixels, another type, NaN or infinity, values outside
        [0, 1], or a region that is no bool array or is empty.
    """
    p, g = _matte(prediction, "prediction"), _matte(truth, "truth")
    if p.shape != g.shape:
        raise UsageError(
            f"the prediction is {size_text(p)} and the truth {size_text(g)}: resize it to the truth's size first"
        )
    chosen, pixels = _region(region, p)
    slack = max(_slack(p), _slack(g))
    if slack == 0:
        if p.dtype != g.dtype:  # 65535 = 257 * 255: no rounding
            p, g = (a.astype(np.uint16) * np.uint16(257) if a.dtype == np.uint8 else a for a in (p, g))
        return Pair(p, g, int(np.iinfo(p.dtype).max), 0.0, chosen, pixels)
    return Pair(_as_float(p), _as_float(g), 0, slack, chosen, pixels)


def unknown(trimap: ArrayLike) -> Region:
    """Mark the unknown pixels of a trimap.

    Parameters
    ----------
    trimap : array_like
        H×W uint8 of 0, 128 and 255.

    Returns
    -------
    ndarray
        H×W bool; may be all False.

    Raises
    ------
    UsageError
        Another type or shape, or values that are neither.
    """
    array = np.asarray(trimap)
    if array.dtype != np.uint8 or array.ndim != 2:
        raise UsageError(f"the trimap is {array.ndim}-dimensional {array.dtype}: pass H×W uint8 of 0, 128 and 255")
    region: Region = array == UNKNOWN
    others = array[~region]
    strange = others[(others != 0) & (others != 255)]
    if strange.size:
        raise UsageError(
            f"the trimap holds the value {strange[0]}: map its unknown pixels to 128, known ones to 0 and 255"
        )
    return region


def compose(prediction: ArrayLike, trimap: ArrayLike) -> NDArray[Any]:
    """Set a prediction to 0 and 1 at the trimap's known pixels, as trimap-based methods deliver it.

    Parameters
    ----------
    prediction : array_like
        H×W matte as for :func:`pair`.
    trimap : array_like
        H×W uint8 of 0, 128 and 255.
    """
    matte, known = _matte(prediction, "prediction"), ~unknown(trimap)
    array = np.asarray(trimap)
    if array.shape != matte.shape:
        raise UsageError(
            f"the trimap is {size_text(array)} and the prediction {size_text(matte)}: they must have one size"
        )
    top = np.iinfo(matte.dtype).max if matte.dtype.kind == "u" else 1
    result = matte.copy()
    result[known] = (array[known] // 255).astype(matte.dtype) * matte.dtype.type(top)
    return result


def _matte(value: ArrayLike, name: str) -> NDArray[Any]:
    array = np.asarray(value)
    if array.ndim != 2:
        raise UsageError(f"the {name} has shape {array.shape}: pass one H×W plane")
    if array.size == 0:
        raise UsageError(f"the {name} has shape {array.shape} and no pixels: pass at least one")
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))  # files often hold the other order
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise UsageError(f"the {name} has type {array.dtype}: pass uint8, uint16, or float16 to float64 in [0, 1]")
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    low, high = _extremes(array) if array.dtype != np.float16 else _extremes(array.astype(np.float32))
    if not (low >= 0 and high <= 1):  # NaN fails too
        raise UsageError(f"the {name} holds {_outside(low, high)}")
    return array


def _outside(low: float, high: float) -> str:
    """Say which value lies outside [0, 1], and what to do about a range like that."""
    if np.isnan(low):
        return "NaN, outside [0, 1]: find out where it comes from"
    found = repr(float(low if low < 0 else high)).removesuffix(".0")
    if low >= 0 and _SMALLEST_RANGE <= high <= 65535:
        return f"{found}, outside [0, 1]: divide by {255 if high <= 255 else 65535}"
    if np.isinf(low) or np.isinf(high):
        return f"{found}, outside [0, 1]: find out where it comes from"
    return f"{found}, outside [0, 1]: clip it, or find out where it comes from"


def _region(region: ArrayLike | None, matte: NDArray[Any]) -> tuple[Region, int]:
    if region is None:
        return np.zeros((0, 0), np.bool_), matte.size
    array = np.asarray(region)
    if array.dtype != np.bool_:
        raise UsageError(f"the region has type {array.dtype}: pass a bool array, for a trimap unknown(trimap)")
    if array.shape != matte.shape:
        raise UsageError(f"the region has shape {array.shape} and the mattes {matte.shape}: they must be equal")
    pixels = int(np.count_nonzero(array))
    if not pixels:
        raise UsageError(
            "the region is empty: no pixel is left to score; leave this image out or score the whole image"
        )
    return np.ascontiguousarray(array), pixels


def _slack(matte: NDArray[Any]) -> float:
    return 0.0 if matte.dtype.kind == "u" else max(FLOAT_SLACK, float(np.finfo(matte.dtype).eps) / 2)


def _as_float(matte: NDArray[Any]) -> NDArray[np.float64]:
    if matte.dtype.kind == "u":
        return matte / np.float64(np.iinfo(matte.dtype).max)
    return np.ascontiguousarray(matte, dtype=np.float64)


def size_text(matte: NDArray[Any]) -> str:
    """Write an array's size as people do, width first."""
    return f"{matte.shape[1]}×{matte.shape[0]}"


@numba.njit(cache=True)
def _extremes(matte: NDArray[np.float64]) -> tuple[float, float]:
    """Find the smallest and largest value; (NaN, NaN) when there is any NaN."""
    low, high = matte[0, 0], matte[0, 0]
    unordered = False
    for y in range(matte.shape[0]):
        line = matte[y]
        for x in range(line.size):
            value = line[x]
            unordered |= value != value
            low = min(low, value)
            high = max(high, value)
    if unordered:
        return np.nan, np.nan
    return float(low), float(high)
