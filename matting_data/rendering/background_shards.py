"""Shards of backgrounds: each photograph once, as the file it is, for a store of layers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matting_data.errors import RejectedInput, at
from matting_data.records.planned import PlannedBackground
from matting_data.records.stored import StoredBackground
from matting_data.rendering.shard_task import Failed, Planned, ShardTask
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.shards.names import BACKGROUNDS, SPLITS
from matting_data.shards.writer import ShardWriter
from matting_data.version import tool_versions
from matting_data.workspace.work_folder import witness

_SUFFIX = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}


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
            try:
                with at(record.id):
                    content = self.inputs.background_bytes(record)
            except RejectedInput as error:
                failed.append((record.id, error.reason, error.detail))
                continue
            member = f"background.{_SUFFIX.get(record.format, record.format.lower())}"
            about = record.id, record.split, record.width, record.height, record.rotation
            rows.append(StoredBackground(*about, *writer.add(record.id, {member: content})[member]))
        return rows


def background_shards(backgrounds: Sequence[PlannedBackground], limit: int) -> list[BackgroundShard]:
    """Lay backgrounds into tars of at most `limit`, those of a split together."""
    shards: list[BackgroundShard] = []
    for split in SPLITS:
        own = [record for record in backgrounds if record.split == split]
        for start in range(0, len(own), limit):
            shards.append(BackgroundShard(BACKGROUNDS, len(shards), tuple(own[start : start + limit])))
    return shards
