"""Which of the checked inputs take part: near-duplicates out, verdicts on humans, all as pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from matting_data.detectors.detector import Detection, Thresholds
from matting_data.humans.policy import NOT_EXAMINED, HumanPolicy, verdict
from matting_data.imaging.fingerprint import duplicate_of
from matting_data.recipes.licenses import allowed_licenses
from matting_data.recipes.recipe_backgrounds import Backgrounds
from matting_data.records.records import Background, Foreground

Input = TypeVar("Input", Foreground, Background)


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
    originals = duplicate_of([records[index].fingerprint for index in usable], distance)
    for index, original in zip(usable, originals, strict=True):
        if original is not None:
            twin = records[usable[original]]
            bits = _distance(records[index].fingerprint, twin.fingerprint)
            result[index] = replace(
                records[index],
                state="rejected",
                reason="near_duplicate",
                detail=f"repeats {twin.id} ({bits} of 256 fingerprint bits differ)",
            )
    return result


def judge_found(records: Sequence[Background], rules: Backgrounds) -> list[Background]:
    """Reject usable backgrounds by what is known before they are opened: their licence, and what labels say.

    Parameters
    ----------
    rules : Backgrounds
        The licences that are allowed, and what becomes of those in doubt.

    Returns
    -------
    list of Background
        Rejected ones carry ``license``, or the reason of the labels, with the rows that decided in the detail.
    """
    allowed = allowed_licenses(rules.licenses) if rules.licenses else None
    return [record if record.state != "ok" else _judged_as_found(record, rules, allowed) for record in records]


def judge_humans(
    records: Sequence[Background], policy: HumanPolicy, recommended: Thresholds | None, labels: bool = True
) -> list[Background]:
    """Give every usable background its verdict; a pure function of the stored evidence and the policy.

    Parameters
    ----------
    recommended : Thresholds or None
        Those of the detector that made the scores.
    labels : bool
        Whether what labels say stands as the reason where no detector looked.

    Returns
    -------
    list of Background
        Rejected ones carry the policy's reason, and the score in the detail.
    """
    return [record if record.state != "ok" else _judged(record, policy, recommended, labels) for record in records]


def _judged_as_found(record: Background, rules: Backgrounds, allowed: Callable[[str], bool] | None) -> Background:
    if allowed is not None and not allowed(record.license):
        detail = f"{record.license or 'no licence is known'}: the recipe allows {', '.join(rules.licenses)}"
        return replace(record, state="rejected", reason="license", detail=detail)
    doubt = record.label_verdict == "review" and rules.humans.review == "reject"
    if rules.humans.labels and (record.label_verdict == "reject" or doubt):
        verdict, reason = record.label_verdict, record.label_reason
        return replace(record, verdict=verdict, state="rejected", reason=reason, detail=record.label_rows)
    return record


def _judged(record: Background, policy: HumanPolicy, recommended: Thresholds | None, labels: bool) -> Background:
    judgement = verdict(Detection(record.score) if record.detector else None, policy, recommended)
    kept = judgement.verdict == "keep"
    reason = judgement.reason
    if kept and reason == NOT_EXAMINED and labels and record.label_reason:
        reason = record.label_reason
    return replace(
        record,
        verdict=judgement.verdict,
        state="ok" if kept else "rejected",
        reason=reason,
        detail="" if kept else f"human score {record.score:.3f}",
    )


def _distance(first: str, second: str) -> int:
    return int(np.bitwise_count(np.frombuffer(bytes.fromhex(first), np.uint8) ^ np.frombuffer(
        bytes.fromhex(second), np.uint8)).sum())  # fmt: skip
