"""A plan that grows: what an earlier plan fixed stays, and what is new is added after it. Pure functions.

Every composite of the earlier plan keeps its background, seed, place and shard. New foregrounds, and the further
composites of those that were there, go into new shards, and only they may draw new backgrounds. The test split stays
what it was: nothing is added to it, and no new picture of a person in it is used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from matting_data.detectors.detector import Thresholds
from matting_data.errors import UsageError
from matting_data.planning.apply_decisions import apply_decisions
from matting_data.planning.pairing import pair_further
from matting_data.planning.plan import Plan, composites_of, judge_backgrounds, require_expected, shard_numbers
from matting_data.planning.selection import reject_duplicates
from matting_data.planning.splits import number_persons
from matting_data.recipes.decisions import Decision
from matting_data.recipes.recipe import Recipe
from matting_data.records.checked import CheckedBackground, CheckedForeground
from matting_data.records.codes import PlanReason, Split
from matting_data.records.judged import JudgedBackground
from matting_data.records.planned import PlannedComposite
from matting_data.seeds import derive_seed

TEST_SPLIT: PlanReason = "test_split"
"""Reason of a new foreground that belongs to the test split, by its metadata or because its person is there."""

Input = TypeVar("Input", CheckedForeground, JudgedBackground)


@dataclass(frozen=True)
class Fixed:
    """What an earlier plan decided: its composites, and the split of each foreground and background it could use."""

    composites: Sequence[PlannedComposite]
    people: Mapping[str, Split]
    photos: Mapping[str, Split]

    @classmethod
    def by(cls, plan: Plan) -> Fixed:
        """Collect what a plan decided."""
        return cls(plan.composites, splits_of(plan.foregrounds), splits_of(plan.backgrounds))


def splits_of(records: Sequence[CheckedForeground] | Sequence[JudgedBackground]) -> dict[str, Split]:
    """Map each usable input of a plan, by id, to its split."""
    return {record.id: record.split for record in records if record.state == "ok" and record.split}


def extend_plan(
    fixed: Fixed,
    foregrounds: Sequence[CheckedForeground],
    backgrounds: Sequence[CheckedBackground],
    recipe: Recipe,
    recommended: Thresholds | None = None,
    decisions: Sequence[Decision] = (),
) -> Plan:
    """Add to an earlier plan what a recipe and its checked inputs ask for beyond it.

    Extending the result by the same recipe and inputs gives the result again. What is added does not depend on how
    often a plan was extended before, but on what it held then: two appends are not one append of both, nor one plan
    of the larger recipe.

    Parameters
    ----------
    fixed : Fixed
        The earlier plan's decisions.
    foregrounds, backgrounds : sequence
        Checked records of all inputs, old and new, in the order they were found.
    recipe : Recipe
        With ``composites.per_foreground`` at least what it was.
    recommended : Thresholds or None
        Those of the detector that scored the backgrounds.
    decisions : sequence of Decision
        What people decided; applied to the earlier composites first, as :func:`apply_decisions` does.

    Returns
    -------
    Plan
        With ``appended`` set.

    Raises
    ------
    UsageError
        Too few backgrounds, or counts that differ from ``expect``.
    """
    people = _people(fixed, foregrounds, recipe)
    require_expected([record for record in people if record.state == "ok"], recipe.foregrounds.expect)
    photos = _photos(fixed, backgrounds, recipe, recommended)
    composites, notes = list(fixed.composites), tuple[str, ...]()
    if decisions:
        people, photos, composites, notes = apply_decisions(people, photos, composites, decisions, recipe)
    first = 1 + max((c.shard for c in fixed.composites if c.split == "train"), default=-1)
    train = [composite for composite in composites if composite.split == "train"]
    train += _further(composites, people, photos, recipe, first)
    return Plan(people, photos, [*train, *(c for c in composites if c.split != "train")], notes, appended=True)


def _people(fixed: Fixed, records: Sequence[CheckedForeground], recipe: Recipe) -> list[CheckedForeground]:
    """Reject near-duplicates and what belongs to the test split; all other new foregrounds are for training."""
    rules = recipe.foregrounds
    unique = _without_repeats(records, fixed.people, rules.duplicate_distance)
    usable = [record for record in unique if record.state == "ok"]
    numbers = number_persons(usable, rules.same_person_distance)
    person = {record.id: number for record, number in zip(usable, numbers, strict=True)}
    tested = {person[identity] for identity, split in fixed.people.items() if split == "test" and identity in person}
    result = []
    for record in unique:
        if record.state == "ok" and record.id in fixed.people:
            record = replace(record, split=fixed.people[record.id])
        elif record.state == "ok":
            named = rules.split.from_metadata and record.split == "test"
            record = replace(record, split="train")
            if named or person[record.id] in tested:
                why = "its metadata puts it into test" if named else "its person is in test"
                detail = f"{why}, which stays what it was when a dataset is appended to"
                record = replace(record, split=None, state="rejected", reason=TEST_SPLIT, detail=detail)
        result.append(record)
    return result


def _photos(
    fixed: Fixed, records: Sequence[CheckedBackground], recipe: Recipe, recommended: Thresholds | None
) -> list[JudgedBackground]:
    """Judge all backgrounds; those of the earlier plan keep their split, new ones without one are for training."""
    judged = judge_backgrounds(records, recipe, recommended)
    unique = _without_repeats(judged, fixed.photos, recipe.backgrounds.duplicate_distance)
    return [
        replace(record, split=fixed.photos.get(record.id) or record.split or "train")
        if record.state == "ok" or record.id in fixed.photos
        else record
        for record in unique
    ]


def _without_repeats(records: Sequence[Input], earlier: Collection[str], distance: int) -> list[Input]:
    """Reject near-duplicates, those of the earlier plan taking precedence over all others."""
    first = sorted(records, key=lambda record: record.id not in earlier)
    judged = {record.id: record for record in reject_duplicates(first, distance)}
    return [judged[record.id] for record in records]


def _further(
    composites: Sequence[PlannedComposite],
    people: Sequence[CheckedForeground],
    photos: Sequence[JudgedBackground],
    recipe: Recipe,
    first_shard: int,
) -> list[PlannedComposite]:
    """Plan the composites that foregrounds of the training split lack, in shards from `first_shard` on."""
    count = recipe.composites.per_foreground
    had: dict[str, dict[int, str]] = defaultdict(dict)
    uses: dict[str, int] = {photo.id: 0 for photo in photos if photo.state == "ok" and photo.split == "train"}
    for composite in composites:
        had[composite.foreground][composite.index] = composite.background
        if composite.background in uses:
            uses[composite.background] += 1
    ids = [record.id for record in people if record.state == "ok" and record.split == "train"]
    ids.sort(key=lambda identity: derive_seed(recipe.seed, "order", identity))
    missing = {identity: [index for index in range(count) if index not in had[identity]] for identity in ids}
    missing = {identity: indices for identity, indices in missing.items() if indices}
    try:
        pairs = pair_further(missing, {i: set(had[i].values()) for i in missing}, uses, recipe.seed)
    except ValueError as error:
        raise UsageError(f"{error}: add backgrounds, or lower composites.per_foreground") from None
    sizes = [len(indices) for indices in missing.values()]
    numbers = [first_shard + number for number in shard_numbers(sizes, recipe.store.samples_per_shard)]
    return composites_of("train", pairs, numbers, recipe)
