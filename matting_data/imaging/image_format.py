"""Telling from its first bytes whether a file is an image, without decoding it."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

from PIL import Image

_KNOWN = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000", "PSD")
"""Formats that their first bytes and header tell from text and other data."""

_HEIF = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1")

_NO_IMAGE = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, struct.error
)  # fmt: skip
"""What Pillow's plug-ins raise on data that only begin like an image."""


def image_format(path: Path) -> str | None:
    """Name the format of an image by its content (``JPEG``, ``PNG``, ...); None for everything else.

    Parameters
    ----------
    path : Path
        A regular file; one that cannot be read is no image.
    """
    try:
        with open(path, "rb") as stream:
            if stream.read(12)[4:] in _HEIF:
                return "HEIC"
            stream.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(stream, formats=_KNOWN) as image:
                    return image.format
    except Image.DecompressionBombError:
        return "too large"
    except _NO_IMAGE:
        return None
