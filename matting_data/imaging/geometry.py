"""Where a background lies behind a foreground, and the pixels of it that are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.kernels.resample import cubic_window

Crop = Literal["top_left", "center", "random"]


@dataclass(frozen=True)
class Box:
    """Half-open pixel rectangle ``[x0, x1) × [y0, y1)``."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.y1 - self.y0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices that cut the box out of an array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True)
class Placement:
    """How a background is enlarged and where it is cropped.

    Attributes
    ----------
    width, height : int
        Size of the background after enlarging; its own size when it was large enough.
    x, y : int
        Top left corner of the crop in the enlarged background.
    """

    width: int
    height: int
    x: int
    y: int


def place(
    foreground: tuple[int, int],
    background: tuple[int, int],
    crop: Crop = "top_left",
    at: tuple[float, float] = (0.0, 0.0),
) -> Placement:
    """Place a background behind a foreground by the rule of Deep Image Matting's composition script.

    The background is enlarged, keeping its aspect ratio, only when a side is shorter than the foreground's, by the
    larger of the two ratios, to ``ceil`` of the exact rational size. (The published script computes the sizes in
    floating point and is one pixel larger where ``b * (f / b)`` rounds up.) A larger background is never shrunk.

    Parameters
    ----------
    foreground, background : (int, int)
        Width and height in pixels.
    crop : {"top_left", "center", "random"}
        Where the foreground's window lies; DIM takes the top left corner.
    at : (float, float)
        For ``random``: two numbers in [0, 1) that choose the window.
    """
    (fw, fh), (bw, bh) = foreground, background
    width, height = bw, bh
    if fw > bw or fh > bh:
        if fw * bh >= fh * bw:  # fw / bw is the larger ratio
            width, height = fw, -(-bh * fw // bw)
        else:
            width, height = -(-bw * fh // bh), fh
    free_x, free_y = width - fw, height - fh
    if crop == "center":
        x, y = free_x // 2, free_y // 2
    elif crop == "random":
        x, y = int(at[0] * (free_x + 1)), int(at[1] * (free_y + 1))
    else:
        x, y = 0, 0
    return Placement(width, height, x, y)


def cut(background: NDArray[np.uint8], placement: Placement, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut out the window of the enlarged background that the foreground covers.

    Only the window's pixels are computed, see :mod:`matting_data.imaging.kernels.resample`.

    Parameters
    ----------
    background : ndarray
        H×W×3 uint8.
    placement : Placement
        From :func:`place` for this background's size.
    size : (int, int)
        Width and height of the window.

    Returns
    -------
    ndarray
        height×width×3 uint8; a copy, free to be written to.
    """
    width, height = size
    if not is_enlarged(background, placement):
        return background[placement.y : placement.y + height, placement.x : placement.x + width].copy()
    return cubic_window(background, (placement.width, placement.height), (placement.x, placement.y), size)


def is_enlarged(background: NDArray[np.uint8], placement: Placement) -> bool:
    """Tell whether `background` (H×W×3 uint8) is smaller than `placement` makes it."""
    return (placement.height, placement.width) != background.shape[:2]


def bounding_box(mask: NDArray[np.bool_] | NDArray[np.uint8]) -> Box:
    """Find the smallest box around the non-zero pixels of an H×W mask; an empty box when there are none."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return Box(x, y, x + width, y + height)
