"""Rows sorted into parts by image id on disk, so that each part holds all that is known of its images.

The files of a release come in different orders, and some in none. Parts make the join of all of them a matter of one
part at a time, in memory that depends on the size of a part and not on the number of images.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl

from matting_data.errors import StorageError
from matting_data.records.tables import table_errors
from matting_data.storage.atomic import TEMPORARY, storage_errors
from matting_data.storage.refused import refusals
from matting_data.storage.regular_files import read_regular

PART_BYTES = 256 << 20
"""Metadata per part, in bytes of CSV."""

_MOST_PARTS = 256
_HELD_ROWS = 1 << 20


def parts_for(total_bytes: int) -> int:
    """Compute into how many parts the evidence of so much metadata goes: a power of two."""
    return int(min(_MOST_PARTS, 2 ** math.ceil(math.log2(max(1, total_bytes / PART_BYTES)))))


class Spill:
    """One kind of rows, collected in parts.

    Parameters
    ----------
    folder : Path
        A folder of its own, made on the first write.
    parts : int
        A power of two.
    schema : mapping
        Of the rows; the first column is ``image``, the id as UInt64.
    """

    def __init__(self, folder: Path, parts: int, schema: dict[str, Any]) -> None:
        self._folder = folder
        self.parts = parts
        self._schema = schema
        self._held: list[pl.DataFrame] = []
        self._rows = 0
        self._flushes = 0

    def add(self, table: pl.DataFrame) -> None:
        """Add rows in any order."""
        self._held.append(table)
        self._rows += table.height
        if self._rows >= _HELD_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._rows:
            return
        part = pl.col("image") // (2**64 // self.parts) if self.parts > 1 else pl.lit(0)
        table = pl.concat(self._held).with_columns(part.cast(pl.UInt16).alias("part"))
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        for (number,), rows in table.partition_by("part", as_dict=True, include_key=False, maintain_order=True).items():
            path = self._folder / f"{number:03d}-{self._flushes:05d}{TEMPORARY}.arrow"
            with table_errors(f"cannot write {path}", "free some space and run again", StorageError):
                rows.write_ipc(path, compression="lz4")
        self._held, self._rows = [], 0
        self._flushes += 1

    def read(self, part: int) -> pl.DataFrame:
        """Read the rows of a part, in the order they were added."""
        with refusals(self._folder):  # unlike glob, which passes over a folder that may not be listed
            paths = sorted(self._folder.iterdir()) if self._flushes else []
            tables = [pl.read_ipc(read_regular(path)) for path in paths if path.name.startswith(f"{part:03d}-")]
        return pl.concat(tables) if tables else pl.DataFrame(schema=self._schema)
