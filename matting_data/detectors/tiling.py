"""Small people: a detector that also looks at overlapping tiles of an image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.boxes import merged
from matting_data.detectors.combined import common_scale
from matting_data.detectors.detector import BatchDetector, Detection, Detector, Thresholds, checked_image, detect_all

Tiles = int | Literal["auto"]

OVERLAP = 0.25
"""Share of a tile's side by which neighbours overlap. With two tiles across, whoever is smaller than a seventh of the
short side lies whole in one of them; larger people are seen in the whole image."""

ENOUGH = 1.25
"""An image reduced by less than this factor loses nothing worth a tile."""

MAX_ENLARGED = 3.0
"""A tile enlarged by more than this shows a detector nothing new."""

MAX_ACROSS = 8
MAX_TILES = 64
"""Longer panoramas get fewer tiles across, so that no image can ask for unbounded time."""

_CODE_VERSION = "1"


class TileableDetector(Detector, Protocol):
    """A detector that says at which resolution it looks.

    Attributes
    ----------
    input_side : int
        Short side in pixels of what its finest look sees.
    """

    @property
    def input_side(self) -> int:
        """Short side of its finest look."""
        ...


def tile_windows(size: tuple[int, int], tiles: Tiles, input_side: int) -> list[tuple[int, int, int]]:
    """Lay out the tiles of an image.

    Parameters
    ----------
    size : (h, w)
    tiles : int or 'auto'
        So many across the short side; 'auto' as many as leave every tile no more than :data:`ENOUGH` times larger
        than `input_side`, and none if the whole image is that small.
    input_side : int
        At least 1.

    Returns
    -------
    list of (top, left, side)
        Squares within the image that cover it, row by row; empty where only the whole image is worth a look: fewer
        than two across, or tiles that would have to be enlarged more than :data:`MAX_ENLARGED` times.
    """
    short = min(size)
    if tiles == "auto":
        across = next((n for n in range(1, MAX_ACROSS + 1) if _side(short, n) <= ENOUGH * input_side), MAX_ACROSS)
    else:
        across = tiles
    for count in range(across, 1, -1):
        side = _side(short, count)
        if side * MAX_ENLARGED < input_side:
            continue
        rows, columns = _starts(size[0], side), _starts(size[1], side)
        if len(rows) * len(columns) <= MAX_TILES:
            return [(top, left, side) for top in rows for left in columns]
    return []


class TiledDetector:
    """A detector around another: the whole image and its tiles, the highest score of all.

    Parameters
    ----------
    inner : TileableDetector
    tiles : int or 'auto'
        As for :func:`tile_windows`.
    surer : (Thresholds, Thresholds), optional
        How much surer a tile must be than a whole image, since more looks mean more mistakes: scores of tiles are
        stretched so that the first, what a tile must reach, come to lie on the second, those of whole images. Without
        it a tile's score counts as it is, and a tiled detector loses more clean images.

    Attributes
    ----------
    name, version : str
    thresholds : Thresholds
    batch_size : int
    """

    def __init__(
        self, inner: TileableDetector, tiles: Tiles, surer: tuple[Thresholds, Thresholds] | None = None
    ) -> None:
        self.inner = inner
        self.tiles = tiles
        self.surer = surer
        self.thresholds = inner.thresholds
        self.name = f"{inner.name} (tiles {tiles})"

    @property
    def version(self) -> str:
        """Version of the inner detector and of the tiling."""
        surer = [f"{t.reject}:{t.review}" for t in self.surer or ()]
        return "-".join([self.inner.version, f"tiles{self.tiles}.{_CODE_VERSION}", *surer])

    @property
    def batch_size(self) -> int:
        """Images at a time: tiles fill the inner detector's batches whatever their number."""
        return self.inner.batch_size if isinstance(self.inner, BatchDetector) else 1

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        """Score one image; see :meth:`matting_data.detectors.detector.Detector.detect`."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Score several images; see :meth:`matting_data.detectors.detector.BatchDetector.detect_batch`."""
        images = [checked_image(image) for image in images]
        windows = [tile_windows((i.shape[0], i.shape[1]), self.tiles, self.inner.input_side) for i in images]
        seen = detect_all(self.inner, _looks(images, windows))
        return [self._joined([next(seen) for _ in range(1 + len(places))], places) for places in windows]

    def _joined(self, seen: Sequence[Detection], places: Sequence[tuple[int, int, int]]) -> Detection:
        whole, *parts = seen
        boxes = list(whole.boxes)
        for part, (top, left, _) in zip(parts, places, strict=True):
            boxes += [replace(b, x0=b.x0 + left, y0=b.y0 + top, x1=b.x1 + left, y1=b.y1 + top) for b in part.boxes]
        scores = [part.score if self.surer is None else stretched(part.score, *self.surer) for part in parts]
        return Detection(max([whole.score, *scores]), merged(boxes))


def stretched(score: float, reached: Thresholds, wanted: Thresholds) -> float:
    """Bring a score to where the thresholds `reached` lie on those `wanted`, linear in between; in [0, 1]."""
    return float(np.interp(common_scale(score, reached), [0, 0.25, 0.5, 1], [0, wanted.review, wanted.reject, 1]))


def _side(short: int, across: int) -> int:
    return math.ceil(short / (across - (across - 1) * OVERLAP))


def _starts(length: int, side: int) -> list[int]:
    steps = math.ceil((length - side) / (side * (1.0 - OVERLAP)))
    return [round(step * (length - side) / steps) for step in range(steps + 1)] if steps > 0 else [0]


def _looks(
    images: Sequence[NDArray[np.uint8]], windows: Sequence[list[tuple[int, int, int]]]
) -> Iterator[NDArray[np.uint8]]:
    for image, places in zip(images, windows, strict=True):
        yield image
        for top, left, side in places:
            yield np.ascontiguousarray(image[top : top + side, left : left + side])
