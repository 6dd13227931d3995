"""What is known of humans in an image of OpenImages, and the policy that says what each kind of it leads to.

Every row of a label or box file that speaks for or against a human is a *finding*; the strictest finding decides, and
among equally strict ones the first of :data:`FINDINGS`. If no row speaks of a real human, the *base* decides: a
person was looked for and not found, or objects were boxed and none is human, or nothing is known, the weak tier.

:mod:`matting_data.humans.evidence_table` applies this rule. Its test holds it against the same rule written row by
row.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from matting_data.humans.policy import SEVERITY, check_outcomes, check_share
from matting_data.records.codes import Outcome

Kind = Literal["box", "verified", "machine"]
KINDS: tuple[Kind, ...] = ("box", "verified", "machine")

SHOWN_ROWS = 3
"""How many deciding rows are spelt out; the others are counted."""


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
        if self.machine_threshold is not None:
            check_share("machine_threshold", self.machine_threshold, "null for none", positive=True)
        check_outcomes({entry.name: getattr(self, entry.name) for entry in fields(EvidencePolicy)[1:]})


@dataclass(frozen=True, slots=True)
class Finding:
    """A kind of statement about humans: its reason code, tier, and the outcomes that must agree to be strict."""

    reason: str
    tier: str
    switches: tuple[str, ...]
    human: bool = True

    def outcome(self, policy: EvidencePolicy) -> Outcome:
        """Take the mildest of the policy's switches: a suspected hand counts no more than a suspicion or a hand."""
        outcomes: list[Outcome] = [getattr(policy, name) for name in self.switches]
        return min(outcomes, key=SEVERITY.__getitem__, default="reject")


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

REASONS = [finding.reason for finding in FINDINGS]


def score(finding: Finding, policy: EvidencePolicy) -> int:
    """Rank a finding: the larger the number, the earlier it decides."""
    return 100 * SEVERITY[finding.outcome(policy)] + 50 - REASONS.index(finding.reason)


def base_score(outcome: Outcome) -> int:
    """Rank the base on the scale of :func:`score`: last among equally strict."""
    return 100 * SEVERITY[outcome]
