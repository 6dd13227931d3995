"""Several detectors as one: whoever any of them rejects is rejected."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.boxes import merged
from matting_data.detectors.detector import BatchDetector, Detection, Detector, Thresholds, detect_all

THRESHOLDS = Thresholds(reject=0.5, review=0.25)
"""Where every detector's own thresholds come to lie."""

_BELOW_HALF = math.nextafter(0.5, 0.0)
_CODE_VERSION = "1"


def common_scale(score: float, thresholds: Thresholds) -> float:
    """Bring a score onto the scale that all detectors of a combination share.

    Parameters
    ----------
    score : float
        In [0, 1].
    thresholds : Thresholds
        Of the detector that gave it.

    Returns
    -------
    float
        In [0, 1], never falling as `score` rises, linear between 0, the review threshold, the reject threshold and 1:
        at or above 0.5 exactly when `score` reaches the reject threshold, at or above 0.25 exactly when it reaches
        the review threshold.
    """
    review, reject = thresholds.review, thresholds.reject
    if score >= reject:
        return 0.5 + 0.5 * ((score - reject) / (1.0 - reject) if reject < 1.0 else 1.0)
    if score >= review:
        return min(0.25 + 0.25 * (score - review) / (reject - review), _BELOW_HALF)
    return 0.25 * score / review


class CombinedDetector:
    """Detectors of which any may reject: the highest of their scores on the common scale.

    Parameters
    ----------
    parts : sequence of Detector
        At least one.

    Attributes
    ----------
    name, version : str
    thresholds : Thresholds
        0.5 and 0.25: an image is rejected, or in doubt, where one of the parts recommends so. A version follows the
        parts' thresholds, since they are in the score.
    batch_size : int
    """

    thresholds = THRESHOLDS

    def __init__(self, parts: Sequence[Detector]) -> None:
        self.parts = tuple(parts)
        self.name = " + ".join(part.name for part in self.parts)

    @property
    def version(self) -> str:
        """A digest of the parts' names, versions and thresholds."""
        decisive = [(p.name, p.version, p.thresholds.reject, p.thresholds.review) for p in self.parts]
        return f"{_CODE_VERSION}-{hashlib.sha256(repr(decisive).encode()).hexdigest()[:12]}"

    @property
    def batch_size(self) -> int:
        """The largest batch a part asks for."""
        return max(part.batch_size if isinstance(part, BatchDetector) else 1 for part in self.parts)

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        """Score one image; see :meth:`matting_data.detectors.detector.Detector.detect`."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Score several images; see :meth:`matting_data.detectors.detector.BatchDetector.detect_batch`.

        Boxes keep the score and label that their own detector gave them.
        """
        seen = [list(detect_all(part, images)) for part in self.parts]
        return [self._joined([part[i] for part in seen]) for i in range(len(images))]

    def _joined(self, seen: Sequence[Detection]) -> Detection:
        scores = [common_scale(d.score, part.thresholds) for d, part in zip(seen, self.parts, strict=True)]
        return Detection(max(scores), merged([box for detection in seen for box in detection.boxes]))
