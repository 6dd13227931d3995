"""Decoding by content: what the bytes say they are, never what the file name says.

JPEG goes to libjpeg-turbo (simplejpeg), 8- and 16-bit PNG to OpenCV, all else and every odd case to Pillow.
EXIF orientation is applied here, so that no caller ever sees an unrotated image.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from matting_data.errors import RejectedInput

MAX_PIXELS = 100_000_000
"""Default limit on width x height before anything is decompressed."""

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")
"""Formats of photographs and mattes. Pillow knows more, among them EPS, which it hands to Ghostscript to run."""

_ORIENTATION_TAG = 0x0112
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_METADATA = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
_GRAY_TOLERANCE = 8

_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, struct.error
)  # fmt: skip
"""What Pillow's plug-ins raise on damaged files."""


@dataclass(frozen=True)
class Raster:
    """A decoded image in display orientation.

    Attributes
    ----------
    pixels : ndarray
        H×W (gray), H×W×3 (RGB) or H×W×4 (RGBA, straight); uint8, or uint16 where the file has 16 bits.
    format : str
        What the content is: ``JPEG``, ``PNG``, ``GIF``, ...
    mode : str
        Pillow's name of the stored pixel mode (``RGB``, ``L``, ``P``, ``CMYK``, ``I;16``, ...).
    orientation : int
        The EXIF orientation that was applied, 1 to 8.
    """

    pixels: Pixels
    format: str
    mode: str
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as displayed."""
        return self.pixels.shape[1], self.pixels.shape[0]


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Raster:
    """Decode an image file held in memory.

    Parameters
    ----------
    data : bytes
        The file; its format is found from its content.
    max_pixels : int
        Images with more pixels are refused from their header alone (decompression bombs).

    Returns
    -------
    Raster
        The first frame, in display orientation.

    Raises
    ------
    RejectedInput
        ``too_large``, ``unreadable`` (unknown, truncated or damaged) or ``wrong_mode`` (32-bit and float pixels).
    """
    if not data:
        raise RejectedInput("unreadable", "the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise RejectedInput("too_large", f"{width}×{height} has more than {max_pixels:,} pixels")
                if image.mode in ("I", "F"):
                    raise RejectedInput("wrong_mode", f"pixels of mode {image.mode} (32 bits) have no agreed range")
                pixels = _fast_pixels(data, image)
                if pixels is None:
                    pixels = _pillow_pixels(image)
                orientation = _orientation(data, image)
                raster = Raster(_oriented(pixels, orientation), image.format or "unknown", image.mode, orientation)
    except Image.DecompressionBombError:
        raise RejectedInput("too_large", "the header claims more pixels than any photograph has") from None
    except UnidentifiedImageError:
        raise RejectedInput("unreadable", "the content is of no known image format") from None
    except _DAMAGE as error:
        raise RejectedInput("unreadable", f"{type(error).__name__}: {error}") from None
    return raster


def decode_rgb_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    """Return the stored pixels, H×W×3 uint8, of what is known to be an RGB JPEG; None where Pillow has to judge it."""
    return _turbo(data, "RGB")


def to_rgb8(raster: Raster) -> NDArray[np.uint8]:
    """Return the colours as H×W×3 uint8 RGB, C-contiguous; gray is repeated, transparency dropped, 16 bits rounded."""
    pixels = _to_8_bits(raster.pixels)
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.ascontiguousarray(pixels[..., :3])


def to_alpha8(raster: Raster) -> NDArray[np.uint8]:
    """Read a matte from a raster: its alpha channel where one varies, else its gray values.

    Parameters
    ----------
    raster : Raster
        Gray, RGB with equal channels (a common way to save mattes) or RGBA.

    Returns
    -------
    ndarray
        Alpha, H×W uint8; 16-bit values are rounded exactly (v / 257).

    Raises
    ------
    RejectedInput
        ``wrong_mode`` when the colours differ between channels, so that the file is a picture and no matte.
    """
    pixels = raster.pixels
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        alpha: Pixels = pixels[..., 3]
        if alpha.min() != alpha.max():
            return np.ascontiguousarray(_to_8_bits(alpha))
        pixels = pixels[..., :3]
    if pixels.ndim == 2:
        return _to_8_bits(pixels)
    eight = _to_8_bits(pixels)
    red, green, blue = cv2.split(eight)
    spread = max(int(cv2.absdiff(red, green).max()), int(cv2.absdiff(blue, green).max()))
    if spread > _GRAY_TOLERANCE:
        raise RejectedInput(
            "wrong_mode", f"the matte is a colour picture: its channels differ by up to {spread} levels"
        )
    return np.ascontiguousarray(green)


def has_alpha(raster: Raster) -> bool:
    """Tell whether the raster carries an alpha channel."""
    return raster.pixels.ndim == 3 and raster.pixels.shape[2] == 4


def _to_8_bits(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    # 65535 = 257 * 255, and 257 is odd: adding 128 before the division rounds exactly, with no ties
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _fast_pixels(data: bytes, image: Image.Image) -> Pixels | None:
    if image.format == "JPEG" and image.mode == "RGB":
        return decode_rgb_jpeg(data)
    if image.format == "JPEG" and image.mode == "L":
        gray = _turbo(data, "GRAY")
        return None if gray is None else gray[..., 0]
    if image.format == "PNG" and data.startswith(_PNG_SIGNATURE) and b"IEND" in data[-16:]:
        # colour type 0, 2, 4, 6 at 8 or 16 bits; palettes, tRNS and low depths are left to Pillow
        depth, colour_type = data[24], data[25]
        if depth in (8, 16) and colour_type in (0, 2, 4, 6) and "transparency" not in image.info:
            how = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
            decoded: Any = cv2.imdecode(np.frombuffer(data, np.uint8), how)
            if decoded is None:  # Pillow checks no CRC and would return damaged pixels
                raise RejectedInput("unreadable", "the PNG data is damaged")
            if decoded.ndim == 3:
                code = cv2.COLOR_BGRA2RGBA if decoded.shape[2] == 4 else cv2.COLOR_BGR2RGB
                decoded = cv2.cvtColor(decoded, code)
            return decoded
    return None


def _turbo(data: bytes, colours: str) -> NDArray[np.uint8] | None:
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace=colours), dtype=np.uint8)
    except ValueError:
        return None  # Pillow tells harmless trailing bytes from real damage


def _pillow_pixels(image: Image.Image) -> Pixels:
    if image.mode.startswith("I;16"):
        return np.array(image, dtype=np.uint16)
    if image.mode in ("LA", "La", "PA", "RGBa", "RGBA") or "transparency" in image.info:
        return np.array(image.convert("RGBA"))
    if image.mode in ("1", "L") or (image.mode == "P" and _palette_is_gray(image)):
        return np.array(image.convert("L"))
    return np.array(image.convert("RGB"))


def _palette_is_gray(image: Image.Image) -> bool:
    colours = np.asarray(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _orientation(data: bytes, image: Image.Image) -> int:
    # asking Pillow for a PNG's EXIF decodes all its pixels once more
    if image.format == "PNG" and not any(name in data for name in _PNG_METADATA):
        return 1
    try:
        orientation = int(image.getexif().get(_ORIENTATION_TAG, 1))
    except _DAMAGE:
        return 1  # the pixels are sound: an odd tag says nothing about them
    return orientation if 1 <= orientation <= 8 else 1


def _oriented(pixels: Pixels, orientation: int) -> Pixels:
    """Turn stored pixels into displayed ones (Exif 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return cast(Pixels, np.ascontiguousarray(pixels))
