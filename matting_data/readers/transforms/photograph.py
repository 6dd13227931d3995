"""What cameras do to a picture: composites differ from photographs by lacking it. The matte stays as it is."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.decode import decode, to_rgb8
from matting_data.imaging.encode import jpeg
from matting_data.readers.store import Composite

_LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601."""

_MIDDLE = 127.5


class _Photographic(ABC):
    """Changes the image, and it alone, with probability `p`."""

    p: float

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Change the image, or leave it."""
        if rng.random() >= self.p:
            return composite
        image: NDArray[np.uint8] = np.ascontiguousarray(self._changed(composite.image, rng), dtype=np.uint8)
        return dataclasses.replace(composite, image=image)

    @abstractmethod
    def _changed(self, image: NDArray[np.uint8], rng: np.random.Generator) -> Any:
        """Change an image, H×W×3 uint8; any values that become uint8."""


@dataclass(frozen=True)
class ColourJitter(_Photographic):
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

    def _changed(self, image: NDArray[np.uint8], rng: np.random.Generator) -> Any:
        bright, contrast, saturation = (
            float(rng.uniform(1 - x, 1 + x)) for x in (self.brightness, self.contrast, self.saturation)
        )
        balance = rng.uniform(1 - self.balance, 1 + self.balance, 3)
        # one affine map of colours: saturation, then balance and brightness, then contrast about the middle
        matrix = saturation * np.eye(3) + (1 - saturation) * _LUMA[None, :]
        matrix = contrast * bright * balance[:, None] * matrix
        offset = np.full((3, 1), _MIDDLE * (1 - contrast))
        return cv2.transform(image, np.hstack([matrix, offset]))


@dataclass(frozen=True)
class Blur(_Photographic):
    """Blur with a Gaussian of a standard deviation drawn from `sigma`, in pixels."""

    sigma: tuple[float, float] = (0.3, 1.2)
    p: float = 0.2

    def _changed(self, image: NDArray[np.uint8], rng: np.random.Generator) -> Any:
        return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(*self.sigma)))


@dataclass(frozen=True)
class Noise(_Photographic):
    """Add Gaussian noise of a standard deviation drawn from `sigma`, in levels, to each pixel and channel."""

    sigma: tuple[float, float] = (1.0, 6.0)
    p: float = 0.3

    def _changed(self, image: NDArray[np.uint8], rng: np.random.Generator) -> Any:
        sigma = np.float32(rng.uniform(*self.sigma))
        noise = rng.standard_normal(image.shape, np.float32) * sigma
        return np.rint(np.clip(image + noise, 0, 255))


@dataclass(frozen=True)
class Jpeg(_Photographic):
    """Compress and decode once more, at a quality drawn from [low, high)."""

    quality: tuple[int, int] = (50, 96)
    p: float = 0.3

    def _changed(self, image: NDArray[np.uint8], rng: np.random.Generator) -> Any:
        return to_rgb8(decode(jpeg(image, int(rng.integers(*self.quality)), "4:2:0")))
