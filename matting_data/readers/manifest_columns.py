"""The manifest rows of a split in a form that loading processes share: plain arrays, no objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matting_data.records.stored import Sample

_NAMES = tuple(field.name for field in fields(Sample))


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
        self._columns = {name: _column(table[name]) for name in _NAMES}

    def __len__(self) -> int:
        return len(self._columns["key"])

    @overload
    def __getitem__(self, position: int) -> Sample: ...

    @overload
    def __getitem__(self, position: slice) -> Sequence[Sample]: ...

    def __getitem__(self, position: int | slice) -> Sample | Sequence[Sample]:
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
