"""What cameras do to a picture: composites differ from photographs by lacking it. The matte stays as it is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.decode import decode, to_rgb8
from matting_data.imaging.encode import jpeg
from matting_data.readers.store import Composite

_LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601."""

_MIDDLE = 127.5


@dataclass(frozen=True)
class ColourJitter:
    """Change brightness, contrast, saturation and white balance of the whole picture.

    Parameters
    ----------
    brightness, contrast, saturation : float
        Factors are drawn from [1 − x, 1 + x].
    balance : float
        A factor for each channel, drawn from [1 − x, 1 + x].
    p : float
        Probability of any change.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    balance: float = 0.05
    p: float = 0.8

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Change the image."""
        if rng.random() >= self.p:
            return composite
        bright, contrast, saturation = (
            float(rng.uniform(1 - x, 1 + x)) for x in (self.brightness, self.contrast, self.saturation)
        )
        balance = rng.uniform(1 - self.balance, 1 + self.balance, 3)
        # one affine map of colours: saturation, then balance and brightness, then contrast about the middle
        matrix = saturation * np.eye(3) + (1 - saturation) * _LUMA[None, :]
        matrix = contrast * bright * balance[:, None] * matrix
        offset = np.full((3, 1), _MIDDLE * (1 - contrast))
        image = cv2.transform(composite.image, np.hstack([matrix, offset]))
        return _with_image(composite, image)


@dataclass(frozen=True)
class Blur:
    """Blur with a Gaussian of a standard deviation drawn from `sigma`, in pixels."""

    sigma: tuple[float, float] = (0.3, 1.2)
    p: float = 0.2

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Blur the image."""
        if rng.random() >= self.p:
            return composite
        return _with_image(composite, cv2.GaussianBlur(composite.image, (0, 0), float(rng.uniform(*self.sigma))))


@dataclass(frozen=True)
class Noise:
    """Add Gaussian noise of a standard deviation drawn from `sigma`, in levels, to each pixel and channel."""

    sigma: tuple[float, float] = (1.0, 6.0)
    p: float = 0.3

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Add noise to the image."""
        if rng.random() >= self.p:
            return composite
        sigma = np.float32(rng.uniform(*self.sigma))
        noise = rng.standard_normal(composite.image.shape, np.float32) * sigma
        noisy = np.rint(np.clip(composite.image + noise, 0, 255))
        return _with_image(composite, noisy.astype(np.uint8))


@dataclass(frozen=True)
class Jpeg:
    """Compress and decode once more, at a quality drawn from [low, high)."""

    quality: tuple[int, int] = (50, 96)
    p: float = 0.3

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Compress the image."""
        if rng.random() >= self.p:
            return composite
        data = jpeg(composite.image, int(rng.integers(*self.quality)), "4:2:0")
        return _with_image(composite, to_rgb8(decode(data)))


def _with_image(composite: Composite, image: object) -> Composite:
    pixels: NDArray[np.uint8] = np.ascontiguousarray(image, dtype=np.uint8)
    return dataclasses.replace(composite, image=pixels)
