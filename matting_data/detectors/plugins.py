"""What all detector plug-ins share: batches, which classes are people, the step to a Detection, versions of weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.boxes import MAX_BOX_OVERLAP, MAX_BOXES, suppressed
from matting_data.detectors.detector import Detection, Thresholds, checked_image
from matting_data.detectors.output_layouts import person_class
from matting_data.detectors.sessions import PerProcess
from matting_data.detectors.spec import DetectorSpec, Limits
from matting_data.errors import MattingDataError, UsageError, nearest
from matting_data.records.checked import HumanBox
from matting_data.storage.atomic import sha256_file

BOX_SCORE = 0.1
"""Weaker boxes are not handed on."""

_PERSON = "person"
_SLACK = 1e-3


class Model(Protocol):
    """A network, opened: what a plug-in adds to :class:`PluginDetector`."""

    fixed_batch: int | None
    """How many images it takes at a time, where it does not leave that open."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Score one batch of checked images."""
        ...


Opened = TypeVar("Opened", bound=Model)


class PluginDetector(Generic[Opened]):
    """A detector that a specification describes and whose model is opened on the first image.

    Parameters
    ----------
    spec : DetectorSpec
        Its thresholds are those recommended; 0.5 and 0.25 where it has none.
    opens : callable
        Picklable; returns the model.
    """

    def __init__(self, spec: DetectorSpec, opens: Callable[[], Opened]) -> None:
        limits = spec.thresholds or Limits()
        self.spec = spec
        self.thresholds = Thresholds(limits.reject, limits.review)
        self.batch_size = spec.batch_size
        self.model = PerProcess(opens)

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        """Score one image; see :meth:`matting_data.detectors.detector.Detector.detect`."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Score several images; see :meth:`matting_data.detectors.detector.BatchDetector.detect_batch`.

        Raises
        ------
        UsageError
            If an image has another layout or dtype; and what opening the model raises.
        """
        model = self.model()
        step = model.fixed_batch or self.batch_size
        found: list[Detection] = []
        for start in range(0, len(images), step):
            found += model.detect([checked_image(image) for image in images[start : start + step]])
        return found


def person_numbers(
    wanted: Sequence[str | int] | None, names: Mapping[int, str], count: int, source: str
) -> tuple[int, ...]:
    """Find the numbers of the classes that count as a person.

    Parameters
    ----------
    wanted : sequence of str or int, optional
        ``person_classes`` of a specification.
    names : mapping of int to str
        Names of the classes; empty where the file has none.
    count : int
        How many classes there are.
    source : str
        What to call the file in errors.

    Returns
    -------
    tuple of int
        In rising order, at least one.

    Raises
    ------
    UsageError
        If a class is not there, or none is given and the one of a person cannot be told.
    """
    if wanted is None:
        coco = None if names else person_class(count)
        found = _called(_PERSON, names) if coco is None else [coco]
        if not found:
            what = f"its classes are {_few(names)}" if names else f"it has {count} classes without names"
            raise UsageError(f"{source} has no class 'person' ({what}): list those of people as 'person_classes'")
        return tuple(sorted(found))
    numbers: set[int] = set()
    for item in wanted:
        found = [item] if isinstance(item, int) else _called(item, names)
        if not found:
            what = f"its classes are {_few(names)}{nearest(str(item), names.values())}" if names else "give numbers"
            raise UsageError(f"person_classes names {item!r}, which {source} does not know by name: {what}")
        if isinstance(item, int) and item >= count:
            raise UsageError(f"person_classes names the class {item}, but {source} has 0 to {count - 1}: correct it")
        numbers.update(found)
    return tuple(sorted(numbers))


def _called(name: str, names: Mapping[int, str]) -> list[int]:
    return [number for number, each in names.items() if each.strip().lower() == name.strip().lower()]


def people_found(scores: NDArray[np.float32], corners: NDArray[np.float32], size: tuple[int, int]) -> Detection:
    """Turn what a network says of one image into a Detection.

    Parameters
    ----------
    scores : ndarray of float32, shape (n,)
        In [0, 1].
    corners : ndarray of float32, shape (n, 4)
        x0, y0, x1, y1 in pixels of the image, which they may leave.
    size : (h, w)
        Of the image.

    Returns
    -------
    Detection
        Its score is the strongest of all, its boxes those from :data:`BOX_SCORE` on after suppression.

    Raises
    ------
    UsageError
        If a score is not a number in [0, 1]: the outputs were misread.
    """
    if not len(scores):
        return Detection(0.0)
    if not np.isfinite(scores).all():
        raise UsageError("the detector puts out scores that are not numbers: export it in float32")
    if scores.min() < -_SLACK or scores.max() > 1 + _SLACK:
        raise UsageError(
            f"the detector puts out scores from {scores.min():.3g} to {scores.max():.3g}, not from 0 to 1: "
            "set another 'format'"
        )
    scores = np.clip(scores, 0.0, 1.0)
    strong = (scores >= BOX_SCORE) & np.isfinite(corners).all(axis=1)
    found = []
    limit = np.asarray([size[1], size[0], size[1], size[0]], dtype=np.float32)
    inside = np.clip(corners[strong], 0.0, limit)
    for i in suppressed(inside, scores[strong], MAX_BOX_OVERLAP, MAX_BOXES):
        x0, y0, x1, y1 = (float(value) for value in inside[i])
        found.append(HumanBox(x0, y0, max(x0, x1), max(y0, y1), float(scores[strong][i]), _PERSON))
    return Detection(float(scores.max()), tuple(found))


def version_of(code_version: str, files: Iterable[Path], *options: object) -> str:
    """Compute the version of a plug-in: its code's, and a digest of its files' content and its options.

    Raises
    ------
    MattingDataError
        If a file cannot be read.
    """
    try:
        decisive = [(path.name, sha256_file(path)) for path in sorted(files)]
    except OSError as error:
        raise MattingDataError(f"the detector's weights cannot be read ({error}): check the file") from None
    return f"{code_version}-{hashlib.sha256(repr((decisive, options)).encode()).hexdigest()[:12]}"


def _few(names: Mapping[int, str]) -> str:
    shown = [repr(name) for name in list(names.values())[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
