"""The rule of labels and boxes, row by row: the plain reference for the rule on tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from matting_data.humans.evidence import (
    BOXES_WITHOUT_HUMAN,
    FINDINGS,
    KINDS,
    NO_HUMAN_LABEL,
    REASONS,
    SHOWN_ROWS,
    VERIFIED_ABSENT,
    EvidencePolicy,
    Finding,
    Kind,
    base_score,
    score,
)
from matting_data.humans.evidence_table import DEPICTION, GROUP, ROW_SCHEMA, codes
from matting_data.humans.labels import HumanLabel, LabelSet
from matting_data.records.codes import Outcome


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One row of a label or box file, about one image.

    Parameters
    ----------
    kind : {'box', 'verified', 'machine'}
        A drawn box, a label that a person verified, or a classifier's.
    mid : str
        The label.
    confidence : float
        In [0, 1]; of a verified row 1 is "there" and 0 is "not there". A box of confidence 0 is no box.
    group, depiction : bool
        Flags of a box that are 1; -1 (unknown) could be a real single person and is False here.
    """

    kind: Kind
    mid: str
    confidence: float = 1.0
    group: bool = False
    depiction: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an image's rows amount to.

    Attributes
    ----------
    tier : str
        Kind of evidence that decided; a stratum of the audit.
    verdict : {"keep", "reject", "review"}
        Under the policy.
    reason : str
        Code in snake_case.
    decided_by : str
        The deciding rows: at most :data:`SHOWN_ROWS`, then the number of the others.
    """

    tier: str
    verdict: Outcome
    reason: str
    decided_by: str


def finding_of(row: LabelRow, label: HumanLabel, threshold: float | None) -> Finding | None:
    """Return what one row says, or None for a verified absence or a classifier below the threshold."""
    if row.kind == "machine":
        if threshold is None or row.confidence < threshold:
            return None
    elif row.confidence <= 0:
        return None
    role = label.role
    if row.kind == "box" and role != "lookalike":
        if row.depiction:
            return FINDINGS[REASONS.index("depiction_box")]
        if row.group and role == "person":
            role = "group"
    return FINDINGS[REASONS.index(f"{role}_{row.kind}")]


def judge(rows: Iterable[LabelRow], labels: LabelSet, policy: EvidencePolicy) -> Judgement:
    """Judge one image by all rows of all files about it.

    Parameters
    ----------
    rows : iterable of LabelRow
        In any order, also those of labels that say nothing about humans: they are counted.
    labels : LabelSet
        Which labels mean a human.
    policy : EvidencePolicy

    Returns
    -------
    Judgement
    """
    rows = list(rows)
    counts = {kind: sum(row.kind == kind and (kind != "box" or row.confidence > 0) for row in rows) for kind in KINDS}
    known = [(row, label) for row in rows if (label := labels.get(row.mid)) is not None]
    absent = {row.mid for row in rows if row.kind == "verified" and row.confidence <= 0}
    found = [
        (finding, row)
        for row, label in known
        if (finding := finding_of(row, label, policy.machine_threshold)) is not None
        and not (row.kind == "machine" and row.mid in absent)  # someone looked, and the classifier was wrong
    ]
    base: Judgement | None = None
    if not any(finding.human for finding, _ in found):
        base = _base([row for row, label in known if label.absence and row.mid in absent], counts, labels, policy)
    best = max((score(finding, policy) for finding, _ in found), default=-1)
    if base is not None and base_score(base.verdict) > best:
        return base
    winner = next(finding for finding, _ in found if score(finding, policy) == best)
    deciding = [row for finding, row in found if finding is winner]
    return Judgement(winner.tier, winner.outcome(policy), winner.reason, _spelt(deciding, labels))


def _base(absent: list[LabelRow], counts: dict[Kind, int], labels: LabelSet, policy: EvidencePolicy) -> Judgement:
    absent = [row for row in absent if row.kind == "verified" and row.confidence <= 0]
    if absent:
        return Judgement("verified_absent", "keep", VERIFIED_ABSENT, _spelt(absent, labels))
    said = f"{counts['box']} boxes, {counts['verified']} verified and {counts['machine']} machine labels, none human"
    if counts["box"]:
        return Judgement("boxes_without_human", policy.boxes, BOXES_WITHOUT_HUMAN, said)
    return Judgement("no_human_label", policy.weak, NO_HUMAN_LABEL, said)


def _spelt(rows: Iterable[LabelRow], labels: LabelSet) -> str:
    """Spell out deciding rows: box before verified before machine, then by MID, then the surest."""
    distinct = {
        (KINDS.index(row.kind), row.mid, row.depiction, row.group, -permille(row.kind, row.confidence)) for row in rows
    }
    spelt = [
        spell(KINDS[kind], mid, getattr(labels.get(mid), "name", mid), bool(depiction), bool(group), -confidence)
        for kind, mid, depiction, group, confidence in sorted(distinct)
    ]
    rest = len(spelt) - SHOWN_ROWS
    return "; ".join(spelt[:SHOWN_ROWS]) + (f"; +{rest} more" if rest > 0 else "")


def permille(kind: Kind, confidence: float) -> int:
    """Compute a classifier's confidence as thousandths, half up; of the other kinds 1 for present and 0 for absent."""
    return int(confidence * 1000 + 0.5) if kind == "machine" else int(confidence > 0)


def spell(kind: Kind, mid: str, name: str, depiction: bool, group: bool, confidence: int) -> str:
    """Write one deciding row in compact text; `confidence` in thousandths.

    >>> spell("machine", "/m/04yx4", "Man", False, False, 873)
    'machine /m/04yx4 Man 0.873'
    """
    if kind == "box":
        return f"box {mid} {name}" + (" depiction" if depiction else "") + (" group" if group else "")
    if kind == "verified":
        return f"verified {mid} {name} " + ("present" if confidence > 0 else "absent")
    return f"machine {mid} {name} {confidence // 1000}.{confidence % 1000:03d}"


def encode_rows(images: Mapping[int, Iterable[LabelRow]], labels: LabelSet) -> pl.DataFrame:
    """Return the evidence of a few images, given as for :func:`judge`, as a table.

    Parameters
    ----------
    images : mapping of int to iterable of LabelRow
        Rows of each image.
    labels : LabelSet

    Returns
    -------
    DataFrame
        Of :data:`ROW_SCHEMA`.
    """
    code = codes(labels)
    table = [
        (
            image,
            KINDS.index(row.kind),
            code.get(row.mid, 0),
            float(row.confidence),
            GROUP * row.group + DEPICTION * row.depiction,
            1,
        )
        for image, rows in images.items()
        for row in rows
    ]
    return pl.DataFrame(table, schema=ROW_SCHEMA, orient="row")
