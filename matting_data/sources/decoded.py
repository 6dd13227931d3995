"""From file bytes to the arrays of a foreground or a background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput
from matting_data.imaging.decode import Raster, decode, decode_rgb_jpeg, has_alpha, to_alpha8, to_rgb8
from matting_data.imaging.limits import MAX_PIXELS


def load_foreground(
    image: bytes, alpha: bytes | None, opaque_from: int = 255, srgb: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Decode a foreground, as :func:`decode_foreground` does, but for the name of its colour profile."""
    colours, matte, _ = decode_foreground(image, alpha, opaque_from, srgb)
    return colours, matte


def decode_foreground(
    image: bytes, alpha: bytes | None, opaque_from: int = 255, srgb: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], str | None]:
    """Decode a foreground.

    Parameters
    ----------
    image : bytes
        The image file; a cut-out with an alpha channel where `alpha` is None.
    alpha : bytes or None
        The matte file: gray, RGB with equal channels, or RGBA whose alpha channel is the matte; 8 or 16 bits.
    opaque_from : int
        Levels from this one on become 255.
    srgb : bool
        Convert colours to sRGB from another embedded profile.

    Returns
    -------
    (ndarray, ndarray, str or None)
        Colours H×W×3 uint8 RGB and alpha H×W uint8, in display orientation, and the name of the profile from which
        the colours were converted.

    Raises
    ------
    RejectedInput
        ``unreadable``, ``too_large``, ``wrong_mode``, ``no_alpha_channel`` or ``size_mismatch``.
    """
    raster = decode(image, srgb=srgb)
    if alpha is None:
        if not has_alpha(raster):
            raise RejectedInput("no_alpha_channel", f"a {raster.format} of mode {raster.mode} holds no alpha channel")
        matte = to_alpha8(Raster(raster.pixels[..., 3], raster.format, raster.mode, raster.orientation))
    else:
        matte_raster = decode(alpha)
        if matte_raster.size != raster.size:
            (w, h), (mw, mh) = raster.size, matte_raster.size
            raise RejectedInput("size_mismatch", f"the image is {w}×{h}, its matte {mw}×{mh}")
        matte = to_alpha8(matte_raster)
    if opaque_from < 255:
        matte = np.where(matte >= opaque_from, np.uint8(255), matte)
    return to_rgb8(raster), np.ascontiguousarray(matte), raster.profile


def load_background(
    data: bytes, max_pixels: int = MAX_PIXELS, rotation: int = 0, plain: bool = False, srgb: bool = False
) -> NDArray[np.uint8]:
    """Decode a background to H×W×3 uint8 RGB in display orientation; transparency is dropped.

    Parameters
    ----------
    data : bytes
        The file.
    max_pixels : int
        Larger images are refused.
    rotation : int
        Degrees counterclockwise, a multiple of 90, by which to turn a file that names no orientation of its own.
    plain : bool
        These very bytes were decoded before, within `max_pixels`, as an RGB JPEG of orientation 1: nothing is asked
        of Pillow again.
    srgb : bool
        Convert colours to sRGB from another embedded profile.

    Raises
    ------
    RejectedInput
        ``unreadable``, ``too_large`` or ``wrong_mode``.
    """
    if plain and not srgb and (pixels := decode_rgb_jpeg(data)) is not None:
        return upright(pixels, 1, rotation)
    raster = decode(data, max_pixels, srgb)
    return upright(to_rgb8(raster), raster.orientation, rotation)


def upright(image: NDArray[np.uint8], orientation: int, rotation: int) -> NDArray[np.uint8]:
    """Turn a decoded image by what its source's tables say, unless its EXIF orientation was applied already."""
    turns = rotation // 90 % 4 if orientation == 1 else 0
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
