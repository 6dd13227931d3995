"""The build: scan → plan → shards → ledger → index, each step continuing what an earlier run left.

A fresh build removes the index before anything else, since until the end nothing tells which files belong together.
One that adds leaves the old dataset readable until all new shards are there (:mod:`matting_data.building.staging`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matting_data.building.finish import finish, used_backgrounds
from matting_data.building.refusals import (
    alters_finished,
    refuse_additions,
    refuse_alterations,
    refuse_lost_inputs,
    refuse_other_plan,
    refuse_other_tools,
)
from matting_data.building.scan_and_plan import scan_and_plan
from matting_data.building.staging import settle, stage, unstage
from matting_data.planning.extension import Fixed
from matting_data.planning.plan import Plan
from matting_data.publishing.attribution import to_csv
from matting_data.publishing.attribution_rows import attribution_of
from matting_data.recipes.recipe_file import LoadedRecipe, parse_recipe
from matting_data.rendering.failures import FailurePolicy, require_samples
from matting_data.rendering.make_shards import build_shards, remove_other_shards
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.running.executor import Workers
from matting_data.shards.commit import Failures
from matting_data.shards.index import INDEX
from matting_data.shards.names import RECIPE, SPLITS, shard_name
from matting_data.sources.opened import open_sources
from matting_data.storage import Location, Storage, open_storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.colour_cache import ColourCache
from matting_data.workspace.plan_tables import APPENDED, read_plan_metadata, refuse_older_format, save_plan, saved_plan

_LOG = logging.getLogger(__package__)


@dataclass(frozen=True)
class BuildResult:
    """A finished dataset: its index, and the (key, reason, detail) of each composite or background that failed."""

    out: Storage
    index: Mapping[str, Any]
    failures: Failures

    @property
    def failed(self) -> int:
        """Number of failures; an input that failed only because its composites did counts with them."""
        return len(self.failures)


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
        (:mod:`matting_data.building.staging`).

    Raises
    ------
    UsageError
        The recipe, its inputs or `out` cannot be used; nothing was written to the dataset.
    StorageError
        The disk refused; the same command continues later.
    TooManyFailures
        More failed than `failures` lets pass, or every composite; the same command continues later.
    """
    out = open_storage(out)
    with workspace.locked(out) as held:
        refuse_older_format(out)
        settle(out)
        before = _plan_to_extend(recipe, out, append)
        sources = open_sources(recipe)
        plan = scan_and_plan(recipe, sources, out, workers, None if before is None else Fixed.by(before))
        _LOG.info("%s: %d composites planned", out, len(plan.composites))
        tables = None
        if before is None:
            refuse_other_plan(out, plan)
            unstage(out)  # of an append that was given up
            tables = replace_tables(out, plan, recipe)
        else:
            refuse_lost_inputs(out, before, plan)
            if not append:
                refuse_additions(out, before, plan)
            stage(out, plan, recipe.recipe)
            if alters_finished(out, before, plan, failures.retry):
                out.remove(INDEX)
        remove_other_shards(out, SPLITS, {shard_name(split, number) for split, number in plan.shards()})
        inputs = SourceInputs(sources, ColourCache(workspace.colour_store(out)))
        built = build_shards(recipe.recipe, out, plan, inputs, workers, failures)
        require_samples(built.failed, len(plan.composites))
        held()
        if tables is None:
            tables = replace_tables(out, plan, recipe)
        attribution, missing = attribution_of(sources.backgrounds, used_backgrounds(plan, built))
        index = finish(recipe, out, plan, built, tables, to_csv(attribution), [*plan.notes, *missing])
        unstage(out)
    _LOG.info("%s is finished: content %s", out, index["content_sha256"])
    return BuildResult(out, index, built.failed)


def replace_tables(out: Storage, plan: Plan, recipe: LoadedRecipe) -> dict[str, str]:
    """Write recipe and tables, the index removed first; return file name → SHA-256 of the tables."""
    out.remove(INDEX)
    workspace.save_recipe(out, recipe)
    return save_plan(out, plan, recipe.recipe)


def _plan_to_extend(recipe: LoadedRecipe, out: Storage, append: bool) -> Plan | None:
    """Read the plan that this build adds to; None where the recipe decides everything.

    Where something was added before, plain builds continue to extend that plan, too. Refuses a recipe that would alter
    what is there.
    """
    metadata = read_plan_metadata(out)
    before = saved_plan(out) if metadata and (append or APPENDED in metadata) else None
    if before is None or not append:
        workspace.refuse_other_recipe(out, recipe)
    else:
        refuse_alterations(out, parse_recipe(metadata[RECIPE], out.label(RECIPE)), recipe.recipe)
        refuse_other_tools(out)
    return before
