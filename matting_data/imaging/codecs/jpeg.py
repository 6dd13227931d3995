"""JPEG through libjpeg-turbo, which decodes damaged data to the end and only warns of it.

A scan that ends early is filled with gray, one that is out of step goes on shifted; no decoder calls that an error.
TurboJPEG hands out the first warning of a file, so that a harmless one could hide another: those about the segments
before the scan are taken away before the scan is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from matting_data.errors import RejectedInput, wants_memory

_DAMAGED_SCAN = re.compile(
    r"premature end|bad (?:huffman|arithmetic) code|instead of rst|inconsistent progression|more than one scan",
    re.IGNORECASE,
)
"""What libjpeg says of a scan (jerror.h) of which some pixels are not those that were stored."""

_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker")
"""Bytes of a scan that no block needed: padding, or what is left of one that is out of step."""

_PADDING = 8
"""Bytes that cameras leave before markers; of 348 scans out of step, 8 left so few."""

_KEPT = frozenset((*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xEE))
"""Segments that decide pixels: frames, tables, scans, lines, restarts and Adobe's colour transform."""


def decode_jpeg(data: bytes, colours: str) -> NDArray[np.uint8] | None:
    """Decode a JPEG to its stored pixels.

    Parameters
    ----------
    data : bytes
        The file; of several images in it the first.
    colours : {"RGB", "GRAY", "CMYK"}
        Its colours.

    Returns
    -------
    ndarray or None
        H×W×C uint8; None where another decoder has to judge it, because TurboJPEG does not know its form or warned of
        what does not touch pixels.

    Raises
    ------
    RejectedInput
        ``unreadable``: libjpeg warns that the entropy-coded data are damaged or end early.
    """
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace=colours), dtype=np.uint8)
    except ValueError as error:
        if wants_memory(error):
            raise
        _require_sound(data, colours, str(error))
        return None


def _require_sound(data: bytes, colours: str, warning: str) -> None:
    lean = _without_metadata(data)
    if lean is not None:
        try:
            simplejpeg.decode_jpeg(lean, colorspace=colours)
            return
        except ValueError as error:
            if wants_memory(error):
                raise
            warning = str(error)
    left_over = _LEFT_OVER.search(warning)
    if int(left_over[1]) > _PADDING if left_over else _DAMAGED_SCAN.search(warning):
        raise RejectedInput("unreadable", f"the JPEG data is damaged: {warning}")


def _without_metadata(data: bytes) -> bytes | None:
    """Strip from the file all but the segments that decide pixels; None where there is nothing to strip."""
    kept = [b"\xff\xd8"]
    for start, end, marker in _segments(data):
        if marker in _KEPT:
            kept.append(data[start:end])
        if marker == 0xDA:
            lean = b"".join([*kept, data[end:]])
            return lean if len(lean) < len(data) else None
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and marker of each segment up to the first scan, skipping what lies between them."""
    place = 2
    while 0 <= (place := data.find(b"\xff", place)) < len(data) - 3:
        marker = data[place + 1]
        if marker in (0x00, 0x01, 0xFF) or marker in range(0xD0, 0xDA):  # no segment: padding, or a marker alone
            place += 1 if marker == 0xFF else 2
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        yield place, end, marker
        place = end
