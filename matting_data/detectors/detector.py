"""What a human detector is: the protocol every detector follows, and the records it hands on.

A detector only measures. What a measurement leads to is decided in :mod:`matting_data.humans.policy`, so that
measurements can be stored and judged again under another policy without running the detector a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import UsageError
from matting_data.records.checked import HumanBox


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector found in one image.

    Parameters
    ----------
    score : float
        Certainty in [0, 1] that the image shows at least one person.
    boxes : tuple of HumanBox
        Where, strongest first; possibly empty. For people who look at the result: no verdict depends on it.
    """

    score: float
    boxes: tuple[HumanBox, ...] = ()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The scores at which a detector's author recommends to act.

    Parameters
    ----------
    reject : float
        From here on the image shows a person almost surely.
    review : float
        From here on, up to `reject`, a person is suspected; ``0 <= review <= reject <= 1``.

    Raises
    ------
    UsageError
        If the two are not ordered within [0, 1].
    """

    reject: float
    review: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.review <= self.reject <= 1.0:
            raise UsageError(
                f"thresholds review={self.review} and reject={self.reject} are out of order: "
                "give 0 <= review <= reject <= 1"
            )


@runtime_checkable
class Detector(Protocol):
    """Something that scores how surely an image shows a person.

    Implementations are deterministic, use one thread unless told otherwise, load their weights on first use, and can
    be pickled (the weights are opened again on the other side).

    Attributes
    ----------
    name : str
        The name under which :func:`matting_data.detectors.registry.load` knows it.
    version : str
        Changes whenever weights or code change a score; part of the key under which scores are cached.
    thresholds : Thresholds
        Recommended scores for this detector.
    """

    @property
    def name(self) -> str:
        """Name in the registry."""
        ...

    @property
    def version(self) -> str:
        """Version of everything that decides a score."""
        ...

    @property
    def thresholds(self) -> Thresholds:
        """Recommended scores."""
        ...

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        """Score one image.

        Parameters
        ----------
        image : ndarray of uint8, shape (h, w, 3)
            RGB, any size from 1x1 pixel up.

        Returns
        -------
        Detection

        Raises
        ------
        UsageError
            If `image` has another layout or dtype.
        """
        ...


@runtime_checkable
class BatchDetector(Detector, Protocol):
    """A detector that is faster on several images at once.

    Attributes
    ----------
    batch_size : int
        How many images it wants at a time, at least 1.
    """

    @property
    def batch_size(self) -> int:
        """Images a batch."""
        ...

    def detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Score several images, of any sizes and any number.

        Parameters
        ----------
        images : sequence of ndarray of uint8, shape (h, w, 3)
            RGB.

        Returns
        -------
        list of Detection
            In the order of `images`. What else is in the batch changes a score by no more than the rounding of
            float32 arithmetic: less than 1e-4.

        Raises
        ------
        UsageError
            If an image has another layout or dtype.
        """
        ...


def detect_all(detector: Detector, images: Iterable[NDArray[np.uint8]]) -> Iterator[Detection]:
    """Score images one after the other, in batches where the detector offers them.

    Parameters
    ----------
    detector : Detector
    images : iterable of ndarray of uint8, shape (h, w, 3)
        RGB; no more than a batch of them is held at a time.

    Yields
    ------
    Detection
        In the order of `images`.
    """
    if not isinstance(detector, BatchDetector):
        yield from (detector.detect(image) for image in images)
        return
    rest = iter(images)
    while batch := list(islice(rest, detector.batch_size)):
        yield from detector.detect_batch(batch)


def checked_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Check an image and lay it out in C order.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        The same pixels, contiguous.

    Raises
    ------
    UsageError
        If the dtype is not uint8, the layout not (h, w, 3), or a side is empty.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise UsageError(f"a detector was given {found}: give an RGB uint8 array of shape (h, w, 3)")
    if 0 in image.shape:
        raise UsageError(f"a detector was given an empty image of shape {image.shape}: give at least 1x1 pixel")
    return np.ascontiguousarray(image)
