"""What a build into a folder that holds something refuses to do, each in one sentence naming what has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matting_data.errors import UsageError
from matting_data.planning.apply_decisions import MOVED, REASONS, REJECTED
from matting_data.planning.plan import Plan
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import as_mapping
from matting_data.records.checked import CheckedForeground
from matting_data.records.codes import REFUSED, State
from matting_data.records.judged import JudgedBackground
from matting_data.records.planned import PlannedBackground, PlannedForeground
from matting_data.shards.index import INDEX, read_index
from matting_data.shards.names import BACKGROUNDS as STORED
from matting_data.shards.names import SPLITS
from matting_data.storage import Storage
from matting_data.version import tool_versions
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.plan_tables import WITHOUT_DECISIONS, read_plan_metadata, saved_plan

_MAY_CHANGE = ("version", "foregrounds.sources", "foregrounds.expect", "backgrounds.sources", "overrides")
"""Keys of a recipe that decide nothing about composites that are there; sources are compared by what they hold."""


def refuse_alterations(out: Storage, before: Recipe, after: Recipe) -> None:
    """Raise UsageError when a recipe would alter composites that are there already; name what would.

    What may change: the version, the lists of sources, the counts that are expected, and ``per_foreground``, upwards.
    """
    if before.store.kind == "layers" or after.store.kind == "layers":
        raise UsageError(
            f"{out} would be a store of layers, whose tars of backgrounds cannot be added to: "
            "leave out --append and build into another --out"
        )
    old, new = as_mapping(before), as_mapping(after)
    for document in (old, new):
        for key in _MAY_CHANGE:
            section, _, name = key.rpartition(".")
            (document[section] if section else document).pop(name, None)
    if after.composites.per_foreground >= before.composites.per_foreground:
        for document in (old, new):
            document["composites"].pop("per_foreground")
    changes = workspace.differences(old, new)
    if changes:
        raise UsageError(
            f"--append leaves finished composites as they are, and the recipe would alter them "
            f"({workspace.shortened(changes)}): restore these keys, or choose another --out"
        )


def refuse_other_tools(out: Storage) -> None:
    """Raise UsageError when other versions of the tools made the finished shards, which would be made again."""
    if not out.exists(INDEX):
        return
    changed = workspace.differences(read_index(out)["tools"], tool_versions())
    if changed:
        raise UsageError(
            f"--append keeps finished shards, and other versions made those of {out} "
            f"({workspace.shortened(changed)}): install these, or choose another --out"
        )


def refuse_lost_inputs(out: Storage, before: Plan, after: Plan) -> None:
    """Raise UsageError when inputs of the earlier plan are gone or altered, unless people decided so."""
    changes = _lost("foregrounds", before.foregrounds, after.foregrounds)
    changes += _lost("backgrounds", before.backgrounds, after.backgrounds)
    if changes:
        raise UsageError(
            f"{out} was made of inputs that have changed since ({', '.join(changes)}): restore them, since finished "
            "composites stay as they are, or choose another --out"
        )


def refuse_additions(out: Storage, before: Plan, after: Plan) -> None:
    """Raise UsageError when a build without ``--append`` would add to a dataset that was appended to before."""
    had = {composite.key for composite in before.composites}
    count = sum(composite.key not in had for composite in after.composites)
    if count:
        raise UsageError(
            f"the inputs of {out} have changed since it was last appended to, and {count} composites would be new: "
            "add --append, or restore the inputs"
        )


def alters_finished(out: Storage, before: Plan, after: Plan, retry: bool) -> bool:
    """Tell whether shards that the index of `out` lists are to be made again, or removed."""
    if not out.exists(INDEX):
        return False
    failed = read_index(out)["ledger"]["composites"]["failed"]
    if (retry and failed) or REFUSED in failed:
        return True
    now = after.shards()
    people, used = after.usable_foregrounds(), before.usable_foregrounds()
    return any(
        now.get(place) != rows or any(used[row.foreground] != people.get(row.foreground) for row in rows)
        for place, rows in before.shards().items()
    )


def refuse_other_plan(out: Storage, plan: Plan) -> None:
    """Raise UsageError when the inputs are no longer those that finished shards of `out` were made of.

    Decisions of people may have changed: what they do not touch is as it was. And inputs that the system refused to
    read, and without which it was finished, may be there now: the whole dataset is made instead.
    """
    before = read_plan_metadata(out).get(WITHOUT_DECISIONS)
    if before is None or before == (plan.without_decisions or plan.sha256):
        return
    if not any(name.endswith(".parquet") for folder in (*SPLITS, STORED) for name in out.files(folder)):
        return
    old = saved_plan(out)
    if _completes(old.foregrounds, plan.foregrounds) and _completes(old.backgrounds, plan.backgrounds):
        return
    changes = _input_changes("foregrounds", old.usable_foregrounds(), plan.usable_foregrounds())
    was, now = ({name: record.decides for name, record in side.usable_backgrounds().items()} for side in (old, plan))
    changes += _input_changes("backgrounds", was, now)
    raise UsageError(
        f"the inputs of {out} have changed since it was begun ({', '.join(changes) or 'other pairs'}): "
        "restore them, choose another --out, or, if some were only added, add --append"
    )


def _completes(
    before: Sequence[CheckedForeground] | Sequence[JudgedBackground],
    after: Sequence[CheckedForeground] | Sequence[JudgedBackground],
) -> bool:
    """Tell whether all inputs are as they were, but for those of an earlier plan that the system refused to read."""
    refused = {record.id for record in before if record.state == "failed"}
    was, now = ({r.id: _as_checked(r) for r in records if r.id not in refused} for records in (before, after))
    return was == now and {record.id for record in before} == {record.id for record in after}


def _as_checked(record: CheckedForeground | JudgedBackground) -> object:
    """Forget what a plan, which depends on all inputs, decided of one; that it was refused is not the plan's."""
    state: State = "failed" if record.state == "failed" else "ok"
    if isinstance(record, JudgedBackground):
        return replace(record, split=None, state=state, reason=None, detail=None, verdict=None)
    return replace(record, split=None, state=state, reason=None, detail=None)


def _input_changes(kind: str, before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    counts = {
        "new": len(after.keys() - before.keys()),
        "gone": len(before.keys() - after.keys()),
        "altered": sum(before[identity] != after[identity] for identity in before.keys() & after.keys()),
    }
    return [f"{count} {kind} {word}" for word, count in counts.items() if count]


def _lost(
    kind: str,
    before: Sequence[CheckedForeground] | Sequence[JudgedBackground],
    after: Sequence[CheckedForeground] | Sequence[JudgedBackground],
) -> list[str]:
    now = {record.id: record for record in after}
    pairs = [(record, now.get(record.id)) for record in before if record.state == "ok"]
    found = [(record, again) for record, again in pairs if again is not None]
    decided = (REJECTED, *REASONS.values())
    counts = {
        "gone": len(pairs) - len(found),
        "no longer accepted": sum(each.state != "ok" and each.reason not in decided for _, each in found),
        "altered": sum(each.state == "ok" and _decided(each) != _decided(record) for record, each in found),
    }
    return [f"{count} {kind} {word}" for word, count in counts.items() if count]


def _decided(record: CheckedForeground | JudgedBackground) -> object:
    """Extract what of an input decides its finished composites, but for what people decided about it."""
    if isinstance(record, JudgedBackground):
        return PlannedBackground.of(record).decides
    planned = PlannedForeground.of(record)
    return replace(planned, subset="") if record.reason == MOVED else planned
