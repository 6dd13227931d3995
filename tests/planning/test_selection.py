"""Which inputs take part."""

from __future__ import annotations

from dataclasses import replace

from matting_data.detectors.detector import Thresholds
from matting_data.humans.policy import HumanPolicy
from matting_data.planning.selection import judge_humans, reject_duplicates
from matting_data.records.checked import CheckedForeground
from matting_data.records.judged import JudgedBackground

ZERO = "0" * 64


def near(bits: int) -> str:
    return f"{(1 << bits) - 1:064x}"


def test_the_first_of_near_duplicates_is_kept_and_later_ones_say_what_they_repeat() -> None:
    records = [
        CheckedForeground(f"f{i}", "s", "x", fingerprint=f) for i, f in enumerate([ZERO, near(200), near(9), near(3)])
    ]
    result = reject_duplicates(records, 9)
    assert [r.state for r in result] == ["ok", "ok", "rejected", "rejected"]
    assert [r.reason for r in result[2:]] == ["near_duplicate"] * 2
    assert result[2].detail == "repeats f0 (9 of 256 fingerprint bits differ)"
    assert result[3].detail == "repeats f0 (3 of 256 fingerprint bits differ)"
    assert result[:2] == records[:2]


def test_inputs_that_are_out_already_neither_repeat_nor_are_repeated() -> None:
    broken = JudgedBackground("b0", "s", "x", state="rejected", reason="unreadable")
    hidden = JudgedBackground("b1", "s", "x", state="rejected", reason="person_detected", fingerprint=ZERO)
    kept = JudgedBackground("b2", "s", "x", fingerprint=ZERO)
    assert reject_duplicates([broken, hidden, kept], 15) == [broken, hidden, kept]


def test_minus_one_keeps_equal_pictures_and_zero_rejects_only_equal_ones() -> None:
    records = [JudgedBackground(f"b{i}", "s", "x", fingerprint=f) for i, f in enumerate([ZERO, ZERO, near(1)])]
    assert reject_duplicates(records, -1) == records
    assert [r.state for r in reject_duplicates(records, 0)] == ["ok", "rejected", "ok"]


def judged(score: float, policy: HumanPolicy) -> JudgedBackground:
    record = JudgedBackground("b", "s", "x", detector="default 1", score=score)
    return judge_humans([record], policy, Thresholds(reject=0.6, review=0.4))[0]


def test_scores_become_verdicts_with_the_score_in_the_detail_of_rejections() -> None:
    detected = judged(0.61239, HumanPolicy())
    assert (detected.verdict, detected.state, detected.reason) == ("reject", "rejected", "person_detected")
    assert detected.detail == "human score 0.612"
    suspected = judged(0.5, HumanPolicy())
    assert (suspected.verdict, suspected.state, suspected.reason) == ("reject", "rejected", "person_suspected")
    clear = judged(0.39, HumanPolicy())
    assert (clear.verdict, clear.state, clear.reason, clear.detail) == ("keep", "ok", "no_person_found", None)


def test_the_policy_may_keep_those_in_doubt_and_move_the_threshold() -> None:
    kept = judged(0.5, HumanPolicy(review="keep"))
    assert (kept.verdict, kept.state, kept.reason, kept.detail) == ("keep", "ok", "person_suspected", None)
    assert judged(0.5, HumanPolicy(threshold=0.5, review="keep")).reason == "person_detected"
    assert judged(0.5, HumanPolicy(threshold=0.9, review_band=0.0)).reason == "no_person_found"


def test_without_a_detector_all_are_kept_and_marked_as_not_examined() -> None:
    result = judge_humans([JudgedBackground("b", "s", "x")], HumanPolicy(detector=None), None)[0]
    assert (result.verdict, result.state, result.reason) == ("keep", "ok", "not_examined")


def test_a_background_that_is_out_already_gets_no_verdict() -> None:
    broken = replace(JudgedBackground("b", "s", "x"), state="failed", reason="error", detail="boom")
    assert judge_humans([broken], HumanPolicy(), Thresholds(0.6, 0.4)) == [broken]
