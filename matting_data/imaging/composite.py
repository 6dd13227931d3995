"""image = alpha·F + (1 − alpha)·B, rounded exactly.

Public composition scripts truncate, which darkens every soft pixel by half a level on average. Here the result is
the mathematically nearest level, in integers, so it is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.geometry import Box, bounding_box

Blend = Literal["gamma", "linear"]


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
        alpha·F, h×w×3 uint16 in [0, 65025].
    transparency : ndarray
        255 − alpha repeated for each channel, h×w×3 uint8.
    """

    box: Box
    size: tuple[int, int]
    colour: NDArray[np.uint16]
    transparency: NDArray[np.uint8]


def premultiply(foreground: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> Premultiplied:
    """Prepare a foreground (H×W×3 uint8 RGB) and its alpha (H×W uint8) for :func:`over`."""
    box = bounding_box(alpha)
    height, width = alpha.shape
    if box.width == 0:  # OpenCV refuses empty arrays
        return Premultiplied(box, (width, height), np.zeros((0, 0, 3), np.uint16), np.zeros((0, 0, 3), np.uint8))
    window = alpha[box.slices]
    three = cv2.merge([window, window, window])
    colour = cv2.multiply(np.ascontiguousarray(foreground[box.slices]), three, dtype=cv2.CV_16U)
    return Premultiplied(box, (width, height), colour, cv2.bitwise_not(three))  # type: ignore[arg-type]


def over(foreground: Premultiplied, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite in gamma-encoded space, in place.

    Parameters
    ----------
    foreground : Premultiplied
        From :func:`premultiply`.
    background : ndarray
        H×W×3 uint8 RGB of the foreground's full size; overwritten inside the foreground's box.

    Returns
    -------
    ndarray
        `background`, now ``round((alpha·F + (255 − alpha)·B) / 255)``. The quotient never falls on a half, and
        float32 holds it to 2e-5 of a level, so the rounding is exact.
    """
    if foreground.box.width == 0:
        return background
    window = background[foreground.box.slices]
    mixed = cv2.multiply(window, foreground.transparency, dtype=cv2.CV_16U)
    cv2.add(mixed, foreground.colour, dst=mixed)
    cv2.convertScaleAbs(mixed, dst=window, alpha=1 / 255)
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
