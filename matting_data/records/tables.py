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
from matting_data.records.planned import PlannedComposite
from matting_data.records.stored import Sample, StoredBackground
from matting_data.storage import Storage
from matting_data.storage.atomic import write_bytes
from matting_data.storage.refused import refusals
from matting_data.storage.regular_files import read_regular

Record = TypeVar("Record")

_NAME, _SPLIT = r"\A[A-Za-z0-9_-]+\z", r"\A(train|test|)\z"

_FORMS: dict[type, dict[str, str]] = {
    CheckedForeground: {"id": _NAME, "split": _SPLIT},
    JudgedBackground: {"id": _NAME, "split": _SPLIT},
    StoredBackground: {"id": _NAME, "split": _SPLIT},
    PlannedComposite: {"key": _NAME, "foreground": _NAME, "background": _NAME, "split": _SPLIT},
    Sample: {"key": _NAME, "foreground": _NAME, "background": _NAME, "split": _SPLIT},
}
"""What names look like that become paths."""

_LATER = {CheckedForeground: ("profile",), JudgedBackground: ("profile",)}
"""Columns that tables of the present format may lack, because earlier versions wrote them; null stands for them."""

_BUILD_AGAIN = "run 'mattingdata build' again"

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


def require_safe_names(table: pl.DataFrame, record: type, name: str) -> None:
    """Raise DamageError when a table that somebody else may have made names what could lead out of a folder.

    Ids and keys become names of files and tar members, splits names of folders; offsets are sought.
    """
    for column, form in _FORMS.get(record, {}).items():
        odd = table.filter(~pl.col(column).str.contains(form))[column]
        if len(odd):
            raise DamageError(
                f"{name} was not written by mattingdata: its {column} {odd[0]!r} is none that a build gives; "
                "do not trust this dataset"
            )
    places = [c for c in table.columns if c.endswith(("_offset", "_bytes"))] if record in _FORMS else []
    if len(table) and any((table[column] < 0).any() for column in places):
        raise DamageError(f"{name} was not written by mattingdata: it holds negative places; do not trust this dataset")


@with_polars
def read_table(path: Path, record: type[Record]) -> list[Record]:
    """Read records from Parquet; DamageError as of :func:`checked_table`, RefusedError where it may not be read."""
    with table_errors(f"{path} cannot be read", _BUILD_AGAIN), refusals(path):
        content = io.BytesIO(read_regular(path))
    return from_table(checked_table(content, record, str(path)), record)


def read_stored(out: Storage, name: str, record: type[Record]) -> list[Record]:
    """Read records from a table of a dataset, wherever that lies; errors as of :func:`checked_table`."""
    return read_records(io.BytesIO(out.read(name)), record, out.label(name))


def stored_table(out: Storage, name: str, record: type) -> pl.DataFrame:
    """Read what :func:`read_stored` makes records of."""
    return checked_table(io.BytesIO(out.read(name)), record, out.label(name))


@with_polars
def read_records(source: io.BytesIO, record: type[Record], name: str, repair: str = _BUILD_AGAIN) -> list[Record]:
    """Read the records of a table; arguments and errors as of :func:`checked_table`."""
    return from_table(checked_table(source, record, name, repair), record)


def checked_table(source: io.BytesIO, record: type, name: str, repair: str = _BUILD_AGAIN) -> pl.DataFrame:
    """Read a table with the columns of a record class.

    Parameters
    ----------
    name, repair : str
        What messages call the file, and what they say to do about it.

    Raises
    ------
    DamageError
        The file is missing, is not Parquet, or lacks a column, or it names what no build names.
    """
    with table_errors(f"{name} cannot be read", repair):
        table = format_1.converted(pl.read_parquet(source, glob=False))
        columns = {name: kind for name, kind in schema(record).items() if name in _LATER.get(record, ())}
        table = table.with_columns(pl.lit(None, kind).alias(n) for n, kind in columns.items() if n not in table.columns)
        table = table.select(field_names(record))
    require_safe_names(table, record, name)
    return table
