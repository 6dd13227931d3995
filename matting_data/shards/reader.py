"""Reading samples back: by place in the tar, as the manifest gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import simplejpeg
from numpy.typing import NDArray

from matting_data.errors import DamageError
from matting_data.imaging.decode import decode, to_alpha8, to_rgb8
from matting_data.imaging.kernels.run_png_reader import read_run_png
from matting_data.records.stored import Sample, StoredBackground
from matting_data.records.tables import from_table, stored_table
from matting_data.shards.members import LAYER_MEMBERS, MEMBERS
from matting_data.shards.names import BACKGROUNDS, TAR_SUFFIX
from matting_data.storage import Location, Storage, open_storage

_JPEG = b"\xff\xd8\xff\xe0"
"""Start and JFIF header: as the encoder writes it, without an orientation."""

_BESIDE = 1024
"""Bytes between two members at most: padding to a block, and a header."""

Name = TypeVar("Name", bound=str)


def span(row: Sample, members: Sequence[str] = MEMBERS) -> tuple[int, int]:
    """Locate the shortest part of the tar that holds these members, as offset and length; they lie side by side."""
    starts = [getattr(row, f"{member}_offset") for member in members]
    ends = [getattr(row, f"{member}_offset") + getattr(row, f"{member}_bytes") for member in members]
    return min(starts), max(ends) - min(starts)


def cut_members(row: Sample, members: Sequence[Name], part: bytes) -> dict[Name, bytes]:
    """Cut members out of the part of the tar that :func:`span` names; a part too short gives members too short."""
    first, _ = span(row, members)
    places = {m: (getattr(row, f"{m}_offset") - first, getattr(row, f"{m}_bytes")) for m in members}
    return {member: part[start : start + length] for member, (start, length) in places.items()}


def read_members(tar: Path, row: Sample, members: Sequence[str] = MEMBERS) -> dict[str, bytes]:
    """Read the bytes of a sample's members, by ``image``, ``alpha``, ``trimap`` and ``json``.

    Raises
    ------
    DamageError
        The tar is missing or shorter than the manifest says.
    """
    start, length = span(row, members)
    try:
        with open(tar, "rb") as stream:
            stream.seek(start)
            found = cut_members(row, members, stream.read(length))
    except OSError as error:
        raise DamageError(f"cannot read {tar}: {error.strerror}; run 'mattingdata build' again to restore it") from None
    for member, content in found.items():
        if len(content) != getattr(row, f"{member}_bytes"):
            raise DamageError(f"{tar} ends inside {getattr(row, member)}: run 'mattingdata verify' to see more")
    return found


def decode_member(member: str, content: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode one member: an image to H×W×3 RGB, alpha and trimap to H×W; RejectedInput where it does not decode.

    Members of the form that builds write go straight to their codec; whatever else stands there is decoded by content.

    Parameters
    ----------
    size : (int, int)
        Width and height as the manifest gives them; a file whose header says more pixels is refused unread.
    """
    most = size[0] * size[1]
    if member != "image":
        plane = read_run_png(content, most)
        if plane is not None:
            return plane
    elif content.startswith(_JPEG):
        with suppress(ValueError):
            height, width, *_ = simplejpeg.decode_jpeg_header(content)
            if height * width <= most:
                return np.asarray(simplejpeg.decode_jpeg(content), np.uint8)
    raster = decode(content, most)
    return to_rgb8(raster) if member == "image" else to_alpha8(raster)


def shard_entries(
    index: Mapping[str, Any], splits: tuple[str, ...] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (split, shard entry) of an index, in order."""
    for split, entry in index["splits"].items():
        if splits is None or split in splits:
            for shard in entry["shards"]:
                yield split, shard


def background_entries(index: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the entries of the tars of backgrounds that a store of layers has; none otherwise."""
    return list(index.get(BACKGROUNDS, {}).get("shards", ()))


def all_entries(index: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the entries of every tar of a dataset."""
    return [*(entry for _, entry in shard_entries(index)), *background_entries(index)]


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
    if "key" in table.columns:
        folder, _, number = entry["tar"].removesuffix(TAR_SUFFIX).partition("/")
        wrong = (pl.col("split") != folder) | (pl.col("shard") != int(number))
        members = MEMBERS if (table["trimap"] != "").any() else LAYER_MEMBERS
    else:
        wrong, members = pl.lit(False), ("background",)
    starts = [pl.col(f"{member}_offset") for member in members]
    lengths = [pl.col(f"{member}_bytes") for member in members]
    end = pl.max_horizontal(start + length for start, length in zip(starts, lengths, strict=True))
    apart = end - pl.min_horizontal(starts) - pl.sum_horizontal(lengths)
    if len(odd := table.filter(wrong | (end > entry["bytes"]) | (apart > len(members) * _BESIDE))):
        raise DamageError(
            f"{name} was not written by mattingdata: its row {odd[0, 0]!r} names places that {entry['tar']} does not "
            "have; do not trust this dataset"
        )
