"""What the decoders of others raise on damaged files, told apart from errors of our own."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from PIL import Image, ImageCms

from matting_data.errors import RefusedError, RejectedInput, wants_memory

DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, AttributeError,
    struct.error, cv2.error, ImageCms.PyCMSError,
)  # fmt: skip
"""What Pillow's plug-ins, OpenCV and tifffile raise on damaged files: anything that careless parsing can."""


class TooManyPixels(RejectedInput):
    """An image whose header claims more pixels than a limit (``too_large``); nothing of it was decompressed.

    Parameters
    ----------
    width, height : int
        As claimed.
    limit : int
        Pixels.
    """

    def __init__(self, width: int, height: int, limit: int) -> None:
        super().__init__("too_large", f"{width}×{height} has more than {limit:,} pixels")
        self.width, self.height, self.limit = width, height, limit

    def __reduce__(self) -> tuple[type[TooManyPixels], tuple[int, int, int]]:  # type: ignore[override] # other arguments
        return type(self), (self.width, self.height, self.limit)


@contextmanager
def damage_is_unreadable() -> Iterator[None]:
    """Raise what a decoder raises as RejectedInput: ``too_large`` for a bomb, else ``unreadable``.

    Only calls of a library belong inside: an error of ours there would pass for damage and be lost. Too little memory
    is no damage and passes; RefusedError where the system did not let the decoder itself be loaded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)
            yield
    except Image.DecompressionBombError:
        raise RejectedInput("too_large", "the header claims more pixels than any photograph has") from None
    except DECODER_ERRORS as error:
        if wants_memory(error):
            raise
        if isinstance(error, OSError) and error.errno is not None:  # the bytes are in memory, the decoder's code is not
            raise RefusedError(f"cannot load what decodes it: {error}; run the same command again") from None
        raise RejectedInput("unreadable", f"{type(error).__name__}: {error}") from None
