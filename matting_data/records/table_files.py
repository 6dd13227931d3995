"""Tables of records as files in memory: parsed here, or where a fork has lost polars' threads in a fresh process.

What such a process imports is this module and little more, so that it starts fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matting_data.forks import with_polars
from matting_data.records.columns import schema
from matting_data.records.fields import field_names
from matting_data.records.tables import checked_table, from_table

Record = TypeVar("Record")

Columns = dict[str, NDArray[Any]]
"""Name → values in the order of rows; text as NumPy's variable-width strings."""


@dataclass(frozen=True)
class TableFile:
    """A Parquet file that was read and not yet parsed.

    Attributes
    ----------
    content : bytes
    name, repair : str
        What messages call it, and what they say to do about it.
    rows : int, optional
        How many rows it has, as the index says.
    check : callable, optional
        Called with the table; raises DamageError where it does not fit what lies beside it.
    """

    content: bytes
    name: str
    repair: str
    rows: int | None = None
    check: Callable[[pl.DataFrame], None] | None = None

    def table(self, record: type) -> pl.DataFrame:
        """Parse the file; errors as of :func:`matting_data.records.tables.checked_table`."""
        table = checked_table(self.content, record, self.name, self.repair, self.rows)
        if self.check is not None:
            self.check(table)
        return table


def joined(files: Sequence[TableFile], record: type) -> pl.DataFrame:
    """Read the rows of all files as one table, also when there are none; errors as of :class:`TableFile`."""
    return pl.concat([pl.DataFrame(schema=schema(record)), *(file.table(record) for file in files)])


@with_polars
def read_columns(files: Sequence[TableFile], record: type) -> Columns:
    """Read the columns of :func:`joined`; `record` has plain fields without None."""
    return columns_of(joined(files, record), record)


@with_polars
def read_rows(files: Sequence[TableFile], record: type[Record]) -> list[list[Record]]:
    """Read the records of each file; errors as of :class:`TableFile`."""
    return [from_table(file.table(record), record) for file in files]


def columns_of(table: pl.DataFrame, record: type) -> Columns:
    """Extract the columns of a table of records that have plain fields without None."""
    return {name: _column(table[name]) for name in field_names(record)}


def _column(values: pl.Series) -> NDArray[Any]:
    if values.dtype == pl.String:
        return np.array(values.to_list(), dtype=np.dtypes.StringDType())
    return np.asarray(values.to_numpy())
