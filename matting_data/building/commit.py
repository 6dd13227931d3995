"""The commit of one shard: a tar counts once its manifest stands beside it and says what it was made of.

A manifest's own Parquet metadata holds the hash of all inputs, the tar's hash and length, a hash of the rows, and what
failed; :func:`committed` believes none of it unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import polars as pl

from matting_data.atomic import sha256_file
from matting_data.errors import DamageError
from matting_data.records import PARQUET_ERRORS, parquet_bytes, read_table, to_table, write_table

Row = TypeVar("Row")

Failures = tuple[tuple[str, str, str], ...]
"""(key, reason, detail) of each thing that could not be made."""

_METADATA = ("inputs_sha256", "tar_sha256", "tar_bytes", "rows_sha256", "failed")


@dataclass(frozen=True)
class Commit(Generic[Row]):
    """A committed shard."""

    rows: tuple[Row, ...]
    tar_bytes: int
    tar_sha256: str
    manifest_sha256: str
    failed: Failures
    inputs_sha256: str


def commit(
    manifest: Path,
    rows: Sequence[Row],
    record: type[Row],
    inputs_sha256: str,
    tar: tuple[int, str],
    failed: Sequence[tuple[str, str, str]],
) -> Commit[Row]:
    """Write the manifest that makes a tar count.

    Parameters
    ----------
    manifest : Path
        Where to write.
    rows : sequence
        Of the class `record`.
    inputs_sha256 : str
        Hash of all that decides the shard's bytes.
    tar : (int, str)
        Length and SHA-256 of the tar, which lies in its place already.
    failed : sequence
        What could not be made.
    """
    tar_bytes, tar_sha256 = tar
    metadata = {
        "inputs_sha256": inputs_sha256,
        "tar_sha256": tar_sha256,
        "tar_bytes": str(tar_bytes),
        "rows_sha256": _rows_sha256(rows),
        "failed": json.dumps(failed),
    }
    sha256 = write_table(manifest, rows, record, metadata)
    return Commit(tuple(rows), tar_bytes, tar_sha256, sha256, tuple(failed), inputs_sha256)


def committed(
    manifest: Path, tar: Path, record: type[Row], inputs_sha256: str, keep_failed: bool = False
) -> Commit[Row] | None:
    """Return a shard that an earlier run finished, or None where it has to be made (again).

    A shard counts when it was made of the same inputs by the same tools, nothing of it failed (unless `keep_failed`),
    and every byte of its tar and every row of its manifest is as written.
    """
    try:
        metadata = pl.read_parquet_metadata(manifest)  # before anything is hashed
        if metadata["inputs_sha256"] != inputs_sha256 or (json.loads(metadata["failed"]) and not keep_failed):
            return None
    except (*PARQUET_ERRORS, KeyError, ValueError):
        return None
    return read_commit(manifest, tar, record)


def read_commit(manifest: Path, tar: Path, record: type[Row]) -> Commit[Row] | None:
    """Return a committed shard whatever it was made of, or None where a byte of it is not as written."""
    try:
        metadata: Mapping[str, Any] = pl.read_parquet_metadata(manifest)
        if tar.stat().st_size != int(metadata["tar_bytes"]) or sha256_file(tar) != metadata["tar_sha256"]:
            return None
        rows = read_table(manifest, record)
        own = {key: metadata[key] for key in _METADATA}
        if _rows_sha256(rows) != metadata["rows_sha256"] or manifest.read_bytes() != parquet_bytes(
            to_table(rows, record), own
        ):
            return None
    except (*PARQUET_ERRORS, KeyError, ValueError, DamageError):
        return None
    failed = tuple((key, reason, detail) for key, reason, detail in json.loads(metadata["failed"]))
    length, sha256 = int(metadata["tar_bytes"]), metadata["tar_sha256"]
    return Commit(tuple(rows), length, sha256, sha256_file(manifest), failed, metadata["inputs_sha256"])


def read_failures(manifest: Path) -> Failures:
    """Return what a manifest says could not be made, unchecked; nothing where it cannot be read."""
    try:
        failed = json.loads(pl.read_parquet_metadata(manifest)["failed"])
        return tuple((key, reason, detail) for key, reason, detail in failed)
    except (*PARQUET_ERRORS, KeyError, ValueError, TypeError):
        return ()


def _rows_sha256(rows: Sequence[Any]) -> str:
    return hashlib.sha256("\n".join(repr(astuple(row)) for row in rows).encode()).hexdigest()
