"""The verdict: boundaries, 'auto', and one sentence for every unusable value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matting_data.detectors.detector import Detection, Thresholds
from matting_data.errors import UsageError
from matting_data.humans.policy import HumanPolicy, Verdict, verdict

RECOMMENDED = Thresholds(reject=0.5, review=0.25)
shares = st.floats(0, 1)


@pytest.mark.parametrize(
    ("score", "outcome", "reason"),
    [
        (0.0, "keep", "no_person_found"),
        (0.2499, "keep", "no_person_found"),
        (0.25, "reject", "person_suspected"),
        (0.4999, "reject", "person_suspected"),
        (0.5, "reject", "person_detected"),
        (1.0, "reject", "person_detected"),
    ],
)
def test_boundaries_belong_to_the_stricter_side(score: float, outcome: str, reason: str) -> None:
    assert verdict(Detection(score), HumanPolicy(), RECOMMENDED) == Verdict(outcome, reason, score)


@pytest.mark.parametrize("choice", ["keep", "reject", "review"])
def test_the_review_band_becomes_what_the_policy_says(choice: Any) -> None:
    policy = HumanPolicy(review=choice)
    assert verdict(Detection(0.3), policy, RECOMMENDED) == Verdict(choice, "person_suspected", 0.3)
    assert verdict(Detection(0.6), policy, RECOMMENDED).verdict == "reject"


def test_numbers_replace_the_recommendation() -> None:
    assert HumanPolicy(threshold=0.75).limits(RECOMMENDED) == Thresholds(reject=0.75, review=0.375)
    assert HumanPolicy(review_band=0.0).limits(RECOMMENDED) == Thresholds(reject=0.5, review=0.5)
    assert HumanPolicy(threshold=0.1, review_band=0.3).limits() == Thresholds(reject=0.1, review=0.0)


@given(shares, shares, shares, st.sampled_from(["keep", "reject", "review"]))
def test_judging_is_pure_and_monotone(score: float, threshold: float, band: float, choice: Any) -> None:
    policy = HumanPolicy(threshold=threshold, review=choice, review_band=band)
    first = verdict(Detection(score), policy)
    assert first == verdict(Detection(score), policy) == verdict(Detection(score), policy, RECOMMENDED)
    if score >= threshold:
        assert first.reason == "person_detected" and first.verdict == "reject"
    if first.reason == "no_person_found":
        assert first.verdict == "keep" and score < threshold


def test_without_a_detector_everything_is_kept_unexamined() -> None:
    assert verdict(None, HumanPolicy(detector=None)) == Verdict("keep", "not_examined", None)


@pytest.mark.parametrize(
    "values",
    [
        {"threshold": 1.5},
        {"threshold": -0.1},
        {"threshold": float("nan")},
        {"threshold": "high"},
        {"threshold": True},
        {"review_band": 2},
        {"review_band": None},
        {"review": "drop"},
        {"review": 3},
        {"detector": ""},
        {"detector": 7},
    ],
)
def test_unusable_values_are_named(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        HumanPolicy(**values)
    (field, value), message = next(iter(values.items())), str(caught.value)
    assert field in message and repr(value) in message and "\n" not in message


def test_auto_without_a_recommendation_is_refused() -> None:
    with pytest.raises(UsageError, match="auto"):
        verdict(Detection(0.5), HumanPolicy(threshold=0.5))


def test_a_missing_or_broken_score_is_refused() -> None:
    with pytest.raises(UsageError, match="no score"):
        verdict(None, HumanPolicy(), RECOMMENDED)
    for score in (float("nan"), 1.2, -0.1):
        with pytest.raises(UsageError, match="outside"):
            verdict(Detection(score), HumanPolicy(), RECOMMENDED)


def test_thresholds_have_an_order() -> None:
    with pytest.raises(UsageError, match="out of order"):
        Thresholds(reject=0.2, review=0.3)


@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.2, 0.3, 0.9])
def test_any_threshold_leaves_room_below_the_band(threshold: float) -> None:
    policy = HumanPolicy(threshold=threshold)
    assert verdict(Detection(0.0), policy, RECOMMENDED).verdict == "keep"
    assert verdict(Detection(threshold), policy, RECOMMENDED).verdict == "reject"
