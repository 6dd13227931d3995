"""A foreground as spans of each row, for kernels that composite row by row.

Most pixels of a person's matte are either opaque or clear, so each row has an opaque run, which is copied, and two
spans between it and the outline, whose pixels are mixed. Kernels need no background behind an opaque run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

Rows = tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint8]]
"""The arrays of a :class:`RowSpans` as kernels take them; spans count channel values, three a pixel."""


@dataclass(frozen=True)
class RowSpans:
    """A foreground ready to be composited on rows of a background.

    Attributes
    ----------
    spans : ndarray
        H×4 int64, in pixels: alpha is 0 before the first and from the last on, and 255 from the second to before
        the third, which are equal where a row has no opaque pixel.
    opaque : ndarray
        H×W×3 uint8 colours, C-contiguous, read where they are opaque.
    starts : ndarray
        H int64: where the values of each row begin in `colour` and `transparency`.
    colour, transparency : ndarray
        uint16 alpha·F in [0, 65025] and uint8 255 − alpha, three values a mixed pixel, row after row without gaps, so
        that they are read as one stream.
    """

    spans: NDArray[np.int64]
    opaque: NDArray[np.uint8]
    starts: NDArray[np.int64]
    colour: NDArray[np.uint16]
    transparency: NDArray[np.uint8]

    @property
    def rows(self) -> Rows:
        """The arrays that kernels take."""
        flat = self.opaque.reshape(len(self.spans), -1)
        return 3 * self.spans, flat, self.starts, self.colour, self.transparency


def empty_row_spans(height: int) -> RowSpans:
    """Make empty row spans: a foreground of `height` rows that covers no pixel."""
    none, mixed = np.zeros((height, 4), np.int64), np.empty(0, np.uint8)
    opaque = np.empty((height, 0, 3), np.uint8)
    return RowSpans(none, opaque, np.zeros(height, np.int64), mixed.astype(np.uint16), mixed)


@numba.njit(cache=True)
def find_spans(alpha: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Find the ``spans`` of an alpha (H×W uint8, C-contiguous), with the longest opaque run of each row."""
    spans = np.zeros((alpha.shape[0], 4), np.int64)
    for y in range(alpha.shape[0]):
        line = alpha[y]
        first, last = 0, line.size
        while last > 0 and line[last - 1] == 0:
            last -= 1
        while first < last and line[first] == 0:
            first += 1
        start, longest, x = first, 0, first
        while x < last and last - x > longest:
            run = x
            while x < last and line[x] == 255:
                x += 1
            if x - run > longest:
                start, longest = run, x - run
            x += 1
        spans[y, 0], spans[y, 1], spans[y, 2], spans[y, 3] = first, start, start + longest, last
    return spans


@numba.njit(cache=True)
def premultiply_rows(
    alpha: NDArray[np.uint8],
    foreground: NDArray[np.uint8],
    spans: NDArray[np.int64],
    colour: NDArray[np.uint16],
    transparency: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """Fill `colour` and `transparency` with the pixels between the outline and the opaque runs.

    Returns
    -------
    ndarray
        H int64: where the values of each row begin.
    """
    starts, count = np.empty(spans.shape[0], np.int64), 0
    for y in range(spans.shape[0]):
        starts[y] = count
        first, start, end, last = spans[y]
        for low, high in ((first, start), (end, last)):
            a, f = alpha[y, low:high], foreground[y, 3 * low : 3 * high]
            weighted, clear = colour[count : count + f.size], transparency[count : count + f.size]
            for x in range(a.size):
                for at in range(3 * x, 3 * x + 3):
                    weighted[at] = np.uint16(a[x]) * np.uint16(f[at])
                    clear[at] = ~a[x]
            count += f.size
    return starts


@numba.njit(cache=True)
def composite_row(rows: Rows, y: int, line: NDArray[np.uint8]) -> None:
    """Composite row `y` of a foreground on `line`, a row of the background, in place; hidden pixels are not read."""
    spans, opaque, starts, colour, transparency = rows
    first, start, end, last = spans[y]
    if first < last:
        at = starts[y]
        middle = at + start - first
        stop = middle + last - end
        _mix(colour[at:middle], transparency[at:middle], line[first:start])
        _mix(colour[middle:stop], transparency[middle:stop], line[end:last])
        target, source = line[start:end], opaque[y, start:end]
        for x in range(target.size):
            target[x] = source[x]


@numba.njit(cache=True)
def _mix(colour: NDArray[np.uint16], transparency: NDArray[np.uint8], line: NDArray[np.uint8]) -> None:
    for x in range(line.size):
        # (v + (v >> 8)) >> 8 with v = n + 128 is round(n / 255) for every n up to 65025
        v = np.uint16(np.uint16(transparency[x]) * np.uint16(line[x]) + colour[x] + np.uint16(128))
        line[x] = np.uint8(np.uint16(v + (v >> np.uint16(8))) >> np.uint16(8))
