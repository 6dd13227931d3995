"""Shards of backgrounds: each photograph once, as the file it is, for a store of layers.

What was converted to sRGB, or needs a decoder that a reader may lack, is stored as lossless pixels instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matting_data.errors import RefusedError, RejectedInput, at
from matting_data.imaging import encode
from matting_data.imaging.codecs.formats import stored_suffix
from matting_data.planning.plan import Plan
from matting_data.recipes.recipe import Recipe
from matting_data.records.planned import PlannedBackground
from matting_data.records.stored import StoredBackground
from matting_data.rendering.shard_task import Failed, Planned, ShardTask, why_not
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.shards.names import BACKGROUNDS, SPLITS
from matting_data.shards.writer import ShardWriter
from matting_data.version import tool_versions
from matting_data.workspace.work_folder import witness

BackgroundShard = Planned[PlannedBackground]
"""One tar of backgrounds to write."""


@dataclass
class StoreBackgrounds(ShardTask[BackgroundShard, StoredBackground]):
    """Stores the backgrounds that `inputs` reads below `out`."""

    inputs: SourceInputs
    record = StoredBackground

    def files(self, shard: BackgroundShard) -> Iterator[Path]:
        """Yield the files that are stored, and one of the folder they go to."""
        yield from witness(self.out)
        yield from self.inputs.files((), shard.items)

    def inputs_sha256(self, shard: BackgroundShard) -> str:
        """Hash all that decides a tar's bytes."""
        decides = [(record.decides, record.format, record.width, record.height) for record in shard.items]
        return hashlib.sha256(repr((sorted(tool_versions().items()), decides)).encode()).hexdigest()

    def fill(self, writer: ShardWriter, shard: BackgroundShard, failed: Failed) -> list[StoredBackground]:
        """Write the files of all backgrounds."""
        rows = []
        for record in shard.items:
            with at(record.id):
                try:
                    suffix, rotation, content = self._content(record)
                except (RejectedInput, RefusedError) as error:
                    failed.append((record.id, *why_not(error)))
                    continue
                member = f"background.{suffix}"
                about = record.id, record.split, record.width, record.height, rotation
                rows.append(StoredBackground(*about, *writer.add(record.id, {member: content})[member]))
        return rows

    def _content(self, record: PlannedBackground) -> tuple[str, int, bytes]:
        """Encode a background as suffix, rotation and bytes: its file, or its pixels if HEIF or colour-profiled."""
        if record.profile or record.format == "HEIF":
            suffix, content = encode.lossless(self.inputs.background(record))
            return suffix, 0, content
        return stored_suffix(record.format)[1:], record.rotation, self.inputs.background_bytes(record)


def background_shards(recipe: Recipe, plan: Plan) -> list[BackgroundShard]:
    """Group the backgrounds that a store of layers keeps into shards: each split's own, train first."""
    used = {composite.background for composite in plan.composites}
    wanted = [b for b in plan.usable_backgrounds().values() if recipe.store.epoch_backgrounds or b.id in used]
    own = [[record for record in wanted if record.split == split] for split in SPLITS]
    limit = recipe.store.samples_per_shard
    groups = [records[start : start + limit] for records in own for start in range(0, len(records), limit)]
    return [BackgroundShard(BACKGROUNDS, number, tuple(group)) for number, group in enumerate(groups)]
