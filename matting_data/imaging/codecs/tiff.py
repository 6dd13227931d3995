"""TIFF beyond 8 bits a sample, and planar TIFF: what Pillow shifts to 8 bits, or reads with the wrong tags."""

from __future__ import annotations

import io
import logging
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import MissingExtraError, RejectedInput
from matting_data.imaging.codecs.damage import DECODER_ERRORS, TooManyPixels, damage_is_unreadable
from matting_data.imaging.codecs.jpeg import decode_jpeg

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_UNSIGNED = 1

_WHITE_IS_0, _BLACK_IS_0, _RGB = 0, 1, 2

_SEPARATE = 2

_ORIENTATION, _PROFILE = 274, 34675

_ASSOCIATED, _UNSPECIFIED = 1, 0

_DEFLATE, _JPEG = (8, 32946), 7


@dataclass(frozen=True)
class DeepTiff:
    """The first page of a TIFF.

    Attributes
    ----------
    pixels : ndarray
        H×W, H×W×3 or H×W×4 (straight alpha) as stored, not yet turned; uint8 or uint16 in its whole range.
    mode : str
        Colours and bits, as Pillow might call them: ``RGB;16``.
    orientation : int
        Of its tag, 1 to 8.
    profile : bytes or None
        Its ICC profile.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    mode: str
    orientation: int
    profile: bytes | None


def decode_deep_tiff(data: bytes, max_pixels: int) -> DeepTiff | None:
    """Decode a TIFF that Pillow does not read exactly; None for all others, and for what is no TIFF.

    Raises
    ------
    RejectedInput
        ``too_large``, ``unreadable`` or ``wrong_mode``.
    """
    if not data.startswith(_MAGIC):
        return None
    import tifffile  # takes a fifth of a second, and few files need it

    if not (log := logging.getLogger("tifffile")).handlers:
        log.addHandler(logging.NullHandler())  # what it says of damage goes to who listens, not to standard error
    try:
        file = tifffile.TiffFile(io.BytesIO(data))
        page: Any = file.pages.first
    except DECODER_ERRORS:
        return None  # Pillow judges it
    with file:
        with damage_is_unreadable():  # tifffile works out a page's shape when it is asked for
            if _is_exact_in_pillow(page):
                _require_sound_segments(page, data)
                return None
            if page.imagewidth * page.imagelength > max_pixels:
                raise TooManyPixels(page.imagewidth, page.imagelength, max_pixels)
            colours = _colours(page)
            _require_whole(page, len(data))
            profile, orientation = page.tags.valueof(_PROFILE), page.tags.valueof(_ORIENTATION, 1)
            profile = bytes(profile) if profile is not None else None
        samples = _samples(page)
        turned = int(orientation) if orientation in range(1, 9) else 1
        return DeepTiff(_pixels(page, samples, colours), f"{colours};{page.bitspersample}", turned, profile)


def _samples(page: Any) -> NDArray[Any]:
    with damage_is_unreadable():
        try:
            samples: NDArray[Any] = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            missing = MissingExtraError("tiff", f"the decoder of {page.compression.name} at this depth is")
            raise RejectedInput("unreadable", str(missing)) from None
    wanted = page.imagelength * page.imagewidth * page.samplesperpixel
    if not samples.size or samples.size != wanted:
        raise RejectedInput("unreadable", f"the TIFF data holds {samples.size} samples instead of {wanted}")
    return samples


def _is_exact_in_pillow(page: Any) -> bool:
    bits, samples = page.bitspersample, page.samplesperpixel
    if not isinstance(bits, int) or bits > 16 or page.sampleformat != _UNSIGNED:
        return True  # Pillow says what cannot be read
    planar = samples > 1 and page.planarconfig == _SEPARATE
    if bits <= 8:
        return not planar
    return bits == 16 and samples == 1 and page.photometric == _BLACK_IS_0 and page.fillorder == 1


def _colours(page: Any) -> str:
    """Name the colours ``L``, ``LA``, ``RGB`` or ``RGBA``; RejectedInput ``wrong_mode`` for others."""
    photometric, samples = page.photometric, page.samplesperpixel
    gray = photometric in (_WHITE_IS_0, _BLACK_IS_0)
    needed = 1 if gray else 3
    if not (gray or photometric == _RGB) or samples < needed:
        name = getattr(photometric, "name", photometric)
        raise RejectedInput("wrong_mode", f"a TIFF of {name} colours with {page.bitspersample} bits is not read")
    has_alpha = samples > needed and next(iter(page.extrasamples), None) != _UNSPECIFIED
    return ("L" if gray else "RGB") + ("A" if has_alpha else "")


def _require_whole(page: Any, length: int) -> None:
    # tifffile fills segments that are missing with zeros
    places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if len(places) < int(np.prod(page.chunked)) or any(not size or start + size > length for start, size in places):
        raise RejectedInput("unreadable", "the TIFF data ends early")


def _require_sound_segments(page: Any, data: bytes) -> None:
    """Raise RejectedInput ``unreadable`` where a compressed strip or tile has damage that libtiff passes over."""
    segments = (data[start : start + size] for start, size in zip(page.dataoffsets, page.databytecounts, strict=False))
    if page.compression in _DEFLATE:
        for segment in segments:
            inflater = zlib.decompressobj()  # libtiff stops at the last pixel, before the checksum
            try:
                inflater.decompress(segment)
            except zlib.error as error:
                raise RejectedInput("unreadable", f"the TIFF data is damaged: {error}") from None
            if not inflater.eof:
                raise RejectedInput("unreadable", "the TIFF data ends early")
    elif page.compression == _JPEG and page.bitspersample == 8:
        tables = bytes(page.jpegtables or b"\xff\xd8\xff\xd9")
        for segment in segments:
            decode_jpeg(tables[:-2] + segment[2:], "GRAY" if page.samplesperpixel == 1 else "RGB")


def _pixels(page: Any, samples: NDArray[Any], colours: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    height, width, count = page.imagelength, page.imagewidth, page.samplesperpixel
    if page.planarconfig == _SEPARATE and count > 1:
        samples = np.moveaxis(samples.reshape(count, height, width), 0, -1)
    samples = _full_range(samples.reshape(height, width, count), page.bitspersample)
    if page.photometric == _WHITE_IS_0:
        samples = np.concatenate([np.iinfo(samples.dtype).max - samples[..., :1], samples[..., 1:]], axis=2)
    base = 1 if colours.startswith("L") else 3
    pixels = samples[..., :base]
    if not colours.endswith("A"):
        return np.ascontiguousarray(pixels[..., 0] if base == 1 else pixels)
    alpha = samples[..., base : base + 1]
    if next(iter(page.extrasamples), None) == _ASSOCIATED:
        pixels = _straight(pixels, alpha)
    return np.concatenate([np.broadcast_to(pixels, (height, width, 3)), alpha], axis=2)


def _full_range(samples: NDArray[Any], bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Stretch samples of `bits` bits to the whole range of their 8 or 16, rounded."""
    if bits not in (8, 16):
        top, whole = (1 << bits) - 1, 255 if bits < 8 else 65535
        samples = (samples.astype(np.uint64) * whole + top // 2) // top
    return samples.astype(np.uint8) if bits <= 8 else samples.astype(np.uint16)


def _straight(colours: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Divide colours that are multiplied by alpha, rounded; clear pixels stay as they are."""
    whole, level = np.uint64(np.iinfo(colours.dtype).max), np.maximum(alpha, 1).astype(np.uint64)
    divided = (colours.astype(np.uint64) * whole + level // np.uint64(2)) // level
    return np.where(alpha == 0, colours, np.minimum(divided, whole)).astype(colours.dtype)
