"""The manifest rows of a split in a form that loading processes share: plain arrays, no objects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from matting_data.errors import DamageError
from matting_data.records.stored import Sample
from matting_data.records.table_files import Columns, TableFile
from matting_data.shards.manifests import MOST_BYTES, require_in_shard
from matting_data.storage import Storage


def read_manifest(storage: Storage, entry: Mapping[str, Any]) -> TableFile:
    """Read a shard's manifest; DamageError where it is not the one that was built."""
    content = read_checked(storage, entry["manifest"], entry["manifest_sha256"], MOST_BYTES)
    name, rows = storage.label(entry["manifest"]), entry.get("num_samples", entry.get("num_backgrounds"))
    return TableFile(content, name, storage.repair, rows, partial(require_in_shard, entry=entry, name=name))


def read_checked(storage: Storage, name: str, sha256: str, limit: int) -> bytes:
    """Read a file of a dataset; DamageError where it has another hash, or more than `limit` bytes."""
    content = storage.read_whole(name, limit)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise altered(storage, name)
    return content


def altered(storage: Storage, name: str) -> DamageError:
    """Make the error for a file whose hash is not that of the index."""
    return DamageError(f"{storage.label(name)} is not the file that was built: {storage.repair}")


class Rows(Sequence[Sample]):
    """Rows by position, made on demand.

    A list of records would be copied page by page into every forked loading process as its reference counts change,
    and polars must not be used there at all, its threads being lost in a fork.

    Attributes
    ----------
    columns : Columns
        Those of :class:`Sample`.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns["key"])

    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return [self[place] for place in range(*position.indices(len(self)))]
        return Sample(**{name: column.item(position) for name, column in self.columns.items()})

    @property
    def keys(self) -> list[str]:
        """The keys, in order."""
        return [str(key) for key in self.columns["key"].tolist()]
