"""Trimaps: 255 where surely person, 0 where surely not, 128 between.

All kinds share one definition: a pixel is known background when nothing of the person (alpha > 0) lies within the
dilation element around it, known foreground when all within the erosion element is opaque (alpha = 255). A trimap
therefore never contradicts its alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.encode import matte_png
from matting_data.imaging.geometry import bounding_box
from matting_data.imaging.kernels import bitmask
from matting_data.imaging.kernels.trimap_png import trimap_png

Element = Literal["ellipse", "disc"]


@dataclass(frozen=True)
class Radii:
    """The two elements of one trimap.

    Attributes
    ----------
    element : {"ellipse", "disc"}
        ``ellipse``: OpenCV's ``MORPH_ELLIPSE`` kernel, sizes are kernel sides k (what DIM-style code draws; even
        ones are asymmetric by half a pixel in OpenCV). ``disc``: a Euclidean disc, sizes are radii in pixels.
    dilate, erode : int
        Sizes for the person's outside and inside.
    """

    element: Element
    dilate: int
    erode: int


def dim_radii(kernel: tuple[int, int], rng: np.random.Generator) -> Radii:
    """Draw both kernel sides from [low, high), separately, as the DIM re-implementations do."""
    low, high = kernel
    return Radii("ellipse", int(rng.integers(low, high)), int(rng.integers(low, high)))


def fixed_radii(kernel: int) -> Radii:
    """The same ellipse for both sides, for test sets."""
    return Radii("ellipse", kernel, kernel)


def adaptive_radii(rate: tuple[float, float], extent: float, rng: np.random.Generator) -> Radii:
    """Draw both radii as shares of the person's size.

    The paper blames trimap parameters that do not follow the size of the person; a share of its extent gives a
    distant figure a thin band and a close-up a wide one.

    Parameters
    ----------
    rate : (float, float)
        Smallest and largest radius as a share of `extent`.
    extent : float
        From :func:`person_extent`, in pixels.
    """
    dilate, erode = (max(1, round(float(rng.uniform(*rate)) * extent)) for _ in range(2))
    return Radii("disc", dilate, erode)


def person_extent(alpha: NDArray[np.uint8]) -> float:
    """Geometric mean of the sides of the box around alpha ≥ 128 (H×W uint8), in pixels."""
    box = bounding_box(alpha >= 128)
    return float(np.sqrt(box.width * box.height))


class Trimapper:
    """Trimaps of one alpha; what several of them share is computed once.

    Parameters
    ----------
    alpha : ndarray
        H×W uint8.
    """

    def __init__(self, alpha: NDArray[np.uint8]) -> None:
        self._touched = (alpha > 0).view(np.uint8)
        self._solid = (alpha == 255).view(np.uint8)
        width = alpha.shape[1]
        self._outside = bitmask.pack(self._touched)
        self._inside = bitmask.inverted(bitmask.pack(self._solid), width)
        self._ellipses: dict[tuple[bool, int], NDArray[np.uint64]] = {}

    def draw(self, radii: Radii) -> NDArray[np.uint8]:
        """Draw the trimap for `radii`: H×W uint8 in {0, 128, 255}."""
        if radii.element == "ellipse":
            return bitmask.paint(*self._ellipses_of(radii), self._touched.shape[1])
        trimap = np.full(self._touched.shape, 128, np.uint8)
        trimap[self._distance_outside > _between(radii.dilate)] = 0
        trimap[self._distance_inside > _between(radii.erode)] = 255
        return trimap

    def png(self, radii: Radii) -> bytes:
        """Encode the trimap for `radii` as a lossless PNG."""
        if radii.element == "ellipse":
            return trimap_png(*self._ellipses_of(radii), self._touched.shape[1])
        return matte_png(self.draw(radii))

    def _ellipses_of(self, radii: Radii) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Compute the packed masks of all that is reached, and of what lies inside; the second inside the first."""
        return self._ellipse(True, radii.dilate), self._ellipse(False, radii.erode)

    def _ellipse(self, outside: bool, side: int) -> NDArray[np.uint64]:
        key = (outside, side)
        if key not in self._ellipses:
            spans = _ellipse_spans(side)
            self._ellipses[key] = (
                bitmask.dilate(self._outside, spans) if outside else ~bitmask.dilate(self._inside, spans)
            )
        return self._ellipses[key]

    @cached_property
    def _distance_outside(self) -> NDArray[np.float32]:
        return _distance(1 - self._touched)

    @cached_property
    def _distance_inside(self) -> NDArray[np.float32]:
        # the frame is no edge: a person cut off by it is solid up to it
        if self._solid.all():
            return np.full(self._solid.shape, np.inf, np.float32)
        return _distance(self._solid)


@lru_cache(maxsize=512)
def _ellipse_spans(side: int) -> NDArray[np.int64]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return bitmask.kernel_spans(np.asarray(kernel, dtype=np.uint8))


def _between(radius: int) -> float:
    """A threshold half-way between the squared distances radius² and radius² + 1.

    Squared distances are integers, so this one is exact whatever the last digits of the transform.
    """
    return float(np.sqrt(radius * radius + 0.5))


def _distance(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Euclidean distance of each non-zero pixel to the nearest zero, in pixels."""
    return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), dtype=np.float32)
