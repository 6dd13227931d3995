"""The build: scan → plan → shards → ledger → index, each step continuing what an earlier run left."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matting_data.building.append_staging import unstage
from matting_data.building.finish import finish, used_backgrounds
from matting_data.building.strategies import planned
from matting_data.publishing.attribution import to_csv
from matting_data.publishing.attribution_rows import attribution_of
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.codes import REFUSED
from matting_data.rendering.failures import FailurePolicy, require_samples
from matting_data.rendering.make_shards import build_shards, remove_other_shards
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.running.executor import Workers
from matting_data.shards.commit import Failures
from matting_data.shards.names import SPLITS, shard_name
from matting_data.storage import Location, Storage, open_storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.colour_cache import ColourCache

_LOG = logging.getLogger(__package__)


@dataclass(frozen=True)
class BuildResult:
    """A finished dataset: its index, and the (key, reason, detail) of each composite and input that failed."""

    out: Storage
    index: Mapping[str, Any]
    failures: Failures

    @property
    def failed(self) -> int:
        """Number of failures; an input counts with the composites that it fails, if any."""
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
        (:mod:`matting_data.building.append_staging`).

    Raises
    ------
    UsageError
        The recipe, its inputs or `out` cannot be used; nothing was written to the dataset.
    StorageError
        The disk refused; the same command continues later.
    RefusedError
        The system refused to read inputs, and `failures` does not let that pass; the same command continues later.
    TooManyFailures
        More failed than `failures` lets pass, or every composite; the same command continues later.
    """
    out = open_storage(out)
    with workspace.locked(out) as held:
        strategy, sources, plan = planned(recipe, out, workers, append, failures.retry, failures.skip_refused)
        _LOG.info("%s: %d composites planned", out, len(plan.composites))
        strategy.begin(plan)
        remove_other_shards(out, SPLITS, {shard_name(split, number) for split, number in plan.shards()})
        inputs = SourceInputs(sources, ColourCache(workspace.colour_store(out)))
        built = build_shards(recipe.recipe, out, plan, inputs, workers, failures)
        require_samples(built.failed, len(plan.composites))
        held()
        tables = strategy.put_tables(plan)
        attribution, missing = attribution_of(sources.backgrounds, used_backgrounds(plan, built))
        index = finish(recipe, out, plan, built, tables, to_csv(attribution), [*plan.notes, *missing])
        unstage(out)
    _LOG.info("%s is finished: content %s", out, index["content_sha256"])
    drawn = {composite.background for composite in plan.composites}
    lost = [row for row in built.lost if row[0] not in drawn]
    refused = [(record.id, REFUSED, record.detail or "") for record in plan.foregrounds if record.state == "failed"]
    refused += [(record.id, REFUSED, record.detail or "") for record in plan.backgrounds if record.state == "failed"]
    return BuildResult(out, index, (*built.failed, *lost, *refused))
