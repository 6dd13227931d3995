"""The ledger of a fetch, a row for every file asked for: a journal during the run, a Parquet table after it.

The table holds everything ever asked for into that folder, one row each, so that a second list into the same folder
loses nothing of the first. A killed run leaves the journal; the next one reads it and goes on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import polars as pl

from matting_data.records.columns import schema
from matting_data.records.tables import table_errors, write_parquet
from matting_data.storage.atomic import storage_errors
from matting_data.storage.file_lock import file_lock

LEDGER = "ledger/fetch.parquet"
"""Below the folder that is fetched into."""

_JOURNAL = ".fetch/journal.jsonl"
_FINAL = ("gone", "dead_photo", "wrong_size", "wrong_hash", "too_large")
_OF_A_LIST = ("malformed_line", "malformed_row")


@dataclasses.dataclass(frozen=True, slots=True)
class Fetched:
    """Where one file asked for ended; a row of the ledger.

    Attributes
    ----------
    id : str
        Image id or name of a metadata file; for a line that names none, ``line N``.
    outcome : {"written", "rejected", "failed"}
        ``rejected``: it cannot be had, and asking again would not help. ``failed``: it could not be had this time.
    reason, detail : str
        Why, for all but ``written``.
    bytes : int
        Length of the file.
    sha256 : str
        Of the file, hex.
    url : str
        Where it came from.
    retrieved : str
        When its last byte came, UTC, ``2026-01-31T12:00:00Z``.
    """

    id: str
    outcome: str
    reason: str = ""
    detail: str = ""
    bytes: int = 0
    sha256: str = ""
    url: str = ""
    retrieved: str = ""


class Ledger:
    """The ledger of one folder, held by one run; made by :func:`open_ledger`."""

    def __init__(self, folder: Path, stream: BinaryIO) -> None:
        self._folder = folder
        self._stream = stream
        rows = _latest(pl.concat([read_ledger(folder), _read_journal(folder)]))
        self._before = rows.filter(~pl.col("reason").is_in(_OF_A_LIST))
        self._settled = rows.filter((pl.col("outcome") == "written") | pl.col("reason").is_in(_FINAL))
        # numbers of rows, not the rows: there may be millions
        self._row_of = {identity: number for number, identity in enumerate(self._settled["id"])}

    def settled(self, identity: str) -> Fetched | None:
        """Get the row of what an earlier run wrote, or found cannot be had."""
        number = self._row_of.get(identity)
        return None if number is None else Fetched(*self._settled.row(number))

    def add(self, row: Fetched) -> None:
        """Record a row; it survives the process from here on."""
        with storage_errors(self._folder / _JOURNAL):
            self._stream.write(json.dumps(dataclasses.asdict(row)).encode() + b"\n")
            self._stream.flush()

    def close(self) -> None:
        """Write the table and empty the journal."""
        write_parquet(self._folder / LEDGER, _latest(pl.concat([self._before, _read_journal(self._folder)])))
        with storage_errors(self._folder / _JOURNAL):
            self._stream.truncate(0)


@contextmanager
def open_ledger(folder: Path) -> Iterator[Ledger]:
    """Open the ledger of `folder`, which no other run may fetch into meanwhile.

    The block decides whether to :meth:`Ledger.close`; what was added survives either way.

    Raises
    ------
    StorageError
        Another run fetches into it, or it cannot be written.
    DamageError
        The ledger there cannot be read.
    """
    journal = folder / _JOURNAL
    busy = f"another run is fetching into {folder}: wait for it, or choose another --out"
    with file_lock(journal.with_name("lock"), busy), ExitStack() as opened:
        with storage_errors(folder):
            stream = opened.enter_context(open(journal, "ab"))
            # a killed process may have left half a line: the next one starts on its own
            stream.truncate(journal.read_bytes().rfind(b"\n") + 1)
        yield Ledger(folder, stream)


def read_ledger(folder: Path) -> pl.DataFrame:
    """Read the ledger of a folder as a table with the columns of :class:`Fetched`; without rows where there is none.

    Raises
    ------
    DamageError
        The file cannot be read.
    """
    return _read(folder / LEDGER, lambda path: pl.read_parquet(path, glob=False).select(*schema(Fetched)))


def _read_journal(folder: Path) -> pl.DataFrame:
    return _read(folder / _JOURNAL, lambda path: pl.read_ndjson(path, schema=schema(Fetched)))


def _read(path: Path, read: Callable[[Path], pl.DataFrame]) -> pl.DataFrame:
    if not path.exists():
        return pl.DataFrame(schema=schema(Fetched))
    with table_errors(f"{path} cannot be read", "delete it and fetch again, the files there are then checked anew"):
        return read(path)


def _latest(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.unique("id", keep="last", maintain_order=True).sort("id")
