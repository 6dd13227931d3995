"""Storing backgrounds once, as the files they are, for a store of layers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matting_data.records.planned import PlannedBackground
from matting_data.records.stored import StoredBackground
from matting_data.rendering.shard_job import SourceInputs, failure
from matting_data.shards.commit import Commit, commit, committed
from matting_data.shards.names import BACKGROUNDS, manifest_name, shard_name, tar_name
from matting_data.shards.writer import ShardWriter
from matting_data.storage import Storage
from matting_data.version import tool_versions
from matting_data.workspace.work_folder import witness

_SUFFIX = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}


@dataclass(frozen=True)
class BackgroundShard:
    """One tar of backgrounds to write."""

    number: int
    backgrounds: tuple[PlannedBackground, ...]

    @property
    def inputs_sha256(self) -> str:
        """Hash of all that decides its bytes."""
        decides = [(record.decides, record.format, record.width, record.height) for record in self.backgrounds]
        return hashlib.sha256(repr((sorted(tool_versions().items()), decides)).encode()).hexdigest()


@dataclass
class StoreBackgrounds:
    """The task of storing a :class:`BackgroundShard` below `out`."""

    out: Storage
    inputs: SourceInputs

    def files(self, shard: BackgroundShard) -> Iterator[Path]:
        """Yield the files that are stored, and one of the folder they go to."""
        yield from witness(self.out)
        yield from self.inputs.files((), shard.backgrounds)

    def __call__(self, shard: BackgroundShard) -> tuple[int, Commit[StoredBackground]]:
        """Write the tar, then the manifest that makes it count; return the shard's number too."""
        rows: list[StoredBackground] = []
        failed: list[tuple[str, str, str]] = []
        own_name = shard_name(BACKGROUNDS, shard.number)
        self.out.remove(manifest_name(own_name))
        with self.out.writing(tar_name(own_name)) as file:
            writer = ShardWriter(file)
            for record in shard.backgrounds:
                try:
                    content = self.inputs.background_bytes(record)
                except Exception as error:
                    failed.append((record.id, *failure(error)))
                    continue
                member = f"background.{_SUFFIX.get(record.format, record.format.lower())}"
                name, offset, size = writer.add(record.id, {member: content})[member]
                rows.append(
                    StoredBackground(
                        record.id, record.split, record.width, record.height, record.rotation, name, offset, size
                    )
                )
            writer.close()
        tar = file.bytes_written, file.sha256
        return shard.number, commit(self.out, own_name, rows, StoredBackground, shard.inputs_sha256, tar, failed)


def background_shards(backgrounds: Sequence[PlannedBackground], limit: int) -> list[BackgroundShard]:
    """Lay backgrounds into tars of at most `limit`, those of a split together."""
    shards: list[BackgroundShard] = []
    for split in ("train", "test"):
        own = [record for record in backgrounds if record.split == split]
        for start in range(0, len(own), limit):
            shards.append(BackgroundShard(len(shards), tuple(own[start : start + limit])))
    return shards


def committed_backgrounds(
    out: Storage, shard: BackgroundShard, keep_failed: bool = False
) -> Commit[StoredBackground] | None:
    """Return a tar that an earlier run finished, or None where it has to be written (again)."""
    return committed(out, shard_name(BACKGROUNDS, shard.number), StoredBackground, shard.inputs_sha256, keep_failed)
