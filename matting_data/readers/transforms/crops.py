"""Crops, flips and sizes: what moves pixels, alike for the image, its alpha, its trimap and its layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.errors import UsageError
from matting_data.readers.store import Composite, Layers
from matting_data.readers.transforms.window import Draws, find_person, person_window

Plane = NDArray[np.uint8]


def mapped(composite: Composite, move: Callable[[Plane], Plane], labels: Callable[[Plane], Plane]) -> Composite:
    """Move all planes of a composite alike: `labels` moves the trimap, whose levels must not mix, `move` the rest."""
    trimap, layers = composite.trimap, composite.layers
    return Composite(
        composite.key,
        move(composite.image),
        move(composite.alpha),
        None if trimap is None else labels(trimap),
        None if layers is None else Layers(move(layers.foreground), move(layers.alpha), move(layers.background)),
    )


def resized(plane: Plane, size: tuple[int, int]) -> Plane:
    """Bring a plane to width × height: bilinearly, averaging areas where it shrinks to less than half."""
    if (plane.shape[1], plane.shape[0]) == size:
        return np.ascontiguousarray(plane)
    shrinks = plane.shape[1] > 2 * size[0] or plane.shape[0] > 2 * size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=how), dtype=np.uint8)


def resized_labels(plane: Plane, size: tuple[int, int]) -> Plane:
    """Bring a trimap to width × height; each pixel takes its nearest level."""
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST_EXACT), dtype=np.uint8)


@dataclass(frozen=True)
class PersonCrop:
    """One square crop with head and upper body inside, at a random scale.

    See :func:`matting_data.readers.transforms.window.person_window` for the rule.

    Parameters
    ----------
    size : int
        Side of the crop in pixels.
    height : (float, float)
        Smallest and largest height of the person's box, in crop sides; larger draws are scaled down to what the image
        allows.
    across : float
        Largest shift to either side, in crop sides.
    up : float
        Largest shift of the centre upward, in image heights; the paper's quarter.
    margin : float
        Between the crop's top and the box, in crop sides.
    """

    size: int = 512
    height: tuple[float, float] = (0.7, 1.6)
    across: float = 0.05
    up: float = 0.25
    margin: float = 1 / 32

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 < self.height[0] <= self.height[1] or not 0 <= self.margin < 1:
            raise UsageError(f"{self} cannot be: size ≥ 1, 0 < height[0] ≤ height[1], 0 ≤ margin < 1")

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Crop all planes alike, to size × size."""
        ranges = (self.height, (-self.across, self.across), (0, self.up))
        draws = Draws(*(float(rng.uniform(*limits)) for limits in ranges))
        height, width = composite.alpha.shape
        window = person_window((width, height), find_person(composite.alpha), draws, self.margin)
        size = (self.size, self.size)
        return mapped(
            composite,
            lambda plane: resized(plane[window.slices], size),
            lambda plane: resized_labels(plane[window.slices], size),
        )


@dataclass(frozen=True)
class Flip:
    """Mirror left and right with probability `p`."""

    p: float = 0.5

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Mirror all planes, or none."""
        if rng.random() >= self.p:
            return composite
        return mapped(composite, _mirrored, _mirrored)


@dataclass(frozen=True)
class ShortSide:
    """Scale the shorter side to `size`, keeping proportions, and both sides to multiples of `multiple`."""

    size: int = 512
    multiple: int = 1

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Scale all planes alike."""
        height, width = composite.alpha.shape
        scale = self.size / min(width, height)
        sides = [max(1, round(side * scale / self.multiple)) * self.multiple for side in (width, height)]
        size = (sides[0], sides[1])
        return mapped(composite, lambda plane: resized(plane, size), lambda plane: resized_labels(plane, size))


def _mirrored(plane: Plane) -> Plane:
    return np.asarray(cv2.flip(plane, 1), dtype=np.uint8)
