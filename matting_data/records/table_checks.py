"""Whether a table holds what builds write: types, codes, numbers within limits, names that lead nowhere.

Whoever hands a dataset on can write any table and compute its hashes. Ids and keys become names of files and tar
members, splits names of folders, offsets are sought, and lengths and sizes are allocated.
"""

from __future__ import annotations

from functools import lru_cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import polars as pl

from matting_data.errors import DamageError, shown
from matting_data.imaging.limits import LARGEST_BACKGROUND, MAX_PIXELS
from matting_data.records.checked import CheckedForeground
from matting_data.records.columns import schema
from matting_data.records.judged import JudgedBackground
from matting_data.records.parquet_size import MOST_TEXT
from matting_data.records.planned import PlannedComposite
from matting_data.records.stored import Sample, StoredBackground

_NAME = r"\A[A-Za-z0-9_-]+\z"

_NAMES: dict[type, tuple[str, ...]] = {
    CheckedForeground: ("id",),
    JudgedBackground: ("id",),
    StoredBackground: ("id",),
    PlannedComposite: ("key", "foreground", "background"),
    Sample: ("key", "foreground", "background"),
}
"""Columns whose values become paths."""

_MOST_PIXELS: dict[type, int] = {Sample: MAX_PIXELS, StoredBackground: LARGEST_BACKGROUND}
"""Of an image that readers decode."""

_FEW = 10
"""Codes of a column that are held to those of this version; a later one may know more reasons."""

_CODE = r"\A[a-z0-9_]*\z"

_LONGEST = 1_000_000
_FURTHEST = 1 << 50


def require_sound(table: pl.DataFrame, record: type, name: str) -> None:
    """Raise DamageError when a table, which `name` calls, is not one that a build wrote; it names column and value.

    Parameters
    ----------
    table : DataFrame
        With the columns of `record`.
    """
    for column, kind in schema(record).items():
        if table.schema[column] != kind:
            raise _foreign(name, f"its {column} is {table.schema[column]}, not {kind}")
    checks = _checks(record)
    if checks and len(table):
        found = table.select(bad.any().alias(str(number)) for number, (_, bad) in enumerate(checks)).row(0)
        for wrong, (column, bad) in zip(found, checks, strict=True):
            if wrong:
                raise _foreign(name, f"its {column} {shown(table.filter(bad)[column][0])} is none that a build gives")


def _foreign(name: str, why: str) -> DamageError:
    return DamageError(f"{name} was not written by mattingdata: {why}; do not trust this dataset")


@lru_cache
def _checks(record: type) -> list[tuple[str, pl.Expr]]:
    """List column and what is wrong in it, as expressions that are true for such rows."""
    checks = list[tuple[str, pl.Expr]]()
    hints = get_type_hints(record)
    for column, kind in schema(record).items():
        values = pl.col(column)
        if type(None) not in get_args(hints[column]):
            checks.append((column, values.is_null()))
        if kind == pl.String:
            codes = _codes(hints[column])
            checks.append((column, values.str.len_bytes() > MOST_TEXT))
            if codes:
                checks.append((column, ~values.is_in(codes) if len(codes) <= _FEW else ~values.str.contains(_CODE)))
        elif kind == pl.Int64:
            checks.append(
                (column, values % 90 != 0 if column == "rotation" else (values < 0) | (values > _most(column)))
            )
        elif kind == pl.Float64:
            checks.append((column, ~values.is_finite()))
        elif isinstance(kind, pl.List):
            checks.append((column, values.list.eval(pl.element().is_null()).list.any()))
    checks += [(column, ~pl.col(column).str.contains(_NAME)) for column in _NAMES.get(record, ())]
    if record in _MOST_PIXELS:
        width, height = pl.col("width").clip(0, _LONGEST), pl.col("height").clip(0, _LONGEST)
        checks.append(("width", (width == 0) | (height == 0) | (width * height > _MOST_PIXELS[record])))
    return checks


def _most(column: str) -> int:
    """Say how large a number of a column may be."""
    if column == "seed":
        return 2**63 - 1
    return _FURTHEST if column.endswith(("offset", "bytes")) else _LONGEST if _is_side(column) else 10**10


def _is_side(column: str) -> bool:
    return column in ("x0", "y0", "x1", "y1") or column.endswith(("width", "height", "_x", "_y"))


def _codes(hint: Any) -> list[str]:
    """List the codes that a column may hold; none where it holds any text."""
    if get_origin(hint) is Literal:
        return [code for each in get_args(hint) for code in ([each] if isinstance(each, str) else _codes(each))]
    if get_origin(hint) in (Union, UnionType):
        return [code for each in get_args(hint) for code in _codes(each)]
    return []
