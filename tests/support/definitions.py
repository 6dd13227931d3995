"""The metrics straight from their definitions: slow, in float64 and exact fractions, sharing no code with ours."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FLOAT_SLACK = 1e-9


def as_float(matte: NDArray) -> NDArray:
    return matte.astype(np.float64) / {np.uint8: 255, np.uint16: 65535}.get(matte.dtype.type, 1)


def reaches(matte: NDArray, tenths: int) -> NDArray:
    """α ≥ tenths / 10, in integers where the matte is one."""
    if matte.dtype.kind == "u":
        return matte.astype(np.int64) * 10 >= np.iinfo(matte.dtype).max * tenths
    return matte.astype(np.float64) >= tenths / 10 - max(FLOAT_SLACK, float(np.finfo(matte.dtype).eps) / 2)


def mse(p: NDArray, g: NDArray, region: NDArray | None = None) -> float:
    squares = (as_float(p) - as_float(g)) ** 2
    return float(squares.mean() if region is None else squares[region].mean())


def sad(p: NDArray, g: NDArray, region: NDArray | None = None) -> float:
    differences = np.abs(as_float(p) - as_float(g))
    return float(differences.sum() if region is None else differences[region].sum())


def kernel(half: int = 4, sigma: float = 1.4) -> NDArray:
    """Gauss down the rows times its derivative along the columns, divided by the L2 norm."""
    density = lambda x: np.exp(-(x**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))  # noqa: E731
    h = np.array(
        [[density(u) * (-v * density(v) / sigma**2) for v in range(-half, half + 1)] for u in range(-half, half + 1)]
    )
    return h / np.sqrt((h**2).sum())


def amplitude(matte: NDArray, half: int = 4) -> NDArray:
    h = kernel(half)
    x = ndimage.convolve(matte, h, mode="nearest")
    y = ndimage.convolve(matte, h.T, mode="nearest")
    return np.sqrt(x**2 + y**2)


def stretched(matte: NDArray) -> NDArray:
    values = as_float(matte)
    low, high = values.min(), values.max()
    return values * 0 if low == high else (values - low) / (high - low)


def gradient(p: NDArray, g: NDArray, region: NDArray | None = None, scaled: bool = True, half: int = 4) -> float:
    p, g = (stretched(m) if scaled else as_float(m) for m in (p, g))
    difference = (amplitude(p, half) - amplitude(g, half)) ** 2
    return float(difference.sum() if region is None else difference[region].sum())


def largest(mask: NDArray, by_column: bool = True) -> NDArray:
    """The largest 4-connected component, by flood filling; of equals, the one met first."""
    mask = mask.T if by_column else mask
    seen = np.zeros(mask.shape, bool)
    best: list[Any] = []
    for start in zip(*np.nonzero(mask), strict=True):
        if seen[start]:
            continue
        found, stack = [], [start]
        seen[start] = True
        while stack:
            y, x = stack.pop()
            found.append((y, x))
            for there in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= there[0] < mask.shape[0] and 0 <= there[1] < mask.shape[1] and mask[there] and not seen[there]:
                    seen[there] = True
                    stack.append(there)
        if len(found) > len(best):
            best = found
    omega = np.zeros(mask.shape, bool)
    for there in best:
        omega[there] = True
    return omega.T if by_column else omega


def level_map(p: NDArray, g: NDArray, by_column: bool = True) -> NDArray:
    """Tenths up to which each pixel is connected."""
    tenths = np.full(p.shape, -1)
    for i in range(1, 11):
        omega = largest(reaches(p, i) & reaches(g, i), by_column)
        tenths[(tenths < 0) & ~omega] = i - 1
    tenths[tenths < 0] = 10
    return tenths


def connectivity(p: NDArray, g: NDArray, region: NDArray | None = None, by_column: bool = True) -> float:
    tenths = level_map(p, g, by_column)
    error = np.abs(phi(p, tenths) - phi(g, tenths))
    return float(error.sum() if region is None else error[region].sum())


def phi(matte: NDArray, tenths: NDArray) -> NDArray:
    if matte.dtype.kind == "u":
        top = int(np.iinfo(matte.dtype).max)
        exact = [
            [float(1 - (d if (d := Fraction(int(c), top) - Fraction(int(t), 10)) >= Fraction(15, 100) else 0))
             for c, t in zip(row, steps, strict=True)]
            for row, steps in zip(matte, tenths, strict=True)
        ]  # fmt: skip
        return np.array(exact)
    levels = matte.astype(np.float64) - tenths / 10
    return 1 - levels * (levels >= 0.15 - max(FLOAT_SLACK, float(np.finfo(matte.dtype).eps) / 2))
