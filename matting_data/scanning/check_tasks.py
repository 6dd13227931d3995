"""The tasks of a scan's workers: checking some inputs, and scoring backgrounds in the batches a detector wants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.detector import Detector, detect_all
from matting_data.errors import at
from matting_data.records.checked import CheckedBackground, CheckedForeground
from matting_data.scanning.checks import check_background, check_foreground, with_detection
from matting_data.sources.find_backgrounds import BackgroundInput
from matting_data.sources.find_foregrounds import ForegroundInput
from matting_data.sources.inputs import local_files
from matting_data.workspace.colour_cache import ColourCache

Input = TypeVar("Input", CheckedForeground, CheckedBackground)

Found = TypeVar("Found", ForegroundInput, BackgroundInput)

Answer = tuple[str | None, Input]
"""The stamp of the state that was checked, and the checked record."""

_Decoded = tuple[str | None, CheckedBackground, NDArray[np.uint8]]
"""A background that waits for its score: stamp, record and photograph."""

_BATCH_PIXELS = 50_000_000
"""Decoded photographs held at once, whatever the size of a batch."""


@dataclass(frozen=True)
class Item(Generic[Found]):
    """An input to check; `examined` is False for one that is rejected as it was found.

    Without a `stamp` the system does not say in which state its files are: what a check finds is not kept.
    """

    found: Found
    stamp: str | None
    examined: bool = True


class CheckTask(ABC, Generic[Found, Input]):
    """Checks inputs; an error of our own names the input it was at."""

    def files(self, items: Sequence[Item[Found]]) -> Iterator[Path]:
        """Yield the local files of some inputs."""
        return local_files(file for item in items for file in item.found.files)

    @abstractmethod
    def __call__(self, items: Sequence[Item[Found]]) -> list[Answer[Input]]:
        """Check some inputs."""


@dataclass
class CheckForegrounds(CheckTask[ForegroundInput, CheckedForeground]):
    """Checks foregrounds."""

    min_side: int
    colours: ColourCache

    def __call__(self, items: Sequence[Item[ForegroundInput]]) -> list[Answer[CheckedForeground]]:
        """Check some foregrounds."""
        answers = []
        for item in items:
            with at(item.found.record.id):
                answers.append((item.stamp, check_foreground(item.found, self.min_side, self.colours)))
        return answers


@dataclass
class CheckBackgrounds(CheckTask[BackgroundInput, CheckedBackground]):
    """Checks and scores backgrounds."""

    min_side: int
    max_pixels: int
    detector: Detector | None

    def __call__(self, items: Sequence[Item[BackgroundInput]]) -> list[Answer[CheckedBackground]]:
        """Check some backgrounds, and score those that pass."""
        answers: list[Answer[CheckedBackground]] = []
        waiting: list[_Decoded] = []
        for item in items:
            with at(item.found.record.id):
                record, image = check_background(item.found, self.min_side, self.max_pixels)
            if image is None or self.detector is None:
                answers.append((item.stamp, record))
                continue
            waiting.append((item.stamp, record, image))
            if sum(image.size for _, _, image in waiting) > 3 * _BATCH_PIXELS:
                answers += self._scored(self.detector, waiting)
                waiting = []
        return answers + (list(self._scored(self.detector, waiting)) if self.detector is not None else [])

    def _scored(self, detector: Detector, waiting: Sequence[_Decoded]) -> Iterator[Answer[CheckedBackground]]:
        with at(" or ".join(record.id for _, record, _ in waiting)):
            detections = list(detect_all(detector, [image for _, _, image in waiting]))
        for (stamp, record, _), detection in zip(waiting, detections, strict=True):
            with at(record.id):
                yield stamp, with_detection(record, detector, detection)
