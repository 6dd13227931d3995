"""Decoding by content: what the bytes say they are, never what the file name says.

JPEG goes to libjpeg-turbo (simplejpeg), PNG without a palette to OpenCV, TIFF beyond 8 bits to tifffile, all else and
every odd case to Pillow. EXIF orientation is applied here, so that no caller ever sees an unrotated image.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from matting_data.errors import RejectedInput
from matting_data.imaging.codecs import png
from matting_data.imaging.codecs.colour_profile import ToSrgb, to_srgb
from matting_data.imaging.codecs.damage import DECODER_ERRORS, TooManyPixels, damage_is_unreadable
from matting_data.imaging.codecs.formats import box_format, decoder_names
from matting_data.imaging.codecs.jpeg import decode_jpeg
from matting_data.imaging.codecs.tiff import decode_deep_tiff
from matting_data.imaging.limits import MAX_PIXELS

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_ORIENTATION_TAG = 0x0112
_PNG_METADATA = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
_GRAY_TOLERANCE = 8
_JPEG_COLOURS = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}


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
    profile : str or None
        The name of the embedded colour profile from which the colours were converted to sRGB; None where none was.
    """

    pixels: Pixels
    format: str
    mode: str
    orientation: int
    profile: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as displayed."""
        return self.pixels.shape[1], self.pixels.shape[0]


def decode(data: bytes, max_pixels: int = MAX_PIXELS, srgb: bool = False) -> Raster:
    """Decode an image file held in memory.

    Parameters
    ----------
    data : bytes
        The file; its format is found from its content.
    max_pixels : int
        Images with more pixels are refused from their header alone (decompression bombs).
    srgb : bool
        Convert the colours of a file with an embedded profile other than sRGB, which makes 16 bits 8; mattes have
        no colours and are never converted.

    Returns
    -------
    Raster
        The first frame, in display orientation.

    Raises
    ------
    RejectedInput
        ``too_large``, ``unreadable`` (unknown, truncated or damaged, or its decoder is not installed) or
        ``wrong_mode`` (32-bit and float pixels).
    """
    try:
        return _decoded(data, max_pixels, srgb)
    except RejectedInput as problem:
        if problem.reason != "unreadable" or not png.is_png(data):
            raise
        lean = png.pixels_only(data)
        if lean == data:
            raise
    # odd metadata, or more of it than a decoder allows, is no damage
    return _decoded(lean, max_pixels, srgb, png.colour_profile(data) if srgb else None)


def _decoded(data: bytes, max_pixels: int, srgb: bool, profile: bytes | None = None) -> Raster:
    if not data:
        raise RejectedInput("unreadable", "the file is empty")
    if (deep := decode_deep_tiff(data, max_pixels)) is not None:
        pixels, name = _in_srgb(deep.pixels, to_srgb(deep.profile) if srgb and deep.profile else None)
        return Raster(_oriented(pixels, deep.orientation), "TIFF", deep.mode, deep.orientation, name)
    with _opened(data) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise TooManyPixels(width, height, max_pixels)
        if image.mode in ("I", "F") and (image.format, image.mode) != ("PPM", "I"):
            raise RejectedInput("wrong_mode", f"pixels of mode {image.mode} (32 bits) have no agreed range")
        profile = profile or image.info.get("icc_profile")
        way = to_srgb(profile) if srgb and profile else None
        stored = _stored_pixels(data, image)
        if stored is None and way is not None and way.mode == image.mode == "CMYK":
            with damage_is_unreadable():
                image.load()
            pixels, name = way.convert(image), way.name
        else:
            pixels, name = _in_srgb(_pillow_pixels(image) if stored is None else stored, way)
        orientation = _orientation(data, image)
        return Raster(_oriented(pixels, orientation), image.format or "unknown", image.mode, orientation, name)


def _opened(data: bytes) -> Image.Image:
    formats = decoder_names(data)
    with damage_is_unreadable():
        try:
            return Image.open(io.BytesIO(data), formats=formats)
        except UnidentifiedImageError:
            known = {"HEIF": "HEIC", "AVIF": "AVIF"}.get(box_format(data) or "")
            what = f"the {known} content is damaged" if known else "the content is of no known image format"
            raise RejectedInput("unreadable", what) from None


def decode_rgb_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    """Decode what is known to be an RGB JPEG to its stored pixels, H×W×3 uint8; None where Pillow has to read it."""
    return decode_jpeg(data, "RGB")


def to_rgb8(raster: Raster) -> NDArray[np.uint8]:
    """Convert the colours to H×W×3 uint8 RGB, C-contiguous; gray is repeated, transparency dropped, 16 bits rounded."""
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


def _stored_pixels(data: bytes, image: Image.Image) -> Pixels | None:
    """Decode a JPEG or PNG with the decoder that is strict about damage; None where Pillow decodes it."""
    if image.format in ("JPEG", "MPO"):
        pixels = decode_jpeg(data, _JPEG_COLOURS[image.mode])
        if pixels is None or image.format == "MPO" or image.mode == "CMYK":
            return None
        return pixels[..., 0] if image.mode == "L" else pixels
    return _png_pixels(data, image) if image.format == "PNG" and png.is_png(data) else None


def _png_pixels(data: bytes, image: Image.Image) -> Pixels | None:
    about = png.header(data)
    if about.colour_type == 3:
        png.require_whole(data)
        return None
    level = png.transparent_level(data) if "transparency" in image.info else None
    if level is not None or b"IEND" not in data[-16:]:
        data = png.pixels_only(data, transparency=level is None)
    with damage_is_unreadable():
        flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
        decoded: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if decoded is None:  # Pillow checks no CRC and would return damaged pixels
        raise RejectedInput("unreadable", "the PNG data is damaged")
    if decoded.ndim == 3:
        code = cv2.COLOR_BGRA2RGBA if decoded.shape[2] == 4 else cv2.COLOR_BGR2RGB
        decoded = cv2.cvtColor(decoded, code)
    return decoded if level is None else _without_level(decoded, level, about.depth)


def _without_level(pixels: Pixels, level: tuple[int, ...], depth: int) -> Pixels:
    """Convert gray or RGB pixels to RGBA, clear where they have the level that a PNG's tRNS chunk names."""
    whole = np.iinfo(pixels.dtype).max
    stretch = 255 // ((1 << depth) - 1) if depth < 8 else 1
    wanted = [value % (1 << depth) * stretch for value in level]
    planes = [pixels] if pixels.ndim == 2 else [pixels[..., channel] for channel in range(3)]
    clear = np.logical_and.reduce([plane == value for plane, value in zip(planes, wanted, strict=True)])
    alpha = np.where(clear, pixels.dtype.type(0), pixels.dtype.type(whole))
    return cast(Pixels, np.dstack([*(planes * (3 // len(planes))), alpha]))


def _in_srgb(pixels: Pixels, way: ToSrgb | None) -> tuple[Pixels, str | None]:
    """Convert colours to sRGB, alpha aside; give the name of the profile they were of, or None where none fits them."""
    if way is None or way.mode == "CMYK" or (way.mode == "RGB") != (pixels.ndim == 3):
        return pixels, None
    eight = _to_8_bits(pixels)
    colours = way.convert(Image.fromarray(np.ascontiguousarray(eight if eight.ndim == 2 else eight[..., :3])))
    if eight.ndim == 3 and eight.shape[2] == 4:
        colours = np.dstack([colours, eight[..., 3]])
    return colours, way.name


def _pillow_pixels(image: Image.Image) -> Pixels:
    with damage_is_unreadable():
        image.load()
    if image.mode.startswith("I"):
        return np.array(image).astype(np.uint16)
    if image.mode in ("LA", "La", "PA", "RGBa", "RGBA") or "transparency" in image.info:
        mode = "RGBA"
    else:
        mode = "L" if image.mode in ("1", "L") or (image.mode == "P" and _palette_is_gray(image)) else "RGB"
    with damage_is_unreadable():
        converted = image.convert(mode)
    return np.array(converted)


def _palette_is_gray(image: Image.Image) -> bool:
    colours = np.asarray(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _orientation(data: bytes, image: Image.Image) -> int:
    # asking Pillow for a PNG's EXIF decodes all its pixels once more
    if image.format == "PNG" and not any(name in data for name in _PNG_METADATA):
        return 1
    try:
        orientation = int(image.getexif().get(_ORIENTATION_TAG, 1))
    except DECODER_ERRORS:
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
