"""What is odd about a matte and yet usable. Pure: colours and alpha in, codes of warnings out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.colour import soft_pixels
from matting_data.records.codes import Warned

_BINARY_SOFT_SHARE = 0.05
"""Soft pixels over the length of the person's outline; hand-made and predicted mattes have 1 and more."""

_NEAR = 8
"""Levels next to 0 and to 255 that compression as JPEG makes of them."""

_REACH = 2
"""Pixels from an edge within which such levels are its own ends."""

_NOISE_ON_BOTH_SIDES = 0.1
"""Nearly clear, and as many nearly opaque pixels beyond that reach, over the length of the outline.

Of 72 clean mattes of cut-outs and rendered people none has more than 0.01, kept as JPEG of quality 75 to 95 none less
than 0.15.
"""

_UNSOLID = 4.0
"""The same for both together: whole areas that are not quite 0 or 255."""

_MULTIPLIED = 2
"""Levels by which resizing and compression let colours exceed their alpha."""


def matte_warnings(image: NDArray[np.uint8], alpha: NDArray[np.uint8], is_cutout: bool) -> list[Warned]:
    """List what is odd about a foreground.

    Parameters
    ----------
    image, alpha : ndarray
        H×W×3 and H×W uint8, before colours are estimated.
    is_cutout : bool
        The alpha is the image's own: only then can its colours be multiplied by it.
    """
    found: list[Warned] = []
    if is_binary(alpha):
        found.append("alpha_binary")
    if is_noisy(alpha):
        found.append("alpha_noise")
    if is_cutout and is_premultiplied(image, alpha):
        found.append("premultiplied")
    return found


def is_binary(alpha: NDArray[np.uint8]) -> bool:
    """Tell whether a matte is a mere mask: next to no soft pixels along the person's outline."""
    soft = int(((alpha > _NEAR) & (alpha < 255 - _NEAR)).sum())
    return soft < _BINARY_SOFT_SHARE * _outline(alpha)


def is_noisy(alpha: NDArray[np.uint8]) -> bool:
    """Tell whether levels next to 0 and 255 lie away from every edge.

    JPEG scatters them over the blocks of 8×8 pixels that an edge crosses; solid parts of 250 to 254 are full of them.
    """
    between = (alpha > _NEAR) & (alpha < 255 - _NEAR)
    border = cv2.morphologyEx((alpha >= 128).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    reach = np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)
    apart = soft_pixels(alpha) & (cv2.dilate((between | border).astype(np.uint8), reach) == 0)
    clear = int((apart & (alpha < 128)).sum())
    opaque = int(apart.sum()) - clear
    outline = _outline(alpha)
    return min(clear, opaque) > _NOISE_ON_BOTH_SIDES * outline or clear + opaque > _UNSOLID * outline


def is_premultiplied(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> bool:
    """Tell whether the colours of a cut-out are multiplied by alpha already: at soft pixels none exceeds its alpha.

    Black people look the same either way, so some opaque pixel must be brighter than the darkest soft ones.
    """
    soft = soft_pixels(alpha)
    levels, brightest = alpha[soft].astype(np.int16), image[soft].max(axis=1, initial=0).astype(np.int16)
    if levels.size < 16 or int(levels.min()) > 200:
        return False
    opaque = image[alpha == 255]
    if opaque.size and int(np.percentile(opaque.max(axis=1), 50)) <= int(np.percentile(levels, 10)):
        return False
    return float(np.mean(brightest <= levels + _MULTIPLIED)) >= 0.995


def _outline(alpha: NDArray[np.uint8]) -> int:
    """Count the steps between neighbours on either side of level 128."""
    solid = (alpha >= 128).astype(np.int8)
    return int(np.abs(np.diff(solid, axis=0)).sum() + np.abs(np.diff(solid, axis=1)).sum())
