"""From what annotators and classifiers said of an image to a verdict: a pure function of (rows, policy).

Every row that speaks for or against a human is a *finding*; the strictest finding decides, and among equally strict
ones the first of :data:`FINDINGS`. What is said when no row speaks of a real human is the *base*: a person was looked
for and not found, or objects were boxed and none is human, or nothing is known, the weak tier.

:mod:`matting_data.humans.evidence_table` computes the same on tables of millions of rows; a test holds both together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

from matting_data.errors import UsageError, nearest
from matting_data.humans.labels import HumanLabel, LabelSet
from matting_data.humans.policy import OUTCOMES
from matting_data.records.codes import Outcome

Kind = Literal["box", "verified", "machine"]
KINDS: tuple[Kind, ...] = ("box", "verified", "machine")

Tier = Literal[
    "verified_present",
    "group_only",
    "body_part_only",
    "machine_label",
    "depiction_only",
    "lookalike_only",
    "verified_absent",
    "boxes_without_human",
    "no_human_label",
]

SHOWN_ROWS = 3
"""How many deciding rows are spelt out; the others are counted."""

_SEVERITY: dict[Outcome, int] = {"keep": 0, "review": 1, "reject": 2}


@dataclass(frozen=True, slots=True)
class EvidencePolicy:
    """What to do with each tier of evidence; a verified or boxed person always rejects.

    Parameters
    ----------
    machine_threshold : float in (0, 1] or None
        Confidence from which a classifier's label counts; None ignores classifiers. Older releases publish values of
        0.5 and above; Wake Vision takes 0.7.
    machine : {'keep', 'reject', 'review'}
        What becomes of images that only a classifier says show a human.
    group : {'keep', 'reject', 'review'}
        Of boxes marked as a group, and of labels such as Crowd or Team.
    body_part : {'keep', 'reject', 'review'}
        Of hands, faces, hair.
    depiction : {'keep', 'reject', 'review'}
        Of boxes marked as drawing or photograph of a person: a poster face teaches a matting network the wrong thing.
    lookalikes : {'keep', 'reject', 'review'}
        Of statues, mannequins, dolls, posters.
    boxes : {'keep', 'reject', 'review'}
        Of images with boxes, none of a human; about 1 in 13 of them does show one.
    weak : {'keep', 'reject', 'review'}
        Of images of which no row speaks of humans: absence of a label is no proof.

    Raises
    ------
    UsageError
        If a value is not one of these.
    """

    machine_threshold: float | None = 0.5
    machine: Outcome = "reject"
    group: Outcome = "reject"
    body_part: Outcome = "reject"
    depiction: Outcome = "reject"
    lookalikes: Outcome = "review"
    boxes: Outcome = "keep"
    weak: Outcome = "keep"

    def __post_init__(self) -> None:
        limit = self.machine_threshold
        if limit is not None and (
            isinstance(limit, bool)
            or not isinstance(limit, int | float)
            or not math.isfinite(limit)
            or not 0 < limit <= 1
        ):
            raise UsageError(f"machine_threshold {limit!r} is not a number in (0, 1]: give one, or null for none")
        for entry in fields(self)[1:]:
            value = getattr(self, entry.name)
            if value not in OUTCOMES:
                hint = nearest(value, OUTCOMES) if isinstance(value, str) else ""
                raise UsageError(f"{entry.name} {value!r} is not one of {', '.join(OUTCOMES)}{hint}")


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

    tier: Tier
    verdict: Outcome
    reason: str
    decided_by: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A kind of statement about humans: its reason code, tier, and the outcomes that must agree to be strict."""

    reason: str
    tier: Tier
    switches: tuple[str, ...]
    human: bool = True

    def outcome(self, policy: EvidencePolicy) -> Outcome:
        """Return the mildest of the policy's switches: a suspected hand counts no more than a suspicion or a hand."""
        outcomes: list[Outcome] = [getattr(policy, name) for name in self.switches]
        return min(outcomes, key=_SEVERITY.__getitem__, default="reject")


FINDINGS: tuple[Finding, ...] = (
    Finding("person_box", "verified_present", ()),
    Finding("person_verified", "verified_present", ()),
    Finding("group_box", "group_only", ("group",)),
    Finding("group_verified", "group_only", ("group",)),
    Finding("body_part_box", "body_part_only", ("body_part",)),
    Finding("body_part_verified", "body_part_only", ("body_part",)),
    Finding("person_machine", "machine_label", ("machine",)),
    Finding("group_machine", "machine_label", ("machine", "group")),
    Finding("body_part_machine", "machine_label", ("machine", "body_part")),
    Finding("depiction_box", "depiction_only", ("depiction",), human=False),
    Finding("lookalike_box", "lookalike_only", ("lookalikes",), human=False),
    Finding("lookalike_verified", "lookalike_only", ("lookalikes",), human=False),
    Finding("lookalike_machine", "lookalike_only", ("lookalikes",), human=False),
)
"""In order of precedence. Those not ``human`` leave the base standing: the stricter of the two decides."""

VERIFIED_ABSENT, BOXES_WITHOUT_HUMAN, NO_HUMAN_LABEL = "person_verified_absent", "boxes_without_human", "no_human_label"
"""Reasons of the base, strongest first."""

_ORDER = {finding.reason: number for number, finding in enumerate(FINDINGS)}


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
            return FINDINGS[_ORDER["depiction_box"]]
        if row.group and role == "person":
            role = "group"
    return FINDINGS[_ORDER[f"{role}_{row.kind}"]]


def score(finding: Finding, policy: EvidencePolicy) -> int:
    """Return a number that is larger the earlier a finding decides."""
    return 100 * _SEVERITY[finding.outcome(policy)] + 50 - _ORDER[finding.reason]


def base_score(outcome: Outcome) -> int:
    """Return the number of the base on the scale of :func:`score`: last among equally strict."""
    return 100 * _SEVERITY[outcome]


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
    """Return a classifier's confidence as thousandths, half up; of the other kinds 1 for present and 0 for absent."""
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
