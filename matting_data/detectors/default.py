"""The offline default detector: SSDLite and MediaPipe's pose detector, joined by a logistic curve.

Three numbers join the two and two thresholds go with them. All five were fitted on the 412 labelled photographs that
``benchmarks/human_filter.py`` scores by cross-validation; ``python -m benchmarks.human_filter --fit`` prints them.
The score therefore reads as the probability of a person in a collection like that one, where 42 % of the photographs
show somebody. Where people are rarer the same score means less, and the thresholds err on the side of rejecting.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors import pose, ssdlite
from matting_data.detectors.boxes import MAX_BOX_OVERLAP, MAX_BOXES, suppressed
from matting_data.detectors.bundled_network import Network, weights_index
from matting_data.detectors.detector import Detection, Thresholds, checked_image
from matting_data.detectors.scaling import reduced_size, resized
from matting_data.records.checked import HumanBox

LONG_SIDE = 1024
"""Larger images are reduced to it first: nothing the detector can see is lost, and its cost is bounded."""

INTERCEPT = 0.8165
SSDLITE_WEIGHT = 1.4037
POSE_WEIGHT = 0.7529
THRESHOLDS = Thresholds(reject=0.356, review=0.099)
TILE_THRESHOLDS = Thresholds(reject=0.910, review=0.736)
"""What a tile must reach to count as much as a whole photograph at :data:`THRESHOLDS`: tiles alone reach them in 2 %
and 5 % of the clean photographs, with two tiles across."""

BOX_LOGIT = -1.0

_CODE_VERSION = "1"
"""Raise it with any change of code that changes a score; changes of weights and numbers are seen by themselves."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The raw readings behind one score: log odds of the strongest anchor of each look.

    Parameters
    ----------
    whole, dense, pose : float
    """

    whole: float
    dense: float
    pose: float


class DefaultDetector:
    """Human detector that needs nothing but the weights in this package.

    Parameters
    ----------
    thresholds : Thresholds, optional
        Others than the fitted ones.

    Attributes
    ----------
    name, version : str
    input_side : int
        Short side in pixels of its finest look.
    thresholds : Thresholds
        `review` loses about 15 % of the clean photographs, `reject` about 5 %.
    """

    name = "default"
    input_side = ssdlite.DENSE_SHORT_SIDE

    def __init__(self, thresholds: Thresholds = THRESHOLDS) -> None:
        self.thresholds = thresholds
        self._ssdlite = Network(ssdlite.WEIGHTS)
        self._pose = Network(pose.WEIGHTS)

    @property
    def version(self) -> str:
        """Code version and a digest of everything else that decides a score."""
        index = weights_index()
        decisive: list[Any] = [index[name]["sha256"] for name in (ssdlite.WEIGHTS, pose.WEIGHTS)]
        decisive += [LONG_SIDE, INTERCEPT, SSDLITE_WEIGHT, POSE_WEIGHT, ssdlite.DENSE_SHORT_SIDE, ssdlite.DENSE_LEVELS]
        return f"{_CODE_VERSION}-{hashlib.sha256(repr(decisive).encode()).hexdigest()[:12]}"

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        """Score one image; see :meth:`matting_data.detectors.detector.Detector.detect`.

        Parameters
        ----------
        image : ndarray of uint8, shape (h, w, 3)
            RGB, any size from 1x1 pixel up.

        Returns
        -------
        Detection
            Boxes carry the certainty of their own network, from about 0.27 on; a score near the thresholds may come
            without any.

        Raises
        ------
        UsageError
            If `image` has another layout or dtype.
        """
        looks = self._looks(image)
        return Detection(joined(_readings(looks)), _boxes(looks, image.shape[0], image.shape[1]))

    def readings(self, image: NDArray[np.uint8]) -> Readings:
        """Measure the raw readings behind the score, for calibration and benchmarks.

        Parameters
        ----------
        image : ndarray of uint8, shape (h, w, 3)
            RGB.
        """
        return _readings(self._looks(image))

    def _looks(self, image: NDArray[np.uint8]) -> dict[str, ssdlite.Look]:
        image = checked_image(image)
        image = resized(image, reduced_size((image.shape[0], image.shape[1]), LONG_SIDE))
        looks = {
            "whole": ssdlite.look_at_whole(self._ssdlite, image),
            "dense": ssdlite.look_closer(self._ssdlite, image),
        }
        return looks | {"pose": pose.look_at_whole(self._pose, image)}


def joined(readings: Readings) -> float:
    """Compute the score of `readings`: a logistic curve over the stronger SSDLite reading and the pose reading.

    Parameters
    ----------
    readings : Readings

    Returns
    -------
    float
        In [0, 1].
    """
    strongest = max(readings.whole, readings.dense)
    return _logistic(INTERCEPT + SSDLITE_WEIGHT * strongest + POSE_WEIGHT * readings.pose)


def _readings(looks: dict[str, ssdlite.Look]) -> Readings:
    return Readings(**{name: float(look.logits.max()) for name, look in looks.items()})


def _boxes(looks: dict[str, ssdlite.Look], height: int, width: int) -> tuple[HumanBox, ...]:
    logits = np.concatenate([look.logits for look in looks.values()])
    shares = np.concatenate([look.boxes for look in looks.values()])
    strong = logits >= BOX_LOGIT
    logits, corners = logits[strong], shares[strong] * np.asarray([width, height, width, height], dtype=np.float32)
    found = []
    for i in suppressed(corners, logits, MAX_BOX_OVERLAP, MAX_BOXES):
        x0, y0, x1, y1 = (float(value) for value in corners[i])
        found.append(HumanBox(x0, y0, x1, y1, _logistic(float(logits[i])), "person"))
    return tuple(found)


def _logistic(value: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(value, -60.0, 60.0))))
