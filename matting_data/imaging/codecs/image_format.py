"""Telling from its first bytes whether a file is an image, without decoding it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from matting_data.errors import RefusedError, RejectedInput
from matting_data.imaging.codecs.damage import damage_is_unreadable
from matting_data.imaging.codecs.formats import FORMATS, box_format

_BY_HEADER = (*(entry.name for entry in FORMATS if entry.name not in ("HEIF", "AVIF")), "PSD")
"""Formats that Pillow tells from text and other data; the boxes of the other two are read here."""


def image_format(path: Path) -> str | None:
    """Name the format of an image by its content (``JPEG``, ``PNG``, ...); None for everything else.

    Parameters
    ----------
    path : Path
        A regular file; one that cannot be read is no image.
    """
    try:
        with open(path, "rb") as stream:
            if named := box_format(stream.read(256)):
                return "HEIC" if named == "HEIF" else named
            stream.seek(0)
            with damage_is_unreadable(), Image.open(stream, formats=_BY_HEADER) as image:
                return image.format
    except RejectedInput as problem:
        return "too large" if problem.reason == "too_large" else None
    except (OSError, RefusedError):
        return None
