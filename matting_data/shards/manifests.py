"""Reading the manifest beside a tar: its rows are of that shard, as many as the index says, and within its tar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from matting_data.errors import DamageError
from matting_data.records.stored import Sample, StoredBackground
from matting_data.records.tables import from_table, stored_table
from matting_data.shards.names import LAYER_MEMBERS, MEMBERS, TAR_SUFFIX
from matting_data.storage import Location, Storage, open_storage

MOST_BYTES = 256 << 20
"""Of a manifest: it has some 300 a sample, so its limit is that of 100,000 samples with room for long names."""

_BESIDE = 1024
"""Bytes between two members at most: padding to a block, and a header."""


def read_manifest(out: Location, entry: Mapping[str, Any]) -> list[Sample]:
    """Read the rows of a shard; DamageError where its manifest is missing or damaged, or of another shard."""
    return from_table(sample_table(open_storage(out), entry), Sample)


def sample_table(out: Storage, entry: Mapping[str, Any]) -> pl.DataFrame:
    """Read what :func:`read_manifest` makes records of."""
    table = stored_table(out, entry["manifest"], Sample, entry["num_samples"])
    require_in_shard(table, entry, out.label(entry["manifest"]))
    return table


def background_table(out: Storage, entry: Mapping[str, Any]) -> pl.DataFrame:
    """Read the manifest of a tar of backgrounds; errors as of :func:`read_manifest`."""
    table = stored_table(out, entry["manifest"], StoredBackground, entry["num_backgrounds"])
    require_in_shard(table, entry, out.label(entry["manifest"]))
    return table


def require_in_shard(table: pl.DataFrame, entry: Mapping[str, Any], name: str) -> None:
    """Raise DamageError when rows of a manifest name another shard, or places that its tar does not have.

    Members of a sample lie side by side, so that one read of little more than their lengths gets them all.

    Parameters
    ----------
    table : DataFrame
        Of samples, or of stored backgrounds.
    entry : mapping
        Of the index.
    """
    members: tuple[str, ...] = ("background",)
    wrong = pl.lit(False)
    if "key" in table.columns:
        folder, _, number = entry["tar"].removesuffix(TAR_SUFFIX).partition("/")
        wrong = (pl.col("split") != folder) | (pl.col("shard") != int(number))
        for at, side in (("x", "width"), ("y", "height")):  # the window lies within the enlarged background
            wrong |= pl.col(f"background_{at}") + pl.col(side) > pl.col(f"background_{side}")
        members = MEMBERS if (table["trimap"] != "").any() else LAYER_MEMBERS
    starts = [pl.col(f"{member}_offset") for member in members]
    lengths = [pl.col(f"{member}_bytes") for member in members]
    end = pl.max_horizontal(start + length for start, length in zip(starts, lengths, strict=True))
    apart = end - pl.min_horizontal(starts) - pl.sum_horizontal(lengths)
    if len(odd := table.filter(wrong | (end > entry["bytes"]) | (apart > len(members) * _BESIDE))):
        raise DamageError(
            f"{name} was not written by mattingdata: its row {odd[0, 0]!r} names places that {entry['tar']} does not "
            "have; do not trust this dataset"
        )
