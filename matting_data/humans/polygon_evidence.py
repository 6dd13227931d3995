"""From the names of outlined objects to a verdict, for SUN's LabelMe polygons: a pure function of (names, policy)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from matting_data.humans.labels import NameRole, load_sun_names, normalise
from matting_data.humans.policy import SEVERITY, check_outcomes
from matting_data.records.codes import Outcome


@dataclass(frozen=True, slots=True)
class SunPolicy:
    """What to do with each tier of polygons; a person always rejects.

    Parameters
    ----------
    body_part, possible, lookalikes, without_human, weak, unreadable : {'keep', 'reject', 'review'}
        Hands and torsos; ears, heads and hair, which may be an animal's, and names in no list that hold a person's
        word; statues; images whose polygons hold no human; images without any polygon; images whose annotation cannot
        be read in full.

    Raises
    ------
    UsageError
        If a value is not one of these.
    """

    body_part: Outcome = "reject"
    possible: Outcome = "review"
    lookalikes: Outcome = "review"
    without_human: Outcome = "keep"
    weak: Outcome = "keep"
    unreadable: Outcome = "review"

    def __post_init__(self) -> None:
        check_outcomes({entry.name: getattr(self, entry.name) for entry in fields(SunPolicy)})


@dataclass(frozen=True, slots=True)
class SunJudgement:
    """What an image's polygons amount to: the tier of evidence, the verdict, its reason code, and what decided."""

    tier: str
    verdict: Outcome
    reason: str
    decided_by: str


def judge_polygons(names: Iterable[str] | None, policy: SunPolicy | None = None, problem: str = "") -> SunJudgement:
    """Judge one image of SUN by what was outlined in it.

    Parameters
    ----------
    names : iterable of str or None
        Names of its polygons, without those taken back; None where the image has no annotation, as all but 16,873 of
        SUN's.
    policy : SunPolicy, optional
    problem : str
        Why the annotation cannot be read in full; `names` are those that can be made out.

    Returns
    -------
    SunJudgement
        The strictest of what the names say.
    """
    policy, lists = policy or SunPolicy(), load_sun_names()
    given = list(names or ())
    by_role: dict[NameRole, set[str]] = {}
    for name in given:
        by_role.setdefault(lists.role(name), set()).add(normalise(name))
    rules: tuple[tuple[NameRole, str, Outcome], ...] = (
        ("person", "polygon_present", "reject"),
        ("body_part", "polygon_body_part", policy.body_part),
        ("possible_person", "polygon_possible", policy.possible),
        ("ambiguous_part", "polygon_possible", policy.possible),
        ("lookalike", "polygon_lookalike", policy.lookalikes),
    )
    found = [
        SunJudgement(tier, outcome, f"{role}_polygon", "polygon " + "; ".join(sorted(by_role[role])[:3]))
        for role, tier, outcome in rules
        if role in by_role
    ]
    if not any(judgement.reason in ("person_polygon", "body_part_polygon") for judgement in found):
        if problem:
            found.append(SunJudgement("polygons_unreadable", policy.unreadable, "polygons_unreadable", problem))
        elif given:
            said = f"{len(given)} polygons, none human"
            found.append(SunJudgement("polygons_without_human", policy.without_human, "polygons_without_human", said))
        else:
            found.append(SunJudgement("no_polygons", policy.weak, "no_polygons", "no polygons"))
    return max(found, key=lambda judgement: SEVERITY[judgement.verdict])
