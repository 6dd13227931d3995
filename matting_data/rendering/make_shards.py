"""Making the shards of a plan that are not there yet, in worker processes."""

from __future__ import annotations

import logging
from collections.abc import Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from matting_data.errors import StorageError
from matting_data.planning.plan import Plan
from matting_data.recipes.recipe import Recipe
from matting_data.records.stored import Sample, StoredBackground
from matting_data.rendering.background_shards import StoreBackgrounds, background_shards
from matting_data.rendering.failures import FailurePolicy, meet_failures, require_read
from matting_data.rendering.layer_inputs import Inputs
from matting_data.rendering.sample_shards import BuildShard, Shard
from matting_data.rendering.shard_task import Row, ShardTask, Work
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.running.executor import Workers, at_most, run
from matting_data.running.progress import bar
from matting_data.shards.commit import Commit, Failures
from matting_data.shards.names import BACKGROUNDS, manifest_name, tar_name
from matting_data.storage import Storage

_LOG = logging.getLogger(__package__)

_SKIP = FailurePolicy()

_FEW = 64
"""Finished shards that are read and hashed before other processes would have started."""


@dataclass(frozen=True)
class BuiltShards:
    """All shards of a dataset, in the plan's order; `backgrounds` only in a store of layers.

    The commits of samples are without rows.
    """

    samples: list[Commit[Sample]]
    backgrounds: list[Commit[StoredBackground]] | None = None

    @property
    def failed(self) -> Failures:
        """Composites that could not be made, as (key, reason, detail)."""
        return tuple(row for done in self.samples for row in done.failed)

    @property
    def lost(self) -> Failures:
        """Backgrounds that could not be stored, as (id, reason, detail)."""
        return tuple(row for done in self.backgrounds or () for row in done.failed)

    @property
    def stored(self) -> set[str]:
        """Ids of the backgrounds that a store of layers holds."""
        return {row.id for done in self.backgrounds or () for row in done.rows}


def plan_shards(plan: Plan) -> list[Shard]:
    """List the shards of a plan, each with the records it needs."""
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
    recipe: Recipe, out: Storage, plan: Plan, inputs: Inputs, workers: Workers, failures: FailurePolicy = _SKIP
) -> BuiltShards:
    """Build the shards that are not there yet; return all, in the plan's order.

    Raises
    ------
    TooManyFailures
        More failed than `failures` lets pass; the shards that were finished stay.
    StorageError
        The disk or store refuses, or somebody removed shards meanwhile.
    RefusedError
        The system refused to read an input, and `failures` does not let that pass; the same holds.
    """
    backgrounds = None
    shards = plan_shards(plan)
    if isinstance(inputs, SourceInputs) and recipe.store.kind == "layers":
        stored = background_shards(recipe, plan)
        remove_other_shards(out, (BACKGROUNDS,), {shard.name for shard in stored})
        task = StoreBackgrounds(out, inputs)
        backgrounds = _complete(task, stored, workers, failures, ("storing backgrounds", "images"))
        shards = without_lost(shards, backgrounds)
    build = BuildShard(out, recipe, inputs)
    return BuiltShards(_complete(build, shards, workers, failures, ("compositing", "composites")), backgrounds)


def remove_other_shards(out: Storage, folders: Sequence[str], planned: Set[str]) -> None:
    """Remove shards of an earlier build that the plan no longer has, since people decided against all that they held.

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


def _complete(
    task: ShardTask[Work, Row],
    shards: Sequence[Work],
    workers: Workers,
    failures: FailurePolicy,
    shown: tuple[str, str],
) -> list[Commit[Row]]:
    """Make the shards that are not there yet; return all, in order. `shown` is what is done, and to what."""
    seen: list[tuple[str, str, str]] = []
    folders = dict.fromkeys(shard.name.rpartition("/")[0] for shard in shards)
    there = {name for folder in folders for name in task.out.files(folder)}
    begun = [shard for shard in shards if f"{shard.name}.parquet" in there]
    look = partial(task.finished, keep_failed=not failures.retry)
    done: dict[str, Commit[Row]] = {}
    with closing(run(look, begun, workers if len(begun) > _FEW else 1)) as looked:
        for found in looked:
            if found is not None:
                done[found.shard] = found
                meet_failures(found.failed, seen, failures)
    missing = [shard for shard in shards if shard.name not in done]
    _LOG.info("%s: %d of %d shards are there already", shown[0], len(done), len(shards))
    made = run(task, missing, at_most(workers, len(missing)))
    known = sum(commit.num_rows + len(commit.failed) for commit in done.values())
    with closing(made), bar(sum(len(shard.items) for shard in shards), *shown, known) as progress:
        for commit in made:
            done[commit.shard] = commit
            progress.update(commit.num_rows + len(commit.failed))
            _LOG.debug("%s: %d rows written", commit.shard, commit.num_rows)
            meet_failures(commit.failed, seen, failures)
    require_read(seen, failures)
    left = {name for folder in folders for name in task.out.files(folder)}
    if lost := [file for shard in done for file in (tar_name(shard), manifest_name(shard)) if file not in left]:
        raise StorageError(
            f"{task.out.label(min(lost))} was removed while {task.out} was being built: run the same command again"
        )
    return [done[shard.name] for shard in shards]
