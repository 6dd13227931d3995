"""Tables that a command keeps for the next one, below ``.work`` or in a folder of the user's cache.

Nobody vouches for what lies there: a disk may have flipped a bit of it, another version may have written it, and a user
may have put files of his own beside it. So a table is believed only where every byte is as it was written, it holds the
columns that are asked for, and it was made of what is asked for. Whatever else lies there is left alone.
"""

from __future__ import annotations

import io
from typing import Any

import polars as pl

from matting_data.forks import require_polars
from matting_data.records.self_hashed import checked_metadata, hashed_parquet
from matting_data.records.tables import PARQUET_ERRORS
from matting_data.storage import LocalStorage
from matting_data.storage.regular_files import read_regular

_MADE_OF = "made_of"

_MOST_BYTES = 1 << 30
"""What is longer was kept by nobody, and not worth the memory."""


def keep_table(place: LocalStorage, name: str, table: pl.DataFrame, made_of: str = "") -> None:
    """Write a table for :func:`kept_table` to find, atomically.

    Parameters
    ----------
    made_of : str
        Says of what the table was made, where its rows do not.
    """
    place.write(name, hashed_parquet(table, {_MADE_OF: made_of}))


def kept_table(place: LocalStorage, name: str, columns: dict[str, Any], made_of: str = "") -> pl.DataFrame | None:
    """Read a table that :func:`keep_table` wrote; None where there is none, or any other: making it again mends that.

    Parameters
    ----------
    columns : mapping
        Name → data type of polars.
    made_of : str
        As it was given then.
    """
    require_polars()
    try:
        content = read_regular(place.path / name, _MOST_BYTES)
        if checked_metadata(content) != {_MADE_OF: made_of}:
            return None
        table = pl.read_parquet(io.BytesIO(content))
    except PARQUET_ERRORS:
        return None
    return table if dict(table.schema) == columns else None
