"""From label rows to verdicts: every tier, the traps, and the fast path saying the same as the plain rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import UsageError
from matting_data.humans.evidence import FINDINGS, EvidencePolicy, score
from matting_data.humans.evidence_table import judge_table
from matting_data.humans.labels import load_label_set
from tests.support.evidence_rule import Judgement, LabelRow, encode_rows, judge

LABELS = load_label_set()
PERSON, MAN, HUMAN, CROWD, HAND, STATUE, SKULL = (
    "/m/01g317", "/m/04yx4", "/m/0dgw9r", "/m/03qtwd", "/m/0k65p", "/m/013_1c", "/m/016m2d",
)  # fmt: skip
LAPTOP, YOYO = "/m/01c648", "/m/0242l"


def said(mid: str, confidence: float) -> LabelRow:
    return LabelRow("verified", mid, confidence)


def guessed(mid: str, confidence: float) -> LabelRow:
    return LabelRow("machine", mid, confidence)


def boxed(mid: str, confidence: float = 1, **flags: bool) -> LabelRow:
    return LabelRow("box", mid, confidence, **flags)


def judged(*rows: LabelRow, **policy: Any) -> Judgement:
    return tabled([rows], EvidencePolicy(**policy))[0]


def tabled(images: Sequence[Iterable[LabelRow]], policy: EvidencePolicy) -> list[Judgement]:
    rows, ids = encode_rows(dict(enumerate(images)), LABELS), pl.Series(range(len(images)), dtype=pl.UInt64)
    table = judge_table(rows, ids, LABELS, policy)
    return [Judgement(*row) for row in table.select("tier", "verdict", "reason", "decided_by").iter_rows()]


@pytest.mark.parametrize(
    ("rows", "tier", "verdict", "reason"),
    [
        ([said(PERSON, 1)], "verified_present", "reject", "person_verified"),
        ([said(PERSON, 0)], "verified_absent", "keep", "person_verified_absent"),
        ([said(MAN, 0)], "no_human_label", "keep", "no_human_label"),
        ([said(PERSON, 0), said(MAN, 1)], "verified_present", "reject", "person_verified"),
        ([said(PERSON, 0), boxed(MAN)], "verified_present", "reject", "person_box"),
        ([said(PERSON, 0), said(PERSON, 1)], "verified_present", "reject", "person_verified"),
        ([said(PERSON, 0), guessed(PERSON, 0.9)], "verified_absent", "keep", "person_verified_absent"),
        ([said(PERSON, 0), guessed(MAN, 0.9)], "machine_label", "reject", "person_machine"),
        ([said(PERSON, 0), said(HAND, 1)], "body_part_only", "reject", "body_part_verified"),
        ([boxed(PERSON)], "verified_present", "reject", "person_box"),
        ([boxed(PERSON, 0)], "no_human_label", "keep", "no_human_label"),
        ([boxed(PERSON, group=True)], "group_only", "reject", "group_box"),
        ([said(CROWD, 1)], "group_only", "reject", "group_verified"),
        ([boxed(PERSON, depiction=True)], "depiction_only", "reject", "depiction_box"),
        ([boxed(HAND)], "body_part_only", "reject", "body_part_box"),
        ([boxed(SKULL)], "lookalike_only", "review", "lookalike_box"),
        ([said(STATUE, 1), said(PERSON, 0)], "lookalike_only", "review", "lookalike_verified"),
        ([said(STATUE, 0)], "no_human_label", "keep", "no_human_label"),
        ([guessed(PERSON, 0.5)], "machine_label", "reject", "person_machine"),
        ([guessed(PERSON, 0.499999)], "no_human_label", "keep", "no_human_label"),
        ([boxed(LAPTOP)], "boxes_without_human", "keep", "boxes_without_human"),
        ([], "no_human_label", "keep", "no_human_label"),
    ],
)  # fmt: skip
def test_tiers_under_the_default_policy(rows: list[LabelRow], tier: str, verdict: str, reason: str) -> None:
    result = judged(*rows)
    assert (result.tier, result.verdict, result.reason) == (tier, verdict, reason)


def test_the_counterexample_of_the_maintainers_is_kept_in_the_weak_tier() -> None:
    result = judged(said(YOYO, 1), said(LAPTOP, 1))  # ca8b3187cf011043 shows people
    assert result == Judgement(
        "no_human_label", "keep", "no_human_label", "0 boxes, 2 verified and 0 machine labels, none human"
    )
    assert judged(said(YOYO, 1), weak="review").verdict == "review"


def test_the_strictest_finding_decides_and_a_kept_one_names_the_tier() -> None:
    rows = said(HAND, 1), guessed(PERSON, 0.8)
    assert judged(*rows, body_part="keep").reason == "person_machine"
    assert judged(*rows, body_part="keep", machine="keep").tier == "body_part_only"
    assert judged(*rows, body_part="review", machine="review").reason == "body_part_verified"
    statue = boxed(STATUE)
    assert judged(statue, lookalikes="keep") == Judgement(
        "lookalike_only", "keep", "lookalike_box", "box /m/013_1c Statue"
    )
    assert judged(statue, lookalikes="keep", boxes="review").reason == "boxes_without_human"
    poster = boxed(PERSON, depiction=True)
    assert judged(poster, depiction="keep").tier == "depiction_only"
    assert judged(poster, said(PERSON, 0), depiction="keep", boxes="reject").verdict == "keep"


def test_a_suspected_part_counts_no_more_than_a_suspicion_or_a_part() -> None:
    hand = guessed(HAND, 0.9)
    assert judged(hand).verdict == "reject"
    assert judged(hand, body_part="review").verdict == "review"
    assert judged(hand, machine="keep").verdict == "keep"


def test_classifiers_can_be_ignored_and_thresholds_are_exact() -> None:
    row = guessed(PERSON, 0.7)
    assert judged(row, machine_threshold=None).tier == "no_human_label"
    assert judged(row, machine_threshold=0.7).tier == "machine_label"


def test_deciding_rows_are_spelt_and_the_rest_counted() -> None:
    rows = [said(mid, 1) for mid in (PERSON, MAN, HUMAN, "/m/03bt1vf")]
    assert judged(*rows, *rows).decided_by == (
        "verified /m/01g317 Person present; verified /m/03bt1vf Woman present; verified /m/04yx4 Man present; +1 more"
    )
    assert judged(guessed(MAN, 0.8726)).decided_by == "machine /m/04yx4 Man 0.873"
    assert judged(boxed(MAN, group=True, depiction=True)).decided_by == "box /m/04yx4 Man depiction group"
    assert judged(said(PERSON, 0)).decided_by == "verified /m/01g317 Person absent"


@pytest.mark.parametrize("value", [0, -0.1, 1.5, float("nan"), "0.5", True])
def test_thresholds_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="machine_threshold"):
        EvidencePolicy(machine_threshold=value)


@pytest.mark.parametrize("field", ["machine", "group", "body_part", "depiction", "lookalikes", "boxes", "weak"])
def test_outcomes_that_are_none_are_refused_with_the_nearest(field: str) -> None:
    with pytest.raises(UsageError, match=f"{field} 'rejct' is not one of keep, reject, review; did you mean 'reject'"):
        EvidencePolicy(**{field: "rejct"})


def test_scores_of_findings_differ_so_that_one_of_them_decides() -> None:
    scores = [score(finding, EvidencePolicy()) for finding in FINDINGS]
    assert len(set(scores)) == len(scores)


mids = st.sampled_from(
    [PERSON, MAN, HUMAN, CROWD, HAND, STATUE, SKULL, LAPTOP, YOYO, "/m/09g5pq", "/m/03q69", "/m/011l78"]
)
confidences = st.sampled_from([0.0, 1.0]) | st.sampled_from([0.5, 0.7, 0.499999, 0.0004, 0.9996]) | st.floats(0, 1)
label_rows = st.builds(
    LabelRow, st.sampled_from(["box", "verified", "machine"]), mids, confidences, st.booleans(), st.booleans()
)
outcomes = st.sampled_from(["keep", "reject", "review"])
policies = st.builds(
    EvidencePolicy, st.none() | st.sampled_from([0.5, 0.7, 1.0]) | st.floats(0.001, 1), outcomes, outcomes, outcomes,
    outcomes, outcomes, outcomes, outcomes,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(label_rows, max_size=6), min_size=1, max_size=12), policies)
def test_tables_and_the_plain_rule_agree(images: list[list[LabelRow]], policy: EvidencePolicy) -> None:
    numbered = dict(enumerate(images))
    table = judge_table(encode_rows(numbered, LABELS), pl.Series(list(numbered), dtype=pl.UInt64), LABELS, policy)
    assert tabled(images, policy) == [judge(rows, LABELS, policy) for rows in images]
    assert table["boxes"].to_list() == [sum(r.kind == "box" and r.confidence > 0 for r in rows) for rows in images]


@settings(deadline=None)
@given(st.lists(label_rows, max_size=8), policies, st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[LabelRow], policy: EvidencePolicy, random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert tabled([rows], policy) == tabled([shuffled], policy) == [judge(rows, LABELS, policy)]
