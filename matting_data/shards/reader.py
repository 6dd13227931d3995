"""Reading samples back: by place in the tar, as the manifest gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from matting_data.errors import DamageError
from matting_data.imaging.decode import decode, to_alpha8, to_rgb8
from matting_data.imaging.kernels.run_png_reader import read_run_png
from matting_data.records.stored import Sample
from matting_data.shards.index_model import SampleShard, SplitEntry
from matting_data.shards.names import BACKGROUNDS, MEMBERS
from matting_data.storage.refused import refusals
from matting_data.storage.regular_files import open_regular

_JPEG = b"\xff\xd8\xff\xe0"
"""Start and JFIF header: as the encoder writes it, without an orientation."""

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
    RefusedError
        The system does not let it be read.
    """
    start, length = span(row, members)
    try:
        with refusals(tar), open_regular(tar) as stream:
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


def shard_entries(index: Mapping[str, Any], splits: tuple[str, ...] | None = None) -> Iterator[tuple[str, SampleShard]]:
    """Yield (split, shard entry) of an index, in order."""
    entries: Mapping[str, SplitEntry] = index["splits"]
    for split, entry in entries.items():
        if splits is None or split in splits:
            for shard in entry["shards"]:
                yield split, shard


def background_entries(index: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the entries of the tars of backgrounds that a store of layers has; none otherwise."""
    return list(index.get(BACKGROUNDS, {}).get("shards", ()))


def all_entries(index: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the entries of every tar of a dataset."""
    return [*(entry for _, entry in shard_entries(index)), *background_entries(index)]
