"""Which of the checked inputs take part: near-duplicates out, verdicts on humans, all as pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from matting_data.detectors.detector import Detection, Thresholds
from matting_data.humans.policy import NOT_EXAMINED, HumanPolicy, verdict
from matting_data.planning.near_duplicates import duplicate_of
from matting_data.recipes.licenses import allowed_licenses
from matting_data.recipes.recipe_backgrounds import Backgrounds
from matting_data.records.checked import CheckedBackground, CheckedForeground
from matting_data.records.codes import Outcome, Reason
from matting_data.records.fields import widened
from matting_data.records.found import FoundBackground
from matting_data.records.judged import JudgedBackground

Input = TypeVar("Input", CheckedForeground, JudgedBackground)


class Refusal(NamedTuple):
    """Why a background is refused before it is opened; `verdict` where labels are why."""

    reason: Reason
    detail: str | None
    verdict: Outcome | None = None


def reject_duplicates(records: Sequence[Input], distance: int) -> list[Input]:
    """Reject usable records that repeat an earlier one.

    Parameters
    ----------
    records : sequence
        In the order of precedence; those with a state other than ``ok`` are passed through.
    distance : int
        Fingerprints at most this far apart (of 256 bits) are the same picture; -1 keeps all.

    Returns
    -------
    list
        With reason ``near_duplicate``, and the record it repeats in the detail.
    """
    usable = [index for index, record in enumerate(records) if record.state == "ok"]
    result = list(records)
    if distance < 0:
        return result
    prints = [records[index].fingerprint or "" for index in usable]
    originals = duplicate_of(prints, distance)
    for place, original in enumerate(originals):
        if original is not None:
            bits = (int(prints[place], 16) ^ int(prints[original], 16)).bit_count()
            result[usable[place]] = replace(
                records[usable[place]],
                state="rejected",
                reason="near_duplicate",
                detail=f"repeats {records[usable[original]].id} ({bits} of 256 fingerprint bits differ)",
            )
    return result


def refusals(records: Sequence[FoundBackground], rules: Backgrounds) -> list[Refusal | None]:
    """Say of each background whether what is known before it is opened rules it out: its licence, and its labels.

    Parameters
    ----------
    rules : Backgrounds
        The licences that are allowed, and what becomes of those in doubt.

    Returns
    -------
    list of Refusal or None
        With the reason ``license``, or that of the labels and the rows that decided.
    """
    allowed = allowed_licenses(rules.licenses) if rules.licenses else None
    outcomes = ("reject", "review") if rules.humans.review == "reject" else ("reject",)
    result: list[Refusal | None] = []
    for record in records:
        refusal = None
        if allowed is not None and not allowed(record.license or ""):
            detail = f"{record.license or 'no licence is known'}: the recipe allows {', '.join(rules.licenses)}"
            refusal = Refusal("license", detail)
        elif rules.humans.labels and record.label_verdict in outcomes and record.label_reason:
            refusal = Refusal(record.label_reason, record.label_rows, record.label_verdict)
        result.append(refusal)
    return result


def judge_found(records: Sequence[CheckedBackground], rules: Backgrounds) -> list[JudgedBackground]:
    """Reject usable backgrounds that :func:`refusals` rules out; the others have no verdict yet."""
    judged = [widened(record, JudgedBackground) for record in records]
    return [
        replace(row, state="rejected", **refusal._asdict()) if row.state == "ok" and refusal is not None else row
        for row, refusal in zip(judged, refusals(records, rules), strict=True)
    ]


def judge_humans(
    records: Sequence[JudgedBackground], policy: HumanPolicy, recommended: Thresholds | None, labels: bool = True
) -> list[JudgedBackground]:
    """Give every usable background its verdict; a pure function of the stored evidence and the policy.

    Parameters
    ----------
    recommended : Thresholds or None
        Those of the detector that made the scores.
    labels : bool
        Whether what labels say stands as the reason where no detector looked.

    Returns
    -------
    list of JudgedBackground
        Rejected ones carry the policy's reason, and the score in the detail.
    """
    result = []
    for record in records:
        if record.state == "ok":
            judged = verdict(None if record.score is None else Detection(record.score), policy, recommended)
            by_labels = judged.reason == NOT_EXAMINED and labels and record.label_reason
            record = replace(record, verdict=judged.verdict, reason=by_labels or judged.reason, detail=None)
            if judged.verdict != "keep":
                record = replace(record, state="rejected", detail=f"human score {judged.score:.3f}")
        result.append(record)
    return result
