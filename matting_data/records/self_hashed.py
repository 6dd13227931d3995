"""Files that carry a hash of themselves, so that damage is found before anything parses them.

A flipped bit in the lengths that a Parquet file holds can make its reader ask for more memory than there is, which ends
the process; an exception handler sees nothing of it. So what no index vouches for is hashed first: the file holds its
own SHA-256, with that very hash written as zeros, in the metadata of Parquet or under a key of JSON.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from typing import Any

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
    if not _is_whole(content):
        return None
    try:
        metadata = pl.read_parquet_metadata(io.BytesIO(content))
    except PARQUET_ERRORS:
        return None
    return {key: value for key, value in metadata.items() if key not in (_FIELD, "ARROW:schema")}


def hashed_json(document: Mapping[str, Any]) -> bytes:
    """Encode a document as JSON that :func:`checked_json` can check."""
    content = json.dumps({_FIELD: _ZEROS.decode(), **document}, indent=1).encode()
    return _HASH.sub(_self_hash(content), content)


def checked_json(content: bytes) -> dict[str, Any] | None:
    """Read a document that carries its hash; None where any of its bytes was changed."""
    if not _is_whole(content):
        return None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return {key: value for key, value in document.items() if key != _FIELD} if isinstance(document, dict) else None


def _is_whole(content: bytes) -> bool:
    """Tell whether every byte is as it was written."""
    found = _HASH.findall(content)
    return len(found) == 1 and found[0] == _self_hash(_HASH.sub(_ZEROS, content))


def _self_hash(content: bytes) -> bytes:
    return b"seal-sha256:" + hashlib.sha256(content).hexdigest().encode()
