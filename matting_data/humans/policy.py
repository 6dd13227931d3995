"""From a detection to a verdict: a pure function of (evidence, policy).

Stored scores can therefore be judged again under another policy at any time, without running a detector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from matting_data.detectors.detector import Detection, Thresholds
from matting_data.errors import UsageError, nearest
from matting_data.records.codes import DetectorReason, Outcome

OUTCOMES: tuple[Outcome, ...] = ("keep", "reject", "review")

SEVERITY: dict[Outcome, int] = {"keep": 0, "review": 1, "reject": 2}

PERSON_DETECTED: DetectorReason = "person_detected"
"""The score reached the reject threshold."""

PERSON_SUSPECTED: DetectorReason = "person_suspected"
"""The score lies in the review band, whatever the policy does with that band."""

NO_PERSON_FOUND: DetectorReason = "no_person_found"
"""The score stayed below the review band."""

NOT_EXAMINED: DetectorReason = "not_examined"
"""The policy runs no detector."""


@dataclass(frozen=True, slots=True)
class HumanPolicy:
    """What to do with a background in which a detector may have seen someone.

    Parameters
    ----------
    detector : str or None
        Name known to :func:`matting_data.detectors.registry.load`; None runs no detector.
    threshold : float in [0, 1] or 'auto'
        Score from which a person counts as detected; 'auto' takes the detector's recommendation.
    review : {'reject', 'keep', 'review'}
        What becomes of the review band, the scores just below `threshold`. A person who slips into the backgrounds
        is a hole in the ground truth, a lost background only costs a photograph: the default rejects.
    review_band : float in [0, 1] or 'auto'
        How far below `threshold` the review band reaches; 0 means no band, 'auto' the detector's recommendation, in
        proportion to the threshold.

    Raises
    ------
    UsageError
        If a value is not one of these.
    """

    detector: str | None = "default"
    threshold: float | Literal["auto"] = "auto"
    review: Outcome = "reject"
    review_band: float | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        if self.detector is not None and (not isinstance(self.detector, str) or not self.detector):
            raise UsageError(
                f"detector {self.detector!r} is not a name: give one, such as 'default', or 'none' to skip detection"
            )
        for field in ("threshold", "review_band"):
            if getattr(self, field) != "auto":
                check_share(field, getattr(self, field), "'auto'")
        check_outcomes({"review": self.review})

    def limits(self, recommended: Thresholds | None = None) -> Thresholds:
        """Resolve 'auto' to numbers.

        Parameters
        ----------
        recommended : Thresholds, optional
            Those of the detector that made the detection; needed where a value is 'auto'.

        Returns
        -------
        Thresholds

        Raises
        ------
        UsageError
            If a value is 'auto' and `recommended` is missing.
        """
        if recommended is None:
            if self.threshold == "auto" or self.review_band == "auto":
                raise UsageError(
                    "threshold and review_band are 'auto' but no detector's thresholds are at hand: "
                    "pass the detector's thresholds, or give both as numbers"
                )
            return _band_below(self.threshold, self.review_band)
        if self.threshold == "auto" and self.review_band == "auto":
            return recommended
        threshold = recommended.reject if self.threshold == "auto" else self.threshold
        if self.review_band != "auto":
            return _band_below(threshold, self.review_band)
        # in proportion: a band of fixed width under a low threshold would reach 0 and leave nothing to keep
        ratio = recommended.review / recommended.reject if recommended.reject else 1.0
        return Thresholds(reject=threshold, review=threshold * ratio)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a background, and why.

    Parameters
    ----------
    verdict : {'keep', 'reject', 'review'}
    reason : str
        One of the reason codes of this module.
    score : float or None
        The score judged; None where no detector ran.
    """

    verdict: Outcome
    reason: DetectorReason
    score: float | None


def verdict(detection: Detection | None, policy: HumanPolicy, recommended: Thresholds | None = None) -> Verdict:
    """Judge one detection.

    Parameters
    ----------
    detection : Detection or None
        What the detector found; None only where ``policy.detector`` is None.
    policy : HumanPolicy
    recommended : Thresholds, optional
        Those of the detector that made `detection`; needed where the policy says 'auto'.

    Returns
    -------
    Verdict
        ``reject``/``person_detected`` from the threshold on, the policy's choice/``person_suspected`` in the review
        band below it, ``keep``/``no_person_found`` under that.

    Raises
    ------
    UsageError
        If `detection` is missing although the policy names a detector, its score is not in [0, 1], or 'auto' cannot
        be resolved.
    """
    if policy.detector is None:
        return Verdict("keep", NOT_EXAMINED, None)
    if detection is None:
        raise UsageError(
            f"no score of detector {policy.detector!r} is stored for a background: "
            "run the filter first, or set detector to none"
        )
    score = detection.score
    if not 0.0 <= score <= 1.0:
        raise UsageError(f"score {score!r} of detector {policy.detector!r} is outside [0, 1]: run the filter again")
    limits = policy.limits(recommended)
    if score >= limits.reject:
        return Verdict("reject", PERSON_DETECTED, score)
    if score >= limits.review:
        return Verdict(policy.review, PERSON_SUSPECTED, score)
    return Verdict("keep", NO_PERSON_FOUND, score)


def _band_below(threshold: float, band: float) -> Thresholds:
    return Thresholds(reject=threshold, review=max(0.0, threshold - band))


def check_share(name: str, value: object, otherwise: str, positive: bool = False) -> None:
    """Refuse what is not a number in [0, 1], or in (0, 1]; the UsageError offers to say `otherwise` instead."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= 1 or (positive and number == 0):
        interval = "above 0, up to 1" if positive else "from 0 to 1"
        raise UsageError(f"{name} {value!r} is not a number {interval}: give one, or {otherwise}")


def check_outcomes(values: Mapping[str, object]) -> None:
    """Refuse values that are not one of :data:`OUTCOMES`; the UsageError names the key and the nearest outcome."""
    for name, value in values.items():
        if value not in OUTCOMES:
            raise UsageError(f"{name} {value!r} is not one of {', '.join(OUTCOMES)}{nearest(str(value), OUTCOMES)}")
