"""What a build would make, and what it would cost, from its real inputs and a few composites made in memory."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from matting_data.building.ledger import make_ledger, summarise
from matting_data.building.strategies import planned
from matting_data.errors import RejectedInput, at
from matting_data.planning.plan import Plan
from matting_data.publishing.statistics import ledger_lines
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.rendering.composites import ForegroundRenderer
from matting_data.rendering.make_shards import BuiltShards, plan_shards
from matting_data.rendering.sample_shards import BuildShard
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.seeds import derive_seed
from matting_data.shards.names import shard_name
from matting_data.shards.writer import MemorySink, ShardWriter
from matting_data.storage import Location, open_storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.colour_cache import ColourCache

_PROBES = 8
"""Foregrounds of which composites are made to measure size and time."""


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
        What the others take, extrapolated from composites made in memory, with this many `workers`.
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
    """Check the inputs, make the plan of a build into `out`, and measure a few composites.

    `out` gets check results only. What the build would refuse is refused here; `append` as of
    :func:`matting_data.building.build.build`.
    """
    out = open_storage(out)
    with workspace.locked(out):
        _, sources, plan = planned(recipe, out, workers, append, retry=True)
        task = BuildShard(out, recipe.recipe, SourceInputs(sources, ColourCache(workspace.colour_store(out))))
        finished = {shard.name for shard in plan_shards(plan) if task.finished(shard, keep_failed=False)}
        inputs = SourceInputs(sources, ColourCache(workspace.colour_store(out)))
        size, seconds = _measure(recipe.recipe, plan, inputs)
    count = sum(shard_name(c.split, c.shard) not in finished for c in plan.composites)
    ledger = make_ledger(plan, BuiltShards([]))
    return Estimate(
        name=recipe.recipe.name,
        composites=dict(Counter(c.split for c in plan.composites)),
        foregrounds={s: len({c.foreground for c in plan.composites if c.split == s}) for s in ("train", "test")},
        backgrounds={s: len({c.background for c in plan.composites if c.split == s}) for s in ("train", "test")},
        shards=len(plan.shards()),
        there=len(finished),
        bytes=round(size * count),
        seconds=round(seconds * count / workers, 1),
        workers=workers,
        ledger={name: summarise(ledger[name]) for name in ("foregrounds", "backgrounds")},
        notes=plan.notes,
    )


def _measure(recipe: Recipe, plan: Plan, inputs: SourceInputs) -> tuple[float, float]:
    """Measure the bytes and seconds of one composite, averaged over all composites of some foregrounds."""
    foregrounds, backgrounds = plan.usable_foregrounds(), plan.usable_backgrounds()
    chosen = sorted({c.foreground for c in plan.composites}, key=lambda identity: derive_seed("estimate", identity))
    sink, count, started = MemorySink(), 0, time.perf_counter()
    writer = ShardWriter(sink)
    for identity in chosen[:_PROBES]:
        record = foregrounds[identity]
        with suppress(RejectedInput), at(identity):  # what cannot be made is the build's to report
            renderer = ForegroundRenderer(record, *inputs.foreground(record), recipe)
            for composite in (c for c in plan.composites if c.foreground == identity):
                rendered = renderer.render(composite, inputs.background(backgrounds[composite.background]))
                writer.add(composite.key, rendered.members)
                count += 1
    return sink.bytes_written / max(count, 1), (time.perf_counter() - started) / max(count, 1)
