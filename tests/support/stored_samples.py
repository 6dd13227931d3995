"""The samples of a built dataset, as its files hold them."""

from __future__ import annotations

from pathlib import Path

from matting_data.records.stored import Sample
from matting_data.shards.index import read_index
from matting_data.shards.manifests import read_manifest
from matting_data.shards.reader import read_members, shard_entries


def members(out: Path) -> dict[str, dict[str, bytes]]:
    rows = [(entry["tar"], row) for _, entry in shard_entries(read_index(out)) for row in read_manifest(out, entry)]
    return {row.key: read_members(out / tar, row) for tar, row in rows}


def sample_rows(out: Path) -> list[Sample]:
    return [row for _, entry in shard_entries(read_index(out)) for row in read_manifest(out, entry)]
