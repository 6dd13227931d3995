"""At what sizes a detector looks at an image: pure functions on sizes, and the one resize they are used with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
"""Height and width in pixels, both at least 1."""


def reduced_size(size: Size, long_side: int) -> Size:
    """Scale `size` down so that its long side is at most `long_side`; leave smaller sizes as they are.

    Parameters
    ----------
    size : (h, w)
    long_side : int
        At least 1.

    Returns
    -------
    (h, w)
        At least 1x1, the aspect ratio kept to the nearest pixel.
    """
    scale = long_side / max(size)
    return size if scale >= 1.0 else _scaled(size, scale)


def covering_size(size: Size, short_side: int, max_aspect: float) -> Size:
    """Scale `size` up or down so that its short side becomes `short_side`.

    Parameters
    ----------
    size : (h, w)
    short_side : int
        At least 1.
    max_aspect : float
        A long side of more than this many short sides is squeezed to it, so that a panorama or a line of pixels
        cannot ask for unbounded memory; at least 1.

    Returns
    -------
    (h, w)
        ``min(h, w) == short_side`` and ``max(h, w) <= round(max_aspect * short_side)``.
    """
    height, width = _scaled(size, short_side / min(size))
    limit = round(max_aspect * short_side)
    return min(height, limit), min(width, limit)


def letterbox_placement(size: Size, side: int) -> tuple[int, int, int, int]:
    """Compute where an image lies, centred and whole, in a square.

    Parameters
    ----------
    size : (h, w)
    side : int
        Side of the square in pixels, at least 1.

    Returns
    -------
    top, left, height, width : int
        ``0 <= top``, ``top + height <= side`` and the same across; the long side fills the square.
    """
    height, width = _scaled(size, side / max(size))
    return (side - height) // 2, (side - width) // 2, height, width


def resized(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Resize by area averaging when the width shrinks, bilinearly otherwise.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 3)
    size : (h, w)

    Returns
    -------
    ndarray of uint8, shape (size[0], size[1], 3)

    Notes
    -----
    Bilinear shrinking aliases: on the labelled photographs it cost one to two points of recall.
    """
    if image.shape[:2] == size:
        return image
    shrinks = size[1] < image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=how), np.uint8)


def signed_unit(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Make a batch of one for the networks: float32 ``(1, h, w, 3)`` in [-1, 1]."""
    return image[np.newaxis].astype(np.float32) * np.float32(2.0 / 255.0) - np.float32(1.0)


def _scaled(size: Size, scale: float) -> Size:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
