"""From the types of a record's fields to the columns of its table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import polars as pl

from matting_data.records.fields import field_names

_TYPES: dict[Any, Any] = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}


def schema(record: type) -> dict[str, Any]:
    """Build the polars schema of a record class."""
    hints = get_type_hints(record)
    return {name: _column_type(hints[name]) for name in field_names(record)}


def struct_columns(record: type) -> dict[str, type]:
    """Find the columns of the form ``list[dataclass] | None``, with their dataclass."""
    first = {name: (get_args(hint) or (hint,))[0] for name, hint in get_type_hints(record).items()}
    parts: dict[str, Any] = {name: get_args(kind)[0] for name, kind in first.items() if get_origin(kind) is list}
    return {name: part for name, part in parts.items() if isinstance(part, type) and dataclasses.is_dataclass(part)}


def lists_of_structs(rows: Sequence[Sequence[object] | None], part: type) -> pl.Series:
    """Build a column of lists of dataclasses without dicts, with which polars takes ten times as long."""
    flat = pl.DataFrame(
        {
            "row": [row for row, entries in enumerate(rows) for _ in entries or ()],
            **{name: [getattr(entry, name) for entries in rows for entry in entries or ()] for name in schema(part)},
        },
        schema={"row": pl.Int64, **schema(part)},
    )
    lists = flat.group_by("row", maintain_order=True).agg(pl.struct(*schema(part)).alias("lists"))
    known = {"row": list(range(len(rows))), "known": [entries is not None for entries in rows]}
    table = pl.DataFrame(known, schema={"row": pl.Int64, "known": pl.Boolean})
    table = table.join(lists, on="row", how="left", maintain_order="left")
    empty = pl.lit([], dtype=pl.List(pl.Struct(schema(part))))
    return table.select(pl.when("known").then(pl.col("lists").fill_null(empty)))["lists"]


def _column_type(hint: Any) -> Any:
    if get_origin(hint) is list:
        return pl.List(_column_type(get_args(hint)[0]))
    if get_origin(hint) is Literal:
        return pl.String
    if dataclasses.is_dataclass(hint):
        return pl.Struct(schema(hint))  # type: ignore[arg-type]
    return _column_type(get_args(hint)[0]) if get_args(hint) else _TYPES[hint]  # of `X | None`, X
