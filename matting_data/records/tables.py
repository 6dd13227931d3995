"""Parquet tables of records: a list of one frozen dataclass, its columns the dataclass's fields, in their order.

None is null, a Literal is a string, and a list of dataclasses a list of structs.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from matting_data.errors import DamageError, MattingDataError
from matting_data.forks import require_polars, with_polars
from matting_data.records import format_1
from matting_data.records.checked import CheckedForeground
from matting_data.records.columns import lists_of_structs, schema, struct_columns
from matting_data.records.fields import field_names
from matting_data.records.judged import JudgedBackground
from matting_data.records.parquet_size import MalformedError, unfolded
from matting_data.records.planned import PlannedComposite
from matting_data.records.table_checks import require_sound
from matting_data.storage import Storage
from matting_data.storage.atomic import write_bytes
from matting_data.storage.refused import refusals
from matting_data.storage.regular_files import read_regular

Record = TypeVar("Record")

_LATER = {CheckedForeground: ("profile",), JudgedBackground: ("profile",)}
"""Columns that tables of the present format may lack, because earlier versions wrote them; null stands for them."""

_BUILD_AGAIN = "run 'mattingdata build' again"

_MOST_ALWAYS, _MOST_UNFOLDED = 64 << 20, 1024
"""A table may unfold to so many bytes, and so many times its length besides; plans of a million rows do to 20 times."""

_MOST_BYTES = 4 << 30
"""Of one table; a plan has some 40 a composite, so a hundred million of them."""

PARQUET_ERRORS = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What reading a missing or damaged Parquet file raises; polars panics on some flipped bytes."""


@contextmanager
def table_errors(problem: str, remedy: str, kind: type[MattingDataError] = DamageError) -> Iterator[None]:
    """Raise what reading a damaged table raises as an error of `kind`: the problem, its cause, the remedy."""
    require_polars()
    try:
        yield
    except PARQUET_ERRORS as error:
        raise kind(f"{problem} ({str(error).splitlines()[0]}): {remedy}") from None


def to_table(rows: Iterable[Record], record: type[Record]) -> pl.DataFrame:
    """Build a table with one row per record, also when there are none."""
    require_polars()
    kept, columns = list(rows), schema(record)
    table: dict[str, Any] = {name: [getattr(row, name) for row in kept] for name in columns}
    for name, part in struct_columns(record).items():
        table[name] = lists_of_structs(table[name], part)
    return pl.DataFrame(table, schema=columns)


def from_table(table: pl.DataFrame, record: type[Record]) -> list[Record]:
    """Convert a table that :func:`to_table` made back to its records."""
    columns = table.select(field_names(record)).to_dict(as_series=False)
    for name, part in struct_columns(record).items():
        columns[name] = [None if entries is None else [part(**entry) for entry in entries] for entries in columns[name]]
    return [record(*row) for row in zip(*columns.values(), strict=True)]


def _most_unfolded(size: int) -> int:
    return _MOST_ALWAYS + _MOST_UNFOLDED * size


def _unfolds(name: str, size: int, what: str) -> DamageError:
    return DamageError(
        f"{name} was not written by mattingdata: its {size:,} bytes unfold to {what}; do not trust this dataset"
    )


def write_table(
    path: Path, rows: Iterable[Record], record: type[Record], metadata: Mapping[str, str] | None = None
) -> str:
    """Write records as Parquet, atomically and reproducibly; return the file's SHA-256.

    Parameters
    ----------
    metadata : mapping, optional
        Key-value pairs for the file's own metadata.
    """
    return write_parquet(path, to_table(rows, record), metadata)


def write_parquet(path: Path, table: pl.DataFrame, metadata: Mapping[str, str] | None = None) -> str:
    """Write a table as Parquet, atomically and reproducibly; return the file's SHA-256."""
    return write_bytes(path, parquet_bytes(table, metadata))


def parquet_bytes(table: pl.DataFrame, metadata: Mapping[str, str] | None = None) -> bytes:
    """Encode a table as a Parquet file; the same bytes for the same table, metadata and polars."""
    require_polars()
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd", metadata=dict(metadata or {}))
    return buffer.getvalue()


def require_modest(source: bytes, record: type, name: str, rows: int | None = None) -> None:
    """Raise DamageError when a table unfolds to more than its length and its index let expect.

    Parameters
    ----------
    name : str
        What messages call the file.
    rows : int, optional
        How many rows it has, as the index says.
    """
    size = len(source)
    try:
        found = unfolded(source)
    except MalformedError as error:
        raise DamageError(f"{name} cannot be read ({error}): {_BUILD_AGAIN}") from None
    # seeds are 63 bits each that do not compress; whatever else is in a row may
    most = size // 7 if issubclass(record, PlannedComposite) else 4 * size
    if found.rows > most or found.bytes > _most_unfolded(size) or size > _MOST_BYTES:
        raise _unfolds(name, size, f"{found.rows:,} rows of {found.bytes:,} bytes")
    if rows is not None and found.rows != rows:
        raise DamageError(f"{name} has {found.rows:,} rows, dataset.json says {rows:,}: {_BUILD_AGAIN}")


@with_polars
def read_table(path: Path, record: type[Record]) -> list[Record]:
    """Read records from Parquet; DamageError as of :func:`checked_table`, RefusedError where it may not be read."""
    with table_errors(f"{path} cannot be read", _BUILD_AGAIN), refusals(path):
        content = read_regular(path, _MOST_BYTES)
    return from_table(checked_table(content, record, str(path)), record)


def read_stored(out: Storage, name: str, record: type[Record], rows: int | None = None) -> list[Record]:
    """Read records from a table of a dataset, wherever that lies; arguments and errors as of :func:`checked_table`."""
    return read_records(out.read_whole(name, _MOST_BYTES), record, out.label(name), rows=rows)


def stored_table(out: Storage, name: str, record: type, rows: int | None = None) -> pl.DataFrame:
    """Read what :func:`read_stored` makes records of."""
    return checked_table(out.read_whole(name, _MOST_BYTES), record, out.label(name), rows=rows)


@with_polars
def read_records(
    source: bytes, record: type[Record], name: str, repair: str = _BUILD_AGAIN, rows: int | None = None
) -> list[Record]:
    """Read the records of a table; arguments and errors as of :func:`checked_table`."""
    return from_table(checked_table(source, record, name, repair, rows), record)


def checked_table(
    source: bytes, record: type, name: str, repair: str = _BUILD_AGAIN, rows: int | None = None
) -> pl.DataFrame:
    """Read a table with the columns of a record class, as builds write it.

    Parameters
    ----------
    source : bytes
        The file, or its content.
    name, repair : str
        What messages call the file, and what they say to do about it.
    rows : int, optional
        How many rows it has, as the index says.

    Raises
    ------
    DamageError
        The file is missing, is not Parquet, or lacks a column, or it holds what no build writes; or it would unfold to
        far more than its length.
    """
    with table_errors(f"{name} cannot be read", repair):
        require_modest(source, record, name, rows)
        table = format_1.converted(pl.read_parquet(io.BytesIO(source)))
        columns = {name: kind for name, kind in schema(record).items() if name in _LATER.get(record, ())}
        table = table.with_columns(pl.lit(None, kind).alias(n) for n, kind in columns.items() if n not in table.columns)
        table = table.select(field_names(record))
    texts = table.select(pl.col(pl.String).str.len_bytes().cast(pl.Int64).sum())
    text = sum(texts.row(0))  # polars holds a text that repeats once, and records once for each row
    if text > _most_unfolded(len(source)):
        raise _unfolds(name, len(source), f"{text:,} bytes of text")
    require_sound(table, record, name)
    return table
