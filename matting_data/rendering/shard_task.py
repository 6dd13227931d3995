"""Making one shard: the unit of work of a build, the same for samples and for the backgrounds of a store of layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from matting_data.errors import RefusedError, RejectedInput, at
from matting_data.records.codes import REFUSED
from matting_data.shards.commit import Commit, commit, read_commit
from matting_data.shards.names import manifest_name, shard_name, tar_name
from matting_data.shards.writer import ShardWriter
from matting_data.storage import Storage
from matting_data.workspace.work_folder import require_begun

Item = TypeVar("Item")


@dataclass(frozen=True)
class Planned(Generic[Item]):
    """A shard that is to be made: its folder (a split, or that of backgrounds), its number there, and its content."""

    folder: str
    number: int
    items: tuple[Item, ...]

    @property
    def name(self) -> str:
        """Its path below the dataset, without suffix."""
        return shard_name(self.folder, self.number)


Work = TypeVar("Work", bound=Planned[Any])
Row = TypeVar("Row")

Failed = list[tuple[str, str, str]]
"""(key, reason, detail) of what cannot be made, as it is met."""


@dataclass
class ShardTask(ABC, Generic[Work, Row]):
    """The task of a build's workers: makes a shard below `out` and commits it.

    Parameters
    ----------
    out : Storage
        The dataset.
    """

    out: Storage

    record: ClassVar[type]
    """Class of the rows of its manifests."""

    @abstractmethod
    def fill(self, writer: ShardWriter, shard: Work, failed: Failed) -> list[Row]:
        """Write the samples of a shard, returning the rows of its manifest."""

    @abstractmethod
    def inputs_sha256(self, shard: Work) -> str:
        """Hash all that decides a shard's bytes."""

    @abstractmethod
    def files(self, shard: Work) -> Iterator[Path]:
        """Yield the files that a shard is made of, and one of the folder it goes to."""

    def __call__(self, shard: Work) -> Commit[Row]:
        """Write the tar, then the manifest that makes it count."""
        failed: Failed = []
        with at(shard.name):
            require_begun(self.out)
            self.out.remove(manifest_name(shard.name))  # what is replaced must not count while it is
            with self.out.writing(tar_name(shard.name)) as file:
                writer = ShardWriter(file)
                rows = self.fill(writer, shard, failed)
                writer.close()
                require_begun(self.out)  # a tar in a folder that was removed meanwhile would be nobody's
            tar = file.bytes_written, file.sha256
            return commit(self.out, shard.name, rows, self.record, self.inputs_sha256(shard), tar, failed)

    def finished(self, shard: Work, keep_failed: bool) -> Commit[Row] | None:
        """Read the commit of a shard that an earlier run made of the same inputs; None if it is to be made (again).

        What the system refused to read is tried again, also where failures are kept.
        """
        with at(shard.name):
            done: Commit[Row] | None = read_commit(
                self.out, shard.name, self.record, self.inputs_sha256(shard), keep_failed
            )
        return None if done and any(reason == REFUSED for _, reason, _ in done.failed) else done


def why_not(error: RejectedInput | RefusedError) -> tuple[str, str]:
    """Give reason and detail of what cannot be made of an input."""
    return (REFUSED, error.why) if isinstance(error, RefusedError) else (error.reason, error.detail)
