"""The plan: every composite of the dataset, before the first pixel."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matting_data.detectors.detector import Thresholds
from matting_data.errors import UsageError
from matting_data.humans.policy import HumanPolicy
from matting_data.planning.apply_decisions import apply_decisions
from matting_data.planning.pairing import pair
from matting_data.planning.selection import judge_found, judge_humans, reject_duplicates
from matting_data.planning.splits import split_backgrounds, split_foregrounds
from matting_data.recipes.decisions import Decision
from matting_data.recipes.recipe import Expect, Recipe
from matting_data.records.checked import CheckedBackground, CheckedForeground
from matting_data.records.codes import Split
from matting_data.records.fields import values
from matting_data.records.judged import JudgedBackground
from matting_data.records.planned import PlannedBackground, PlannedComposite, PlannedForeground
from matting_data.seeds import derive_seed
from matting_data.shards.names import SPLITS


@dataclass(frozen=True)
class Plan:
    """What a recipe makes of its checked inputs.

    Attributes
    ----------
    foregrounds, backgrounds : list
        All inputs with their verdicts and splits, in the order they were found.
    composites : list of PlannedComposite
        Ordered by split, shard and position in the shard.
    notes : tuple of str
        What a user should know of the evidence behind the verdicts.
    without_decisions : str
        Hash of the plan before people decided; empty where there are none.
    appended : bool
        Whether it grew out of an earlier plan (:mod:`matting_data.planning.extension`), so that the recipe alone does
        not lead to it.
    """

    foregrounds: list[CheckedForeground]
    backgrounds: list[JudgedBackground]
    composites: list[PlannedComposite]
    notes: tuple[str, ...] = ()
    without_decisions: str = ""
    appended: bool = False

    @property
    def sha256(self) -> str:
        """Hash of all that decides the pixels: composites, and the hashes of the files they use."""
        digest = hashlib.sha256()
        for foreground in self.usable_foregrounds().values():
            digest.update(repr(foreground.decides).encode())
        for background in self.usable_backgrounds().values():
            digest.update(repr(background.decides).encode())
        for composite in self.composites:
            digest.update(repr(values(composite)).encode())
        return digest.hexdigest()

    def usable_foregrounds(self) -> dict[str, PlannedForeground]:
        """Extract what composites need of each usable foreground, by id."""
        return {record.id: PlannedForeground.of(record) for record in self.foregrounds if record.state == "ok"}

    def usable_backgrounds(self) -> dict[str, PlannedBackground]:
        """Extract what composites need of each usable background, by id."""
        return {record.id: PlannedBackground.of(record) for record in self.backgrounds if record.state == "ok"}

    def shards(self) -> dict[tuple[str, int], list[PlannedComposite]]:
        """Group the composites by (split, shard number), in order."""
        result: dict[tuple[str, int], list[PlannedComposite]] = defaultdict(list)
        for composite in self.composites:
            result[composite.split, composite.shard].append(composite)
        return dict(result)


def make_plan(
    foregrounds: Sequence[CheckedForeground],
    backgrounds: Sequence[CheckedBackground],
    recipe: Recipe,
    recommended: Thresholds | None = None,
    decisions: Sequence[Decision] = (),
) -> Plan:
    """Decide everything: duplicates, verdicts, splits, pairs, order and shards. A pure function.

    Parameters
    ----------
    foregrounds, backgrounds : sequence
        Checked records, in the order they were found.
    recipe : Recipe
        What to build.
    recommended : Thresholds or None
        Those of the detector that scored the backgrounds, for a policy that says ``auto``.
    decisions : sequence of Decision
        What people decided about single inputs; applied last (:mod:`matting_data.planning.apply_decisions`), so that
        everything they do not touch, also ``expect``, is as without them.

    Raises
    ------
    UsageError
        No usable foreground, counts that differ from ``expect``, too few backgrounds, a person on both sides.
    """
    people = choose_foregrounds(foregrounds, recipe)
    usable = [record for record in people if record.state == "ok"]
    photos = choose_backgrounds(backgrounds, recipe, recommended)
    per_foreground = recipe.composites.per_foreground
    counts = Counter(record.split for record in usable)
    wanted: dict[Split, int] = {split: counts[split] * per_foreground for split in SPLITS if counts[split]}
    photos = split_backgrounds(photos, wanted, per_foreground, recipe.seed)
    composites: list[PlannedComposite] = []
    for split in wanted:
        ids = [record.id for record in usable if record.split == split]
        ids.sort(key=lambda identity: derive_seed(recipe.seed, "order", identity))
        choices = [record.id for record in photos if record.state == "ok" and record.split == split]
        pairs = pair(ids, choices, per_foreground, recipe.seed)
        shards = shard_numbers([per_foreground] * len(ids), recipe.store.samples_per_shard)
        composites += composites_of(split, {i: dict(enumerate(pairs[i])) for i in ids}, shards, recipe)
    plan = Plan(people, photos, composites)
    if not decisions:
        return plan
    return Plan(*apply_decisions(people, photos, composites, decisions, recipe), plan.sha256)


def choose_foregrounds(foregrounds: Sequence[CheckedForeground], recipe: Recipe) -> list[CheckedForeground]:
    """Reject near-duplicates and split the rest; UsageError where none is usable or ``expect`` does not hold."""
    rules = recipe.foregrounds
    people = reject_duplicates(foregrounds, rules.duplicate_distance)
    people = split_foregrounds(people, rules.split, rules.same_person_distance, recipe.seed)
    require_usable(people)
    require_expected([record for record in people if record.state == "ok"], rules.expect)
    return people


def require_usable(foregrounds: Sequence[CheckedForeground]) -> None:
    """Raise UsageError when no foreground can be used; say why."""
    if not any(record.state == "ok" for record in foregrounds):
        reasons = Counter(record.reason for record in foregrounds)
        found = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) or "the folders hold none"
        raise UsageError(f"no foreground can be used ({found}): correct foregrounds.sources in the recipe")


def require_enough_found(people: Sequence[CheckedForeground], photos: int, recipe: Recipe) -> None:
    """Raise UsageError when there are too few photographs even if every one passes, before any is looked at."""
    splits = {record.split for record in people if record.state == "ok"}
    needed = recipe.composites.per_foreground * len(splits)
    if photos < needed:
        raise UsageError(
            f"the plan needs at least {needed} backgrounds and the sources hold {photos}: "
            f"add {needed - photos} more, or lower composites.per_foreground"
        )


def choose_backgrounds(
    backgrounds: Sequence[CheckedBackground], recipe: Recipe, recommended: Thresholds | None
) -> list[JudgedBackground]:
    """Judge checked backgrounds by licence, labels and score, then reject those that repeat a kept one."""
    judged = judge_backgrounds(backgrounds, recipe, recommended)
    return reject_duplicates(judged, recipe.backgrounds.duplicate_distance)


def judge_backgrounds(
    backgrounds: Sequence[CheckedBackground], recipe: Recipe, recommended: Thresholds | None
) -> list[JudgedBackground]:
    """Judge checked backgrounds, each for itself, by licence, labels and score."""
    found = judge_found(backgrounds, recipe.backgrounds)
    return judge_humans(found, human_policy(recipe), recommended, recipe.backgrounds.humans.labels)


def human_policy(recipe: Recipe) -> HumanPolicy:
    """Build the policy that ``backgrounds.humans`` of a recipe sets."""
    humans = recipe.backgrounds.humans
    named = humans.detector if isinstance(humans.detector, str) else "plug-in"
    return HumanPolicy(None if named == "none" else named, humans.threshold, humans.review, humans.review_band)


def require_expected(foregrounds: Sequence[CheckedForeground], expect: Expect | None) -> None:
    """Raise UsageError when the usable foregrounds do not number what the recipe expects."""
    if expect is None:
        return
    splits, subsets = Counter(r.split for r in foregrounds), Counter(r.subset for r in foregrounds)
    checks = [
        ("foregrounds in total", expect.total, len(foregrounds)),
        ("train foregrounds", expect.train, splits["train"]),
        ("test foregrounds", expect.test, splits["test"]),
        *((f"foregrounds of subset {name}", count, subsets[name]) for name, count in expect.subsets.items()),
    ]
    wrong = [f"{found} {what} instead of {wanted}" for what, wanted, found in checks if wanted not in (None, found)]
    if wrong:
        raise UsageError(f"foregrounds.expect does not hold: {', '.join(wrong)}; correct the sources or the numbers")


def shard_numbers(sizes: Sequence[int], limit: int) -> list[int]:
    """Number the shard of each item when groups of `sizes` items are laid into shards of at most `limit`.

    A group stays in one shard unless it is larger than a shard, so that a foreground is decoded once.
    """
    numbers: list[int] = []
    shard, room = 0, limit
    for size in sizes:
        if size > room and room < limit:
            shard, room = shard + 1, limit
        for _ in range(size):
            if room == 0:
                shard, room = shard + 1, limit
            numbers.append(shard)
            room -= 1
    return numbers


def composites_of(
    split: Split, pairs: Mapping[str, Mapping[int, str]], shards: Sequence[int], recipe: Recipe
) -> list[PlannedComposite]:
    """Build the composites of one split, in order.

    Parameters
    ----------
    pairs : mapping
        Foreground → index → background.
    shards : sequence of int
        The shard of each composite.
    """
    width = max(2, len(str(recipe.composites.per_foreground - 1)))
    rows: list[PlannedComposite] = []
    for identity, backgrounds in pairs.items():
        for index, background in backgrounds.items():
            key, seed = f"{identity}-{index:0{width}d}", derive_seed(recipe.seed, identity, index)
            rows.append(PlannedComposite(key, split, shards[len(rows)], identity, background, index, seed))
    return rows
