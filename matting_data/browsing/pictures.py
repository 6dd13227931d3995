"""Pixels for the eye: images and planes at a size that a browser likes, encoded."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging import encode

_QUALITY = 88


def image_file(image: NDArray[np.uint8], side: int) -> bytes:
    """Encode an H×W×3 uint8 image as JPEG, its longer side at most `side` pixels."""
    return encode.jpeg(_shrunk(image, side, cv2.INTER_AREA), _QUALITY, "4:2:0")


def matte_file(plane: NDArray[np.uint8], side: int) -> bytes:
    """Encode an H×W uint8 matte or error as PNG, its longer side at most `side` pixels."""
    return encode.matte_png(_shrunk(plane, side, cv2.INTER_AREA))


def label_file(plane: NDArray[np.uint8], side: int) -> bytes:
    """Encode an H×W uint8 plane of labels, such as a trimap, as PNG; no new labels arise."""
    return encode.matte_png(_shrunk(plane, side, cv2.INTER_NEAREST))


def _shrunk(pixels: NDArray[np.uint8], side: int, interpolation: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)
