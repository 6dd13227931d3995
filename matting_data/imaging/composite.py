"""image = alpha·F + (1 − alpha)·B, rounded exactly.

Public composition scripts truncate, which darkens every soft pixel by half a level on average. Here the result is
the mathematically nearest level, in integers, so it is the same on every machine.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.geometry import Placement, cut, is_enlarged
from matting_data.imaging.kernels.resample import cubic_window
from matting_data.imaging.kernels.row_spans import Rows, RowSpans, composite_row, find_spans, premultiply_rows


def premultiply(foreground: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> RowSpans:
    """Prepare a foreground (H×W×3 uint8 RGB) and its alpha (H×W uint8) for :func:`over`.

    Opaque colours are not copied: `foreground` must not change while the result is used.
    """
    # contiguous and writable, whatever comes: the kernels are compiled for one kind of array
    foreground, alpha = (np.require(plane, requirements=["C", "W"]) for plane in (foreground, alpha))
    spans = find_spans(alpha)
    mixed = spans[:, 3] - spans[:, 2] + spans[:, 1] - spans[:, 0]
    colour = np.empty(3 * int(mixed.sum()), np.uint16)
    transparency = np.empty(colour.shape, np.uint8)
    starts = premultiply_rows(alpha, foreground.reshape(len(spans), -1), spans, colour, transparency)
    return RowSpans(spans, foreground, starts, colour, transparency)


def over(foreground: RowSpans, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite in gamma-encoded space, in place.

    Parameters
    ----------
    foreground : RowSpans
        From :func:`premultiply`.
    background : ndarray
        H×W×3 uint8 RGB of the foreground's full size, C-contiguous; overwritten where the foreground covers it.

    Returns
    -------
    ndarray
        `background`, now ``round((alpha·F + (255 − alpha)·B) / 255)``; the quotient never falls on a half.
    """
    _over(foreground.rows, background.reshape(len(background), -1))
    return background


def over_window(foreground: RowSpans, background: NDArray[np.uint8], placement: Placement) -> NDArray[np.uint8]:
    """Composite over a background of any size as :func:`over` does over the window that is :func:`cut` from it.

    Parameters
    ----------
    foreground : RowSpans
        From :func:`premultiply`.
    background : ndarray
        h×w×3 uint8 RGB; it is not interpolated where the foreground hides it.
    placement : Placement
        How the background is enlarged and where it is cut.

    Returns
    -------
    ndarray
        The composite, H×W×3 uint8 of the foreground's size.
    """
    size = foreground.opaque.shape[1], foreground.opaque.shape[0]
    if not is_enlarged(background, placement):
        return over(foreground, cut(background, placement, size))
    enlarged, offset = (placement.width, placement.height), (placement.x, placement.y)
    return cubic_window(background, enlarged, offset, size, foreground)


def over_linear(
    foreground: NDArray[np.uint8], alpha: NDArray[np.uint8], background: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Composite in linear light (IEC 61966-2-1), in place.

    Parameters
    ----------
    foreground, background : ndarray
        H×W×3 uint8, sRGB-encoded; `background` is overwritten.
    alpha : ndarray
        H×W uint8.

    Returns
    -------
    ndarray
        `background`; opaque pixels are F and clear ones B to the bit, soft ones are mixed in float64.
    """
    solid = alpha == 255
    background[solid] = foreground[solid]
    soft = (alpha > 0) & ~solid
    weight = alpha[soft].astype(np.float64)[:, None] / 255
    mixed = weight * _TO_LINEAR[foreground[soft]] + (1 - weight) * _TO_LINEAR[background[soft]]
    background[soft] = np.floor(encode_srgb(mixed) * 255 + 0.5).astype(np.uint8)
    return background


def decode_srgb(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map sRGB-encoded values in [0, 1] to linear light in [0, 1] (IEC 61966-2-1)."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encode_srgb(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map linear light in [0, 1] to sRGB-encoded values in [0, 1] (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-12) ** (1 / 2.4) - 0.055)


_TO_LINEAR = decode_srgb(np.arange(256) / 255)


@numba.njit(cache=True)
def _over(foreground: Rows, background: NDArray[np.uint8]) -> None:
    for y in range(background.shape[0]):
        composite_row(foreground, y, background[y])
