"""Making the shards of a plan that are not there yet, in worker processes."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from matting_data.atomic import storage_errors
from matting_data.building.background_job import (
    StoreBackgrounds,
    background_shards,
    committed_backgrounds,
)
from matting_data.building.commit import Commit
from matting_data.building.executor import run
from matting_data.building.progress import bar
from matting_data.building.shard_job import BuildShard, Inputs, Shard, ShardResult, SourceInputs, committed
from matting_data.planning.plan import Plan
from matting_data.recipe_file import LoadedRecipe
from matting_data.records import StoredBackground
from matting_data.shards.layout import BACKGROUNDS, shard_name


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
    foregrounds = {record.id: record for record in plan.foregrounds}
    backgrounds = {record.id: record for record in plan.backgrounds}
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


def build_shards(recipe: LoadedRecipe, out: Path, plan: Plan, inputs: Inputs, workers: int) -> BuiltShards:
    """Build the shards that are not there yet; return the results of all, in the plan's order."""
    backgrounds = None
    shards = plan_shards(plan)
    if isinstance(inputs, SourceInputs) and recipe.recipe.store.kind == "layers":
        backgrounds = store_backgrounds(recipe, out, plan, inputs, workers)
        lost = {identity: (reason, detail) for done in backgrounds for identity, reason, detail in done.failed}
        shards = [replace(s, lost={i: lost[i] for i in s.backgrounds.keys() & lost.keys()}) for s in shards]
    results = {(s.split, s.number): r for s in shards if (r := committed(out, recipe, s)) is not None}
    missing = [shard for shard in shards if (shard.split, shard.number) not in results]
    done = sum(result.num_samples + len(result.failed) for result in results.values())
    task = BuildShard(recipe, out, inputs)
    with bar(len(plan.composites), "compositing", "composites", done) as progress:
        for result in run(task, missing, min(workers, max(1, len(missing)))):
            results[result.split, result.number] = result
            progress.update(result.num_samples + len(result.failed))
    return BuiltShards([results[shard.split, shard.number] for shard in shards], backgrounds)


def remove_other_shards(out: Path, folders: Sequence[str], planned: Set[str]) -> None:
    """Remove shards of an earlier build that the plan no longer has, since overrides took all that they held.

    Parameters
    ----------
    folders : sequence of str
        Below `out`, of shards.
    planned : set of str
        Names as :func:`matting_data.shards.layout.shard_name` gives them.
    """
    with storage_errors(out):
        for folder in folders:
            for path in sorted((out / folder).glob("*")):
                if path.stem.isdecimal() and f"{folder}/{path.stem}" not in planned:
                    path.unlink()


def store_backgrounds(
    recipe: LoadedRecipe, out: Path, plan: Plan, inputs: SourceInputs, workers: int
) -> list[Commit[StoredBackground]]:
    """Store the backgrounds of a plan that are not there yet; return all tars, in order."""
    store = recipe.recipe.store
    used = {composite.background for composite in plan.composites}
    wanted = [b for b in plan.backgrounds if b.state == "ok" and (store.epoch_backgrounds or b.id in used)]
    shards = background_shards(wanted, store.samples_per_shard)
    remove_other_shards(out, (BACKGROUNDS,), {shard_name(BACKGROUNDS, shard.number) for shard in shards})
    results = {s.number: r for s in shards if (r := committed_backgrounds(out, s)) is not None}
    missing = [shard for shard in shards if shard.number not in results]
    already = sum(len(done.rows) for done in results.values())
    with bar(len(wanted), "storing backgrounds", "images", already) as progress:
        for number, done in run(StoreBackgrounds(out, inputs), missing, min(workers, max(1, len(missing)))):
            results[number] = done
            progress.update(len(done.rows) + len(done.failed))
    return [results[shard.number] for shard in shards]
