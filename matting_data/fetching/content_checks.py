"""Checks on a downloaded file: its length, its hash, and that it is an image rather than a placeholder of one.

For a photograph that is gone, Flickr answers 302 to ``.../photo_unavailable.png`` (openimages/dataset issue 9), a PNG
of 2,051 bytes: a valid image that shows nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from matting_data.errors import RejectedInput
from matting_data.fetching.wanted import Wanted
from matting_data.imaging.codecs.damage import TooManyPixels
from matting_data.imaging.decode import decode
from matting_data.imaging.limits import MAX_PIXELS
from matting_data.storage.regular_files import read_regular

PLACEHOLDER_BYTES = 2051

_PLACEHOLDER_NAMES = ("photo_unavailable", "image_unavailable")
_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD = 24


def names_placeholder(url: str) -> bool:
    """Tell whether an address's path is that of a placeholder."""
    return any(name in unquote(urlsplit(url).path).lower() for name in _PLACEHOLDER_NAMES)


def check_file(path: Path, wanted: Wanted, whole: bool, max_pixels: int = MAX_PIXELS) -> None:
    """Raise RejectedInput unless the file at `path` is what was asked for.

    Parameters
    ----------
    path : Path
        A complete file, whatever its name.
    wanted : Wanted
        What is known of it. A hash, where there is one, decides, even for a PNG as long as the placeholder.
    whole : bool
        Decode an image to its last pixel rather than its header, because nothing else proves it whole.
    max_pixels : int
        An image whose header claims more is refused undecoded.

    Raises
    ------
    RejectedInput
        ``dead_photo``, ``wrong_size``, ``wrong_hash``, ``not_an_image`` or ``too_large``.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        head = stream.read(_HEAD)
    if wanted.image and size == PLACEHOLDER_BYTES and head.startswith(_PNG) and _hash(path, "md5") != wanted.md5:
        raise RejectedInput("dead_photo", "the answer is the placeholder of a photograph that is gone")
    if wanted.bytes and size != wanted.bytes:
        raise RejectedInput("wrong_size", f"{size:,} bytes instead of {wanted.bytes:,}")
    for name, digest in (("sha256", wanted.sha256), ("md5", wanted.md5)):
        if digest and (found := _hash(path, name)) != digest:
            raise RejectedInput("wrong_hash", f"{name} {found} instead of {digest}")
    if not wanted.image:
        return
    whole = whole and not (wanted.sha256 or wanted.md5)
    try:
        decode(read_regular(path), max_pixels if whole else 0)  # with no pixel allowed, it reads the header alone
    except TooManyPixels as error:
        if error.width * error.height > max_pixels:
            raise TooManyPixels(error.width, error.height, max_pixels) from None
    except RejectedInput as error:
        if error.reason == "too_large":  # beyond any limit, so that the decoder did not even tell its size
            raise
        if error.reason == "unreadable":  # an image of an odd mode is an image nevertheless
            raise RejectedInput("not_an_image", f"{error.detail}: the content begins with {head!r}") from None


def _hash(path: Path, name: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(name, usedforsecurity=False)).hexdigest()
