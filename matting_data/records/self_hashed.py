"""Parquet files that carry a hash of themselves, so that damage is found before anything parses them.

A flipped bit in the lengths that a Parquet file holds can make its reader ask for more memory than there is, which ends
the process; an exception handler sees nothing of it. So what no index vouches for is hashed first: the metadata holds
the SHA-256 of the file with that very hash written as zeros.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping

import polars as pl

from matting_data.forks import with_polars
from matting_data.records.tables import PARQUET_ERRORS, parquet_bytes

_FIELD = "seal"
"""The key, and below the prefix of the value, as datasets on disk have them."""

_HASH = re.compile(rb"seal-sha256:[0-9a-f]{64}")

_ZEROS = b"seal-sha256:" + b"0" * 64


def hashed_parquet(table: pl.DataFrame, metadata: Mapping[str, str]) -> bytes:
    """Encode a table as Parquet that :func:`checked_metadata` can check; equal arguments give equal bytes."""
    content = parquet_bytes(table, {**metadata, _FIELD: _ZEROS.decode()})
    return _HASH.sub(_self_hash(content), content)


@with_polars
def checked_metadata(content: bytes) -> dict[str, str] | None:
    """Read the metadata of a Parquet file that carries its hash; None where any of its bytes was changed."""
    found = _HASH.findall(content)
    if len(found) != 1 or found[0] != _self_hash(_HASH.sub(_ZEROS, content)):
        return None
    try:
        metadata = pl.read_parquet_metadata(io.BytesIO(content))
    except PARQUET_ERRORS:
        return None
    return {key: value for key, value in metadata.items() if key not in (_FIELD, "ARROW:schema")}


def _self_hash(content: bytes) -> bytes:
    return b"seal-sha256:" + hashlib.sha256(content).hexdigest().encode()
