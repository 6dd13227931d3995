"""Making the shards of a plan that are not there yet, in worker processes."""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from matting_data.planning.plan import Plan
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.stored import StoredBackground
from matting_data.rendering.background_job import (
    BackgroundShard,
    StoreBackgrounds,
    background_shards,
    committed_backgrounds,
)
from matting_data.rendering.failures import FailureCount, FailurePolicy
from matting_data.rendering.shard_job import BuildShard, Inputs, Shard, ShardResult, SourceInputs, committed
from matting_data.running.executor import Workers, at_most, run
from matting_data.running.progress import bar
from matting_data.shards.commit import Commit
from matting_data.shards.names import BACKGROUNDS, SPLITS, shard_name
from matting_data.storage import Storage

_SKIP = FailurePolicy()

_FEW = 64
"""Finished shards that are read and hashed before other processes would have started."""


@dataclass(frozen=True)
class BuiltShards:
    """All shards of a dataset, in the plan's order; `backgrounds` only in a store of layers."""

    samples: list[ShardResult]
    backgrounds: list[Commit[StoredBackground]] | None = None

    @property
    def stored(self) -> set[str]:
        """Ids of the backgrounds that a store of layers holds."""
        return {row.id for done in self.backgrounds or () for row in done.rows}


def plan_shards(plan: Plan) -> list[Shard]:
    """Return the shards of a plan, each with the records it needs."""
    foregrounds, backgrounds = plan.usable_foregrounds(), plan.usable_backgrounds()
    return [
        Shard(
            split,
            number,
            tuple(composites),
            {c.foreground: foregrounds[c.foreground] for c in composites},
            {c.background: backgrounds[c.background] for c in composites},
        )
        for (split, number), composites in plan.shards().items()
    ]


def build_shards(
    recipe: LoadedRecipe,
    out: Storage,
    plan: Plan,
    inputs: Inputs,
    workers: Workers,
    failures: FailurePolicy = _SKIP,
) -> BuiltShards:
    """Build the shards that are not there yet; return the results of all, in the plan's order.

    Raises
    ------
    TooManyFailures
        More failed than `failures` lets pass; the shards that were finished stay.
    """
    backgrounds = None
    shards = plan_shards(plan)
    if isinstance(inputs, SourceInputs) and recipe.recipe.store.kind == "layers":
        backgrounds = store_backgrounds(recipe, out, plan, inputs, workers, failures)
        shards = without_lost(shards, backgrounds)
    count = FailureCount(failures)
    results: dict[tuple[str, int], ShardResult] = {}
    look = partial(_finished, out, recipe, not failures.retry)
    there = _manifests(out, SPLITS)
    begun = [shard for shard in shards if shard_name(shard.split, shard.number) in there]
    with closing(run(look, begun, _readers(begun, workers))) as looked:
        for found in looked:
            if found is not None:
                results[found.split, found.number] = found
                count.add(found.failed)
    missing = [shard for shard in shards if (shard.split, shard.number) not in results]
    done = sum(result.num_samples + len(result.failed) for result in results.values())
    task = BuildShard(recipe, out, inputs)
    made = run(task, missing, at_most(workers, len(missing)))
    with closing(made), bar(len(plan.composites), "compositing", "composites", done) as progress:
        for result in made:
            results[result.split, result.number] = result
            progress.update(result.num_samples + len(result.failed))
            count.add(result.failed)
    return BuiltShards([results[shard.split, shard.number] for shard in shards], backgrounds)


def remove_other_shards(out: Storage, folders: Sequence[str], planned: Set[str]) -> None:
    """Remove shards of an earlier build that the plan no longer has, since overrides took all that they held.

    Parameters
    ----------
    folders : sequence of str
        Below `out`, of shards.
    planned : set of str
        Names as :func:`matting_data.shards.names.shard_name` gives them.
    """
    for folder in folders:
        for name in out.files(folder):
            path = PurePosixPath(name)
            if path.stem.isdecimal() and f"{folder}/{path.stem}" not in planned:
                out.remove(name)


def without_lost(shards: Sequence[Shard], backgrounds: Sequence[Commit[StoredBackground]]) -> list[Shard]:
    """Tell the shards of a store of layers which of their backgrounds could not be stored."""
    lost = {identity: (reason, detail) for done in backgrounds for identity, reason, detail in done.failed}
    return [replace(s, lost={i: lost[i] for i in s.backgrounds.keys() & lost.keys()}) for s in shards]


def plan_background_shards(recipe: LoadedRecipe, plan: Plan) -> list[BackgroundShard]:
    """Return the tars of backgrounds that a store of layers holds."""
    store = recipe.recipe.store
    used = {composite.background for composite in plan.composites}
    wanted = [b for b in plan.usable_backgrounds().values() if store.epoch_backgrounds or b.id in used]
    return background_shards(wanted, store.samples_per_shard)


def store_backgrounds(
    recipe: LoadedRecipe,
    out: Storage,
    plan: Plan,
    inputs: SourceInputs,
    workers: Workers,
    failures: FailurePolicy = _SKIP,
) -> list[Commit[StoredBackground]]:
    """Store the backgrounds of a plan that are not there yet; return all tars, in order."""
    shards = plan_background_shards(recipe, plan)
    remove_other_shards(out, (BACKGROUNDS,), {shard_name(BACKGROUNDS, shard.number) for shard in shards})
    there = _manifests(out, (BACKGROUNDS,))
    begun = [shard for shard in shards if shard_name(BACKGROUNDS, shard.number) in there]
    look = partial(_finished_backgrounds, out, not failures.retry)
    with closing(run(look, begun, _readers(begun, workers))) as looked:
        results = {number: found for number, found in looked if found is not None}
    count = FailureCount(failures)
    for found in results.values():
        count.add(found.failed)
    missing = [shard for shard in shards if shard.number not in results]
    already = sum(len(done.rows) for done in results.values())
    wanted = sum(len(shard.backgrounds) for shard in shards)
    made = run(StoreBackgrounds(out, inputs), missing, at_most(workers, len(missing)))
    with closing(made), bar(wanted, "storing backgrounds", "images", already) as progress:
        for number, done in made:
            results[number] = done
            progress.update(len(done.rows) + len(done.failed))
            count.add(done.failed)
    return [results[shard.number] for shard in shards]


def _finished(out: Storage, recipe: LoadedRecipe, keep_failed: bool, shard: Shard) -> ShardResult | None:
    return committed(out, recipe, shard, keep_failed)


def _finished_backgrounds(
    out: Storage, keep_failed: bool, shard: BackgroundShard
) -> tuple[int, Commit[StoredBackground] | None]:
    return shard.number, committed_backgrounds(out, shard, keep_failed)


def _manifests(out: Storage, folders: Sequence[str]) -> set[str]:
    """Return the names of the shards that have a manifest."""
    names = (name for folder in folders for name in out.files(folder))
    return {name.removesuffix(".parquet") for name in names if name.endswith(".parquet")}


def _readers(begun: Sequence[object], workers: Workers) -> Workers:
    return workers if len(begun) > _FEW else 1
