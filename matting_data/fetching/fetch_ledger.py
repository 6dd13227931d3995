"""Where every file asked for ended: a journal while the run goes on, a Parquet table when it is over.

The table holds everything ever asked for into that folder, one row each, so that a second list into the same folder
loses nothing of the first. A killed run leaves the journal; the next one reads it and goes on.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import polars as pl

from matting_data.errors import DamageError, StorageError
from matting_data.records.columns import schema
from matting_data.records.tables import PARQUET_ERRORS, write_parquet
from matting_data.storage.atomic import storage_errors

LEDGER = "ledger/fetch.parquet"
"""Below the folder that is fetched into."""

_JOURNAL = ".fetch/journal.jsonl"
_FINAL = ("gone", "dead_photo", "wrong_size", "wrong_hash")
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

    def __init__(self, path: Path, journal: Path, stream: BinaryIO, before: pl.DataFrame) -> None:
        self._path = path
        self._journal = journal
        self._stream = stream
        self._before = before
        settled = (pl.col("outcome") == "written") | pl.col("reason").is_in(_FINAL)
        self._settled = before.filter(settled)
        # numbers of rows, not the rows: there may be millions
        self._row_of = {identity: number for number, identity in enumerate(self._settled["id"])}

    def written_bytes(self, identity: str) -> int | None:
        """Return the length of a file that an earlier run wrote; None when none did."""
        row = self._settled_row(identity)
        return row.bytes if row and row.outcome == "written" else None

    def rejected(self, identity: str, url: str) -> Fetched | None:
        """Return the row of what an earlier run found cannot be had from `url`."""
        row = self._settled_row(identity)
        return row if row and row.outcome == "rejected" and row.url == url else None

    def _settled_row(self, identity: str) -> Fetched | None:
        number = self._row_of.get(identity)
        return None if number is None else Fetched(*self._settled.row(number))

    def add(self, row: Fetched) -> None:
        """Record a row; it survives the process from here on."""
        with storage_errors(self._journal):
            self._stream.write(json.dumps(dataclasses.asdict(row)).encode() + b"\n")
            self._stream.flush()

    def close(self) -> None:
        """Write the table and empty the journal."""
        rows = pl.concat([self._before, _read_journal(self._journal)])
        write_parquet(self._path, _latest(rows))
        with storage_errors(self._journal):
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
    with storage_errors(folder):
        journal.parent.mkdir(parents=True, exist_ok=True)
        stream = open(journal, "ab")  # noqa: SIM115 - held, and locked, for the whole block
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(f"another run is fetching into {folder}: wait for it, or choose another --out") from None
        _cut_torn_line(journal, stream)
        before = _latest(pl.concat([read_ledger(folder), _read_journal(journal)]))
        before = before.filter(~pl.col("reason").is_in(_OF_A_LIST))
        yield Ledger(folder / LEDGER, journal, stream, before)


def read_ledger(folder: Path) -> pl.DataFrame:
    """Read the ledger of a folder as a table with the columns of :class:`Fetched`; without rows where there is none.

    Raises
    ------
    DamageError
        The file cannot be read.
    """
    path = folder / LEDGER
    if not path.exists():
        return pl.DataFrame(schema=schema(Fetched))
    try:
        return pl.read_parquet(path, glob=False).select(*schema(Fetched))
    except PARQUET_ERRORS as error:
        reason = str(error).splitlines()[0]
        raise DamageError(
            f"{path} cannot be read ({reason}): delete it and fetch again, the files there are then checked anew"
        ) from None


def _latest(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.unique("id", keep="last", maintain_order=True).sort("id")


def _read_journal(path: Path) -> pl.DataFrame:
    if path.stat().st_size == 0:
        return pl.DataFrame(schema=schema(Fetched))
    try:
        return pl.read_ndjson(path, schema=schema(Fetched))
    except PARQUET_ERRORS as error:
        reason = str(error).splitlines()[0]
        raise DamageError(
            f"{path} cannot be read ({reason}): delete it and fetch again, the files there are then checked anew"
        ) from None


def _cut_torn_line(path: Path, stream: BinaryIO) -> None:
    """Drop the end of a line that a killed process began, so that the next line starts on its own."""
    data_end = path.stat().st_size
    with open(path, "rb") as reader:
        reader.seek(max(0, data_end - 1_000_000))
        tail = reader.read()
    keep = data_end - len(tail) + tail.rfind(b"\n") + 1
    if keep != data_end:
        with storage_errors(path):
            stream.truncate(keep)
