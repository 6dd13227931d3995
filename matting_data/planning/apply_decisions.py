"""What people decided about single inputs, applied to a plan that was made without it. Pure functions.

The plan is made as if nobody had decided anything. Then only what a decision touches is changed: composites of a
rejected foreground go, and those on a rejected background get another. All others keep their background, seed, place
and shard, so their bytes stay the same. Decisions are applied one after the other, in the order of the file: one that
is added at its end leaves what earlier ones led to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from matting_data.errors import UsageError
from matting_data.planning.selection import reject_duplicates
from matting_data.recipes.decisions import SUBSET, Decision, effective
from matting_data.recipes.recipe import Recipe
from matting_data.records.checked import CheckedForeground
from matting_data.records.codes import DecisionReason
from matting_data.records.judged import JudgedBackground
from matting_data.records.planned import PlannedComposite
from matting_data.seeds import derive_seed, generator

REASONS: dict[str, DecisionReason] = {"human": "override_human", "reject": "override_reject", "clean": "override_clean"}
"""Reason of a background by the tag that decided."""

REJECTED: DecisionReason = "override"
"""Reason of a rejected foreground."""

MOVED: DecisionReason = "override_subset"
"""Reason of a foreground in another subset."""


def apply_decisions(
    foregrounds: Sequence[CheckedForeground],
    backgrounds: Sequence[JudgedBackground],
    composites: Sequence[PlannedComposite],
    rows: Sequence[Decision],
    recipe: Recipe,
) -> tuple[list[CheckedForeground], list[JudgedBackground], list[PlannedComposite], tuple[str, ...]]:
    """Apply decisions to a plan.

    Parameters
    ----------
    foregrounds, backgrounds, composites : sequence
        The plan without them: inputs with verdicts and splits, and its rows in order.
    rows : sequence of Decision
        The whole history; the last row about each input counts.
    recipe : Recipe
        Its seed decides which background replaces another, its ``backgrounds.duplicate_distance`` which may come back.

    Returns
    -------
    tuple
        Inputs and composites after the decisions, and sentences about decisions that could not be applied.

    Raises
    ------
    UsageError
        A foreground would need a background that is not there, or no composite would be left.
    """
    decisions, seed = effective(rows), recipe.seed
    people = decide_foregrounds(foregrounds, decisions)
    photos = decide_backgrounds(backgrounds, decisions, recipe.backgrounds.duplicate_distance)
    photos = _with_splits(photos, composites, seed)
    made = _Composites(composites, backgrounds, seed)
    after = {record.id: record for record in photos}
    rejected = {record.id for record in people if record.state != "ok"}
    for decision in decisions:
        if decision.kind == "foreground" and decision.id in rejected:
            made.drop(decision.id)
        elif decision.kind == "background" and decision.id in after:
            made.decide(after[decision.id])
    if composites and not made.rows:
        raise UsageError("the decisions reject every foreground: take some of them back with the tag 'clean'")
    return people, photos, made.rows, _notes(people, photos, decisions)


def decide_foregrounds(records: Sequence[CheckedForeground], decisions: Sequence[Decision]) -> list[CheckedForeground]:
    """Reject usable foregrounds, or move them to another subset, as decided."""
    tags = {decision.id: decision for decision in decisions if decision.kind == "foreground"}
    return [_decided(record, tags.get(record.id)) for record in records]


def decide_backgrounds(
    records: Sequence[JudgedBackground], decisions: Sequence[Decision], duplicate_distance: int
) -> list[JudgedBackground]:
    """Reject kept backgrounds, and keep those that labels or the detector rejected, as decided.

    Of those to be kept, one that repeats another kept one stays rejected, as ``near_duplicate``; so does one that was
    rejected for anything else than people. Splits are left as they are, but for rejected ones, which have none.
    """
    tags = {decision.id: decision for decision in decisions if decision.kind == "background"}
    cleaned = [
        replace(record, state="ok", verdict="keep", reason=REASONS["clean"], detail=str(tags[record.id]))
        for record in records
        if record.id in tags and tags[record.id].tag == "clean" and _rejected_for_humans(record)
    ]
    kept = [record for record in records if record.state == "ok"]
    judged = {record.id: record for record in reject_duplicates([*kept, *cleaned], duplicate_distance)}
    result = []
    for record in records:
        decision = tags.get(record.id)
        if decision and decision.tag != "clean" and record.state == "ok":
            reason = REASONS[decision.tag]
            record = replace(
                record, state="rejected", verdict="reject", reason=reason, detail=str(decision), split=None
            )
        elif record.state != "ok" and record.id in judged:
            record = judged[record.id]
        result.append(record)
    return result


class _Composites:
    """The rows of a plan while decisions change them; a dropped one leaves a hole until the end."""

    def __init__(
        self, composites: Sequence[PlannedComposite], backgrounds: Sequence[JudgedBackground], seed: int
    ) -> None:
        self._seed = seed
        self._rows: list[PlannedComposite | None] = list(composites)
        self._choices = {b.id: b.split for b in backgrounds if b.state == "ok"}
        self._uses = Counter(c.background for c in composites)

    @property
    def rows(self) -> list[PlannedComposite]:
        return [row for row in self._rows if row is not None]

    def drop(self, foreground: str) -> None:
        for place, row in enumerate(self._rows):
            if row is not None and row.foreground == foreground:
                self._uses[row.background] -= 1
                self._rows[place] = None

    def decide(self, record: JudgedBackground) -> None:
        if record.state == "ok":
            self._choices.setdefault(record.id, record.split)
            return
        self._choices.pop(record.id, None)
        for place, row in enumerate(self._rows):
            if row is not None and row.background == record.id:
                chosen = self._substitute(row)
                self._uses[record.id] -= 1
                self._uses[chosen] += 1
                self._rows[place] = replace(row, background=chosen)

    def _substitute(self, row: PlannedComposite) -> str:
        """Choose one of the least used backgrounds of the split that the foreground does not have yet."""
        taken = {other.background for other in self._rows if other is not None and other.foreground == row.foreground}
        free = [name for name, split in self._choices.items() if split == row.split and name not in taken]
        if not free:
            raise UsageError(
                f"the decisions leave no other background for {row.key} in {row.split}: add backgrounds, or take some "
                "decisions back with the tag 'clean'"
            )
        fewest = min(self._uses[name] for name in free)
        pool = [name for name in free if self._uses[name] == fewest]
        draw = generator(self._seed, "override", row.foreground, row.index, row.background).integers(len(pool))
        return pool[int(draw)]


def _decided(record: CheckedForeground, decision: Decision | None) -> CheckedForeground:
    if decision is None or record.state != "ok" or decision.tag == "clean":
        return record
    if decision.tag == "reject":
        return replace(record, state="rejected", reason=REJECTED, detail=str(decision))
    subset = decision.tag.removeprefix(SUBSET)
    return record if subset == record.subset else replace(record, subset=subset, reason=MOVED, detail=str(decision))


def _rejected_for_humans(record: JudgedBackground) -> bool:
    """Tell whether labels or detector rejected a background that is usable otherwise."""
    return record.state == "rejected" and record.verdict in ("reject", "review") and record.sha256 is not None


def _with_splits(
    records: Sequence[JudgedBackground], composites: Sequence[PlannedComposite], seed: int
) -> list[JudgedBackground]:
    """Give backgrounds that were taken back a split, in proportion to the composites of each."""
    counts = Counter(composite.split for composite in composites)
    share = counts["test"] / max(1, counts.total())
    result = []
    for record in records:
        if record.state == "ok" and not record.split:
            place = derive_seed(seed, "override split", record.id) / 2**63
            record = replace(record, split="test" if place < share else "train")
        result.append(record)
    return result


def _notes(
    foregrounds: Sequence[CheckedForeground], backgrounds: Sequence[JudgedBackground], decisions: Sequence[Decision]
) -> tuple[str, ...]:
    photos = {record.id: record for record in backgrounds}
    known = {"foreground": {record.id for record in foregrounds}, "background": photos.keys()}
    unknown = [f"{d.kind} {d.id}" for d in decisions if d.id not in known[d.kind]]
    notes = []
    if unknown:
        shown = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        notes.append(f"{len(unknown)} decisions are of inputs that the sources do not hold: {shown}")
    for decision in decisions:
        record = photos.get(decision.id) if decision.kind == "background" else None
        if decision.tag == "clean" and record is not None and record.state != "ok":
            notes.append(f"background {record.id} stays rejected although it is called clean: {record.reason}")
    return tuple(notes)
