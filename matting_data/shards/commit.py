"""The commit of one shard: a tar counts once its manifest stands beside it and says what it was made of.

A manifest's own Parquet metadata holds the hash of all inputs, the tar's hash and length, what failed, and a hash of
the manifest itself; :func:`read_commit` believes none of it unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from matting_data.errors import DamageError
from matting_data.json_text import parse_json
from matting_data.records.self_hashed import checked_metadata, hashed_parquet
from matting_data.records.tables import PARQUET_ERRORS, read_records, to_table
from matting_data.shards.names import manifest_name, tar_name
from matting_data.storage import MissingFileError, Storage

Row = TypeVar("Row")

Failures = tuple[tuple[str, str, str], ...]
"""(key, reason, detail) of each thing that could not be made."""

_FAILURES: TypeAdapter[list[tuple[str, str, str]]] = TypeAdapter(list[tuple[str, str, str]])

_METADATA = {"inputs_sha256", "tar_sha256", "tar_bytes", "failed"}


@dataclass(frozen=True)
class Commit(Generic[Row]):
    """A committed shard: its name, the rows of its manifest, and how many these are."""

    shard: str
    rows: tuple[Row, ...]
    num_rows: int
    tar_bytes: int
    tar_sha256: str
    manifest_sha256: str
    failed: Failures
    inputs_sha256: str

    def without_rows(self) -> Commit[Row]:
        """Forget the rows, but not how many they are."""
        return replace(self, rows=())


def commit(
    out: Storage,
    shard: str,
    rows: Sequence[Row],
    record: type[Row],
    inputs_sha256: str,
    tar: tuple[int, str],
    failed: Sequence[tuple[str, str, str]],
) -> Commit[Row]:
    """Write the manifest that makes a tar count.

    Parameters
    ----------
    out, shard : Storage, str
        The dataset, and the shard's name in it, as of :func:`matting_data.shards.names.shard_name`.
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
        "failed": json.dumps(failed),
    }
    sha256 = out.write(manifest_name(shard), hashed_parquet(to_table(rows, record), metadata))
    return Commit(shard, tuple(rows), len(rows), tar_bytes, tar_sha256, sha256, tuple(failed), inputs_sha256)


def read_commit(
    out: Storage, shard: str, record: type[Row], inputs_sha256: str | None = None, keep_failed: bool = True
) -> Commit[Row] | None:
    """Read a shard that an earlier run finished, or None where it has to be made (again).

    A shard counts when it was made of these inputs by the same tools (where `inputs_sha256` is given), nothing of it
    failed (unless `keep_failed`), and every byte of its tar and its manifest is as written.
    """
    content, found = _read(out, shard)
    if found is None or inputs_sha256 not in (None, found.inputs_sha256) or (found.failed and not keep_failed):
        return None  # before anything is hashed
    tar = tar_name(shard)
    try:
        if out.info(tar).size != found.tar_bytes or out.sha256(tar) != found.tar_sha256:
            return None
        rows = tuple(read_records(content, record, manifest_name(shard)))
    except (*PARQUET_ERRORS, DamageError):
        return None
    return replace(found, rows=rows, num_rows=len(rows), manifest_sha256=hashlib.sha256(content).hexdigest())


def read_failures(out: Storage, shard: str) -> Failures:
    """Read what a manifest says could not be made; nothing where it is absent or damaged."""
    _, found = _read(out, shard)
    return () if found is None else found.failed


def _read(out: Storage, shard: str) -> tuple[bytes, Commit[Any] | None]:
    """Read a manifest and what its metadata says: a commit without rows, or None where a byte is not as written."""
    try:
        content = out.read(manifest_name(shard))
    except MissingFileError:
        return b"", None
    metadata = checked_metadata(content)
    if metadata is None or not metadata.keys() >= _METADATA:
        return b"", None
    try:
        failed = tuple(_FAILURES.validate_python(parse_json(metadata["failed"], manifest_name(shard))))
        tar = int(metadata["tar_bytes"]), metadata["tar_sha256"]
    except (DamageError, ValueError):  # hashed anew by somebody else
        return b"", None
    return content, Commit(shard, (), 0, *tar, "", failed, metadata["inputs_sha256"])
