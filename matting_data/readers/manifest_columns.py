"""The manifest rows of a split in a form that loading processes share: plain arrays, no objects."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matting_data.errors import DamageError
from matting_data.records.fields import field_names
from matting_data.records.stored import Sample
from matting_data.records.tables import checked_table
from matting_data.storage import Storage


def read_manifest_table(storage: Storage, entry: Mapping[str, Any], record: type) -> pl.DataFrame:
    """Read a shard's manifest, one row a `record`; DamageError where it is not the one that was built."""
    content = read_checked(storage, entry["manifest"], entry["manifest_sha256"])
    return checked_table(io.BytesIO(content), record, storage.label(entry["manifest"]), storage.repair)


def read_checked(storage: Storage, name: str, sha256: str | None) -> bytes:
    """Read a file of a dataset; DamageError where it has another hash."""
    content = storage.read(name)
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

    Parameters
    ----------
    table : DataFrame
        With the columns of :class:`Sample`.
    """

    def __init__(self, table: pl.DataFrame) -> None:
        self._columns = {name: _column(table[name]) for name in field_names(Sample)}

    def __len__(self) -> int:
        return len(self._columns["key"])

    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return [self[place] for place in range(*position.indices(len(self)))]
        return Sample(**{name: column.item(position) for name, column in self._columns.items()})

    @property
    def keys(self) -> list[str]:
        """The keys, in order."""
        return [str(key) for key in self._columns["key"].tolist()]


def _column(values: pl.Series) -> NDArray[Any]:
    if values.dtype == pl.String:
        return np.array(values.to_list(), dtype=np.dtypes.StringDType())
    return np.asarray(values.to_numpy())
