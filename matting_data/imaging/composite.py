"""image = alpha·F + (1 − alpha)·B, rounded exactly.

Public composition scripts truncate, which darkens every soft pixel by half a level on average. Here the result is
the mathematically nearest level, in integers, so it is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.geometry import Box, bounding_box


@dataclass(frozen=True)
class Premultiplied:
    """A foreground made ready for many composites; all arrays cover `box` only.

    Attributes
    ----------
    box : Box
        Bounding box of alpha > 0 in the full frame.
    size : (int, int)
        Width and height of the full frame.
    colour : ndarray
        alpha·F, h×3w uint16 in [0, 65025].
    transparency : ndarray
        255 − alpha repeated for each channel, h×3w uint8.
    """

    box: Box
    size: tuple[int, int]
    colour: NDArray[np.uint16]
    transparency: NDArray[np.uint8]


def premultiply(foreground: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> Premultiplied:
    """Prepare a foreground (H×W×3 uint8 RGB) and its alpha (H×W uint8) for :func:`over`."""
    box = bounding_box(alpha)
    height, width = alpha.shape
    weight = np.repeat(alpha[box.slices], 3, axis=1)
    colour = weight.astype(np.uint16) * np.ascontiguousarray(foreground[box.slices]).reshape(weight.shape)
    return Premultiplied(box, (width, height), colour, ~weight)


def over(foreground: Premultiplied, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite in gamma-encoded space, in place.

    Parameters
    ----------
    foreground : Premultiplied
        From :func:`premultiply`.
    background : ndarray
        H×W×3 uint8 RGB of the foreground's full size, C-contiguous; overwritten inside the foreground's box.

    Returns
    -------
    ndarray
        `background`, now ``round((alpha·F + (255 − alpha)·B) / 255)``; the quotient never falls on a half.
    """
    box = foreground.box
    if box.width:
        row = slice(3 * box.x0, 3 * box.x1)
        window = background.reshape(len(background), -1)[box.y0 : box.y1, row]
        _blend(foreground.colour, foreground.transparency, window)
    return background


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
def _blend(colour: NDArray[np.uint16], transparency: NDArray[np.uint8], background: NDArray[np.uint8]) -> None:
    """Mix rows in place; (v + (v >> 8)) >> 8 with v = x + 128 is round(x / 255) for every x up to 65025."""
    for y in range(background.shape[0]):
        c, t, b = colour[y], transparency[y], background[y]
        for x in range(b.size):
            v = np.uint16(np.uint16(t[x]) * np.uint16(b[x]) + c[x] + np.uint16(128))
            b[x] = np.uint8(np.uint16(v + (v >> np.uint16(8))) >> np.uint16(8))
