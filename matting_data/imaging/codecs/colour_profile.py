"""Colours of other spaces in sRGB, as their embedded ICC profiles say."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from matting_data.imaging.codecs.damage import damage_is_unreadable

_SAME = 2
"""Levels by which profiles that mean sRGB differ from it: white points and curves are rounded in many ways."""

_MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


@dataclass(frozen=True)
class ToSrgb:
    """The way from a profile's colours to sRGB.

    Attributes
    ----------
    name : str
        What the profile calls itself.
    mode : str
        Pillow's mode of the colours it is for: ``RGB``, ``L`` or ``CMYK``.
    """

    name: str
    mode: str
    _transform: ImageCms.ImageCmsTransform

    def convert(self, image: Image.Image) -> NDArray[np.uint8]:
        """Convert an image of this `mode` to H×W×3 uint8."""
        with damage_is_unreadable():
            shown = ImageCms.applyTransform(image, self._transform)
        return np.array(shown, np.uint8)  # asarray would be read-only


@lru_cache(maxsize=32)
def to_srgb(profile: bytes) -> ToSrgb | None:
    """Build the transform to sRGB; None where the profile means sRGB itself, is unreadable, or is of an unknown space.

    Relative colorimetric with black-point compensation; whether a profile means sRGB is told by what it does to 729
    colours, as its name may be anything.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODE_OF_SPACE.get(source.profile.xcolor_space.strip())
        if mode is None:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        name = ImageCms.getProfileDescription(source).strip() or "unnamed"
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    found = ToSrgb(name[:100], mode, transform)
    return None if mode != "CMYK" and _is_identity(found) else found


def _is_identity(way: ToSrgb) -> bool:
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    if way.mode == "L":
        grid = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    shown = way.convert(Image.fromarray(grid if way.mode == "RGB" else grid[..., 0]))
    return int(np.abs(shown.astype(np.int16) - grid).max()) <= _SAME
