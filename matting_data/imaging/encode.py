"""Encoding to bytes, reproducible for equal codec versions (which ``dataset.json`` records)."""

from __future__ import annotations

import io

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from matting_data.errors import MattingDataError
from matting_data.imaging.kernels.run_png import run_png

_WEBP_SIDE = 16_383


def jpeg(image: NDArray[np.uint8], quality: int = 95, subsampling: str = "4:4:4") -> bytes:
    """Encode an RGB image as baseline JPEG with libjpeg-turbo's accurate integer DCT.

    Parameters
    ----------
    image : ndarray
        H×W×3 uint8 RGB.
    quality : int
        1 to 100 in libjpeg's scale.
    subsampling : {"4:4:4", "4:2:2", "4:2:0"}
        Chroma resolution; 4:4:4 keeps the colour of single hairs.
    """
    image, chroma = np.ascontiguousarray(image), subsampling.replace(":", "")
    return bytes(simplejpeg.encode_jpeg(image, quality=quality, colorsubsampling=chroma, fastdct=False))


def png(image: NDArray[np.uint8]) -> bytes:
    """Encode RGB (H×W×3) or RGBA (H×W×4) uint8 pixels as lossless PNG at zlib level 1."""
    code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    done, data = cv2.imencode(".png", cv2.cvtColor(image, code), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise MattingDataError(f"OpenCV could not encode an image of shape {image.shape} as PNG")
    return data.tobytes()


def lossless(image: NDArray[np.uint8]) -> tuple[str, bytes]:
    """Encode RGB (H×W×3 uint8) small and without loss; return the suffix of the format and the file.

    Lossless WebP takes two thirds of PNG's bytes for people on black; beyond its 16,383 pixels a side, PNG.
    """
    if max(image.shape[:2]) > _WEBP_SIDE:
        return "png", png(image)
    stream = io.BytesIO()
    # effort 1 of 6 has nine tenths of the gain at a third of the time
    Image.fromarray(np.ascontiguousarray(image)).save(stream, "WEBP", lossless=True, method=1, quality=20, exact=True)
    return "webp", stream.getvalue()


def matte_png(plane: NDArray[np.uint8]) -> bytes:
    """Encode an alpha or a trimap (H×W uint8) as lossless PNG, by runs of equal pixels: mattes are mostly flat."""
    return run_png(plane)
