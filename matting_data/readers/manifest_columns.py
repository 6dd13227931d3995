"""The manifest rows of a split in a form that loading processes share: plain arrays, no objects."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matting_data.errors import DamageError
from matting_data.forks import with_polars
from matting_data.records.columns import schema
from matting_data.records.fields import field_names
from matting_data.records.stored import Sample
from matting_data.records.tables import checked_table, from_table
from matting_data.storage import Storage

Record = TypeVar("Record")

Columns = dict[str, NDArray[Any]]
"""Name → values in the order of rows; text as NumPy's variable-width strings."""


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read and is the one that was built, not yet parsed.

    Attributes
    ----------
    content : bytes
    name, repair : str
        What messages call it, and what they say to do about it.
    """

    content: bytes
    name: str
    repair: str

    def table(self, record: type) -> pl.DataFrame:
        """Return one row a `record`; DamageError where that is not what it holds."""
        return checked_table(io.BytesIO(self.content), record, self.name, self.repair)


def read_manifest(storage: Storage, entry: Mapping[str, Any]) -> Manifest:
    """Read a shard's manifest; DamageError where it is not the one that was built."""
    content = read_checked(storage, entry["manifest"], entry["manifest_sha256"])
    return Manifest(content, storage.label(entry["manifest"]), storage.repair)


def table_of(manifests: Sequence[Manifest]) -> pl.DataFrame:
    """Join the manifests of a split, one row a :class:`Sample` in stored order; DamageError as of :class:`Manifest`."""
    return pl.concat([pl.DataFrame(schema=schema(Sample)), *(each.table(Sample) for each in manifests)])


@with_polars
def read_columns(manifests: Sequence[Manifest]) -> Columns:
    """Return the columns of :func:`table_of`."""
    return columns_of(table_of(manifests))


@with_polars
def read_rows(manifests: Sequence[Manifest], record: type[Record]) -> list[list[Record]]:
    """Return the records of each manifest; DamageError as of :class:`Manifest`."""
    return [from_table(each.table(record), record) for each in manifests]


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


def columns_of(table: pl.DataFrame) -> Columns:
    """Return the columns of a table of :class:`Sample`."""
    return {name: _column(table[name]) for name in field_names(Sample)}


def _column(values: pl.Series) -> NDArray[Any]:
    if values.dtype == pl.String:
        return np.array(values.to_list(), dtype=np.dtypes.StringDType())
    return np.asarray(values.to_numpy())
