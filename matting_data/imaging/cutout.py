"""What a matte is for: the person alone, or before another background."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.colour import estimate_soft_colours, with_soft_colours
from matting_data.imaging.compose import Composer
from matting_data.imaging.geometry import place


def cut_out(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut a person out of an image, with straight alpha.

    Soft pixels get the person's own colour, clear ones none at all.

    Parameters
    ----------
    image : ndarray
        H×W×3 uint8 RGB.
    alpha : ndarray
        H×W uint8.

    Returns
    -------
    ndarray
        H×W×4 uint8.
    """
    colours = _own_colours(image, alpha)
    colours[alpha == 0] = 0
    return np.dstack([colours, alpha])


def put_before(image: NDArray[np.uint8], alpha: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite a person over another background, H×W×3 uint8.

    The background (h×w×3 uint8) is scaled to just cover the image, and its middle is taken.
    """
    height, width = alpha.shape
    scale = max(height / background.shape[0], width / background.shape[1])
    if scale < 1:
        size = (math.ceil(background.shape[1] * scale), math.ceil(background.shape[0] * scale))
        background = np.asarray(cv2.resize(background, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    placement = place((width, height), (background.shape[1], background.shape[0]), "center")
    return Composer(_own_colours(image, alpha), alpha, "gamma").over(background, placement)


def _own_colours(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return with_soft_colours(np.ascontiguousarray(image).copy(), alpha, estimate_soft_colours(image, alpha))
