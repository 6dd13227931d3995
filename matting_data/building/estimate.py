"""What a build would make, and what it would cost, from its real inputs and a few samples made in memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from matting_data.building.ledger import make_ledger, summarise
from matting_data.building.strategies import planned
from matting_data.publishing.statistics import ledger_lines
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.rendering.background_shards import StoreBackgrounds, background_shards
from matting_data.rendering.make_shards import BuiltShards, plan_shards
from matting_data.rendering.sample_shards import BuildShard
from matting_data.rendering.shard_task import Row, ShardTask, Work
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.seeds import derive_seed
from matting_data.shards.writer import MemorySink, ShardWriter
from matting_data.storage import Location, open_storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.colour_cache import ColourCache

_PROBES = 8
"""Foregrounds of which all is made to measure size and time, and as many photographs for a store of layers."""


@dataclass(frozen=True)
class Estimate:
    """Counts of a plan, and its measured cost.

    Attributes
    ----------
    name : str
        Of the recipe.
    composites, foregrounds, backgrounds : dict
        Numbers by split, of the whole dataset that the build leaves.
    shards : int
        Its tars.
    there : int
        Shards of these that are in `out` already and stay as they are.
    bytes, seconds : int, float
        What the others take, extrapolated from some that are made in memory, with this many `workers`.
    ledger : dict
        Summaries as in ``dataset.json``, for the inputs.
    notes : tuple of str
        What a user should know of the evidence behind the verdicts.
    """

    name: str
    composites: dict[str, int]
    foregrounds: dict[str, int]
    backgrounds: dict[str, int]
    shards: int
    there: int
    bytes: int
    seconds: float
    workers: int
    ledger: dict[str, Any]
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Say it in lines for people."""
        lines = [
            f"{split}: {self.foregrounds[split]} foregrounds on {self.backgrounds[split]} backgrounds, "
            f"{count} composites"
            for split, count in self.composites.items()
        ]
        lines += ledger_lines(self.ledger)
        lines += [f"note: {note}" for note in self.notes]
        if self.there:
            lines.append(f"{self.there} of {self.shards} shards are there already and stay as they are")
        lines.append(
            f"about {self.bytes / 1e9:.2f} GB in {self.shards - self.there} shards, "
            f"about {self.seconds / 60:.1f} minutes with {self.workers} workers"
        )
        return lines


def estimate(recipe: LoadedRecipe, out: Location, workers: int, append: bool = False) -> Estimate:
    """Check the inputs, make the plan of a build into `out`, and measure a few samples.

    `out` gets check results only. What the build would refuse is refused here; `append` as of
    :func:`matting_data.building.build.build`.
    """
    out = open_storage(out)
    with workspace.locked(out):
        _, sources, plan = planned(recipe, out, workers, append, retry=True)
        inputs = SourceInputs(sources, ColourCache(workspace.colour_store(out)))
        layers = recipe.recipe.store.kind == "layers"
        photographs = background_shards(recipe.recipe, plan) if layers else []
        costs = [
            _cost(BuildShard(out, recipe.recipe, inputs), plan_shards(plan), attrgetter("foreground")),
            _cost(StoreBackgrounds(out, inputs), photographs, attrgetter("id")),
        ]
    stored = {record.id for shard in photographs for record in shard.items}
    ledger = make_ledger(plan, BuiltShards([]), stored)
    return Estimate(
        name=recipe.recipe.name,
        composites=dict(Counter(c.split for c in plan.composites)),
        foregrounds={s: len({c.foreground for c in plan.composites if c.split == s}) for s in ("train", "test")},
        backgrounds={s: len({c.background for c in plan.composites if c.split == s}) for s in ("train", "test")},
        shards=len(plan.shards()) + len(photographs),
        there=sum(cost.there for cost in costs),
        bytes=round(sum(cost.bytes for cost in costs)),
        seconds=round(sum(cost.seconds for cost in costs) / workers, 1),
        workers=workers,
        ledger={name: summarise(ledger[name]) for name in ("foregrounds", "backgrounds")},
        notes=plan.notes,
    )


class _Cost(NamedTuple):
    """Shards of one kind: how many are there, and the bytes and seconds of one process that the others take."""

    there: int
    bytes: float
    seconds: float


def _cost(task: ShardTask[Work, Row], shards: Sequence[Work], probe: Callable[[Any], str]) -> _Cost:
    """Extrapolate from the items of some probes, of which `probe` names an item's own, made in memory."""
    missing = [shard for shard in shards if task.finished(shard, keep_failed=False) is None]
    probes = sorted({probe(item) for shard in shards for item in shard.items}, key=partial(derive_seed, "estimate"))
    chosen, sink, count = set(probes[:_PROBES]), MemorySink(), 0
    writer, started = ShardWriter(sink), time.perf_counter()
    for shard in shards:
        if items := tuple(item for item in shard.items if probe(item) in chosen):
            # what cannot be made is the build's to report
            count += len(task.fill(writer, replace(shard, items=items), []))
    seconds = time.perf_counter() - started
    scale = sum(len(shard.items) for shard in missing) / max(count, 1)
    return _Cost(len(shards) - len(missing), sink.bytes_written * scale, seconds * scale)
