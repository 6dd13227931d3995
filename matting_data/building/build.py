"""The build: scan → plan → shards → ledger → index, each step continuing what an earlier run left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from matting_data.building.append import (
    alters_finished,
    appended_state,
    earlier_state,
    refuse_additions,
    refuse_alterations,
    refuse_lost_inputs,
    refuse_other_tools,
    settle,
    stage,
    unstage,
)
from matting_data.building.finish import finish, used_backgrounds
from matting_data.building.ledger import NO_COMPOSITE
from matting_data.errors import UsageError
from matting_data.planning.extension import Fixed, extend_plan
from matting_data.planning.plan import Plan, choose_foregrounds, make_plan, require_enough_found
from matting_data.publishing.attribution import to_csv
from matting_data.publishing.attribution_rows import attribution_of
from matting_data.recipes.decisions import load_decisions
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.rendering.failures import FailureCount, FailurePolicy, failed_checks
from matting_data.rendering.make_shards import build_shards, remove_other_shards
from matting_data.rendering.shard_job import SourceInputs
from matting_data.running.executor import Workers
from matting_data.scanning.scan import load_detector, scan_backgrounds, scan_foregrounds
from matting_data.shards.index import INDEX
from matting_data.shards.names import BACKGROUNDS as STORED
from matting_data.shards.names import SPLITS, shard_name
from matting_data.sources.find_backgrounds import find_backgrounds
from matting_data.storage import Location, Storage, open_storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.colour_cache import ColourCache
from matting_data.workspace.plan_tables import (
    WITHOUT_DECISIONS,
    read_plan_metadata,
    refuse_older_format,
    save_plan,
    saved_plan,
)


@dataclass(frozen=True)
class BuildResult:
    """A finished dataset: its index, and how many inputs and composites failed."""

    out: Storage
    index: Mapping[str, Any]
    failed: int

    @classmethod
    def of(cls, out: Storage, index: Mapping[str, Any]) -> BuildResult:
        """Describe a finished dataset; an input that failed only because its composites did counts with them."""
        ledgers = [ledger["failed"] for ledger in index["ledger"].values()]
        return cls(out, index, sum(n for failed in ledgers for reason, n in failed.items() if reason != NO_COMPOSITE))


def build(
    recipe: LoadedRecipe,
    out: Location,
    workers: Workers,
    failures: FailurePolicy = FailurePolicy(),  # noqa: B008 - frozen
    append: bool = False,
) -> BuildResult:
    """Build a dataset, or continue one that was interrupted.

    Parameters
    ----------
    recipe : LoadedRecipe
        What to build.
    out : Path, str or Storage
        A folder or a URL: new, empty, or begun with the same recipe and inputs.
    workers : int or Executor
        Processes, or where else to run; the bytes do not depend on it.
    failures : FailurePolicy
        What to do about composites that cannot be made.
    append : bool
        Let the recipe ask for more than `out` holds, and add it without altering what is there
        (:mod:`matting_data.building.append`).

    Raises
    ------
    UsageError
        The recipe, its inputs or `out` cannot be used; nothing was written to the dataset.
    StorageError
        The disk refused; the same command continues later.
    TooManyFailures
        More failed than `failures` lets pass; the same command continues later.
    """
    out = open_storage(out)
    with workspace.locked(out) as held:
        refuse_older_format(out)
        settle(out)
        before = _before(recipe, out, append)
        plan = scan_and_plan(recipe, out, workers, Fixed.by(before) if before else None)
        if before is None:
            _refuse_other_plan(out, plan)
        else:
            refuse_lost_inputs(out, before, plan)
            if not append:
                refuse_additions(out, before, plan)
        FailureCount(failures).add(failed_checks([*plan.foregrounds, *plan.backgrounds]))
        tables: dict[str, str] = {}
        if before is None:
            unstage(out)  # of an append that was given up
            out.remove(INDEX)  # while anything is replaced, the dataset must not count as whole
            tables = _replace_plan(out, plan, recipe)
        else:
            stage(out, plan, recipe)
            if alters_finished(out, before, plan, failures.retry):
                out.remove(INDEX)
        remove_other_shards(out, SPLITS, {shard_name(split, number) for split, number in plan.shards()})
        inputs = SourceInputs(recipe, ColourCache(workspace.colour_store(out)))
        built = build_shards(recipe, out, plan, inputs, workers, failures)
        held()
        if before is not None:
            out.remove(INDEX)
            tables = _replace_plan(out, plan, recipe)
        attribution, missing = attribution_of(recipe, used_backgrounds(plan, built))
        index = finish(recipe, out, plan, built, tables, to_csv(attribution), [*plan.notes, *missing])
        unstage(out)
    return BuildResult.of(out, index)


def scan_and_plan(recipe: LoadedRecipe, out: Storage, workers: Workers, fixed: Fixed | None = None) -> Plan:
    """Check all inputs (keeping results in the work folder of `out`) and decide every composite.

    Parameters
    ----------
    fixed : Fixed, optional
        What an earlier plan decided, to be added to.
    """
    cache = workspace.work_folder(out)
    # what is cheap to find out comes before what is not
    load_detector(recipe)
    photos = len(find_backgrounds(recipe, cache))
    foregrounds = scan_foregrounds(recipe, cache, workers, workspace.colour_store(out))
    if fixed is None:
        require_enough_found(choose_foregrounds(foregrounds, recipe.recipe), photos, recipe.recipe)
    decisions = load_decisions(recipe)
    scanned = scan_backgrounds(recipe, cache, workers, decisions)
    inputs = foregrounds, scanned.records, recipe.recipe, scanned.thresholds, decisions
    plan = make_plan(*inputs) if fixed is None else extend_plan(fixed, *inputs)
    return replace(plan, notes=(*scanned.notes, *plan.notes))


def _before(recipe: LoadedRecipe, out: Storage, append: bool) -> Plan | None:
    """Return the plan that is to be added to, or that was before; None where the recipe alone decides."""
    earlier = earlier_state(out) if append else appended_state(out)
    if not append or earlier is None:
        workspace.refuse_other_recipe(out, recipe)
        return earlier.plan if earlier else None
    refuse_alterations(out, earlier.recipe, recipe.recipe)
    refuse_other_tools(out)
    return earlier.plan


def _replace_plan(out: Storage, plan: Plan, recipe: LoadedRecipe) -> dict[str, str]:
    workspace.save_recipe(out, recipe)
    return save_plan(out, plan, recipe)


def _refuse_other_plan(out: Storage, plan: Plan) -> None:
    """Refuse to continue when the inputs are no longer those that finished shards were made of.

    Overrides may have changed: what they do not touch is as it was.
    """
    before = read_plan_metadata(out).get(WITHOUT_DECISIONS)
    if before is None or before == (plan.without_decisions or plan.sha256):
        return
    if not any(name.endswith(".parquet") for folder in (*SPLITS, STORED) for name in out.files(folder)):
        return
    old = saved_plan(out)
    changes = _input_changes("foregrounds", old.usable_foregrounds(), plan.usable_foregrounds())
    was, now = ({name: record.decides for name, record in side.usable_backgrounds().items()} for side in (old, plan))
    changes += _input_changes("backgrounds", was, now)
    raise UsageError(
        f"the inputs of {out} have changed since it was begun ({', '.join(changes) or 'other pairs'}): "
        "restore them, choose another --out, or, if some were only added, add --append"
    )


def _input_changes(kind: str, before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    counts = {
        "new": len(after.keys() - before.keys()),
        "gone": len(before.keys() - after.keys()),
        "altered": sum(before[identity] != after[identity] for identity in before.keys() & after.keys()),
    }
    return [f"{count} {kind} {word}" for word, count in counts.items() if count]
