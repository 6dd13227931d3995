"""Shards of samples: composites ready made, or, in a store of layers, foregrounds with a row a composite."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RefusedError, RejectedInput, at
from matting_data.imaging import encode
from matting_data.imaging.trimap import person_extent
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import as_mapping
from matting_data.records.fields import values
from matting_data.records.planned import PlannedBackground, PlannedComposite, PlannedForeground
from matting_data.records.stored import Sample
from matting_data.rendering.composites import ForegroundRenderer, sample_row
from matting_data.rendering.layer_inputs import Inputs
from matting_data.rendering.shard_task import Failed, Planned, ShardTask, why_not
from matting_data.running.freed_memory import keep_freed_memory
from matting_data.shards.commit import Commit
from matting_data.shards.members import foreground_json, with_places
from matting_data.shards.writer import ShardWriter
from matting_data.version import tool_versions
from matting_data.workspace.work_folder import witness

Group = tuple[list[PlannedComposite], PlannedForeground, NDArray[np.uint8], NDArray[np.uint8]]
"""Composites of one foreground, its record, its clean colours H×W×3 and its alpha H×W."""


@dataclass(frozen=True)
class Shard(Planned[PlannedComposite]):
    """One shard of composites to build, with the records they need.

    `lost` says, in a store of layers, which backgrounds could not be stored: id → (reason, detail).
    """

    foregrounds: Mapping[str, PlannedForeground]
    backgrounds: Mapping[str, PlannedBackground]
    lost: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class BuildShard(ShardTask[Shard, Sample]):
    """Makes shards of samples; the commits it returns hold no rows, or a build would keep them all in memory.

    Parameters
    ----------
    out : Storage
        The dataset.
    recipe : Recipe
        What to build, and into which kind of store.
    inputs : Inputs
        Where pixels come from: the recipe's sources, or the layers of another dataset.
    """

    recipe: Recipe
    inputs: Inputs
    record = Sample

    def files(self, shard: Shard) -> Iterator[Path]:
        """Yield the files that a shard is made of, and one of the folder it goes to."""
        yield from witness(self.out)
        yield from self.inputs.files(shard.foregrounds.values(), shard.backgrounds.values())

    def __call__(self, shard: Shard) -> Commit[Sample]:
        """Write the tar, then the manifest that makes it count."""
        keep_freed_memory()
        return super().__call__(shard).without_rows()

    def finished(self, shard: Shard, keep_failed: bool) -> Commit[Sample] | None:
        """Read the commit of a finished shard; None where it has composites on backgrounds that are lost now."""
        done = super().finished(shard, keep_failed)
        if done is None or not shard.lost.keys() <= _lost(shard, done):
            return None
        return done.without_rows()

    def fill(self, writer: ShardWriter, shard: Shard, failed: Failed) -> list[Sample]:
        """Write all composites, those of a foreground together."""
        rows: list[Sample] = []
        add = self._add_layers if self.recipe.store.kind == "layers" else self._add_composites
        for identity, group in groupby(shard.items, key=lambda composite: composite.foreground):
            composites, record = list(group), shard.foregrounds[identity]
            with at(identity):
                try:
                    image, alpha = self.inputs.foreground(record)
                except (RejectedInput, RefusedError) as error:
                    failed += [(composite.key, *why_not(error)) for composite in composites]
                    continue
                rows += add(writer, shard, (composites, record, image, alpha), failed)
        return rows

    def inputs_sha256(self, shard: Shard) -> str:
        """Hash how it is made, by which tools, its composites, and what they use."""
        digest = hashlib.sha256(f"{_manner(self.recipe)} {sorted(tool_versions().items())}".encode())
        for composite in shard.items:
            digest.update(repr(values(composite)).encode())
        for _, foreground in sorted(shard.foregrounds.items()):
            digest.update(repr(foreground.decides).encode())
        for _, background in sorted(shard.backgrounds.items()):
            digest.update(repr(background.decides).encode())
        return digest.hexdigest()

    def _add_composites(self, writer: ShardWriter, shard: Shard, group: Group, failed: Failed) -> Iterator[Sample]:
        """Append a sample for each composite of a foreground."""
        composites, record, image, alpha = group
        renderer = ForegroundRenderer(record, image, alpha, self.recipe)
        for composite in composites:
            with at(composite.key):
                try:
                    background = self.inputs.background(shard.backgrounds[composite.background])
                except (RejectedInput, RefusedError) as error:
                    failed.append((composite.key, *why_not(error)))
                    continue
                rendered = renderer.render(composite, background)
                yield with_places(rendered.row, writer.add(composite.key, rendered.members))

    def _add_layers(self, writer: ShardWriter, shard: Shard, group: Group, failed: Failed) -> Iterator[Sample]:
        """Append a foreground once, and a row for each of its composites."""
        composites, record, image, alpha = group
        made = [composite for composite in composites if composite.background not in shard.lost]
        failed += [(c.key, *shard.lost[c.background]) for c in composites if c.background in shard.lost]
        if not made:
            return
        suffix, content = encode.lossless(np.where(alpha[..., None] > 0, image, np.uint8(0)))
        members = {
            f"foreground.{suffix}": content,
            "alpha.png": encode.matte_png(alpha),
            "json": foreground_json(record),
        }
        places = writer.add(record.id, members)
        extent = person_extent(alpha)
        for composite in made:
            background = shard.backgrounds[composite.background]
            row = sample_row(composite, record, extent, (background.width, background.height), self.recipe)
            yield with_places(row, places)


def _lost(shard: Shard, done: Commit[Sample]) -> set[str]:
    """Find the backgrounds of which every composite failed."""
    made = {row.key for row in done.rows}
    return shard.backgrounds.keys() - {c.background for c in shard.items if c.key in made}


def _manner(recipe: Recipe) -> str:
    """Serialise the part of a recipe that decides the bytes of given composites; its other numbers may grow."""
    document = as_mapping(recipe)
    document["composites"].pop("per_foreground")
    document["store"].pop("samples_per_shard")
    document["store"].pop("epoch_backgrounds")
    return json.dumps([document[key] for key in ("composites", "trimap", "store")], sort_keys=True)
