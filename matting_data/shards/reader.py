"""Reading samples back: by place in the tar, as the manifest gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import DamageError, RejectedInput
from matting_data.imaging.decode import decode, to_rgb8
from matting_data.records import Sample, read_table
from matting_data.shards.layout import BACKGROUNDS
from matting_data.shards.members import MEMBERS


@dataclass(frozen=True)
class Arrays:
    """A decoded sample: image H×W×3, alpha H×W, trimap H×W in {0, 128, 255}; all uint8."""

    image: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    trimap: NDArray[np.uint8]


def read_members(tar: Path, row: Sample, wanted: Sequence[str] = MEMBERS) -> dict[str, bytes]:
    """Return the bytes of a sample's members, by ``image``, ``alpha``, ``trimap`` and ``json``.

    Raises
    ------
    DamageError
        The tar is missing or shorter than the manifest says.
    """
    members = {}
    try:
        with open(tar, "rb") as stream:
            for member in wanted:
                length = getattr(row, f"{member}_bytes")
                stream.seek(getattr(row, f"{member}_offset"))
                members[member] = stream.read(length)
                if len(members[member]) != length:
                    raise DamageError(f"{tar} ends inside {getattr(row, member)}: run 'mattingdata verify' to see more")
    except OSError as error:
        raise DamageError(f"cannot read {tar}: {error.strerror}; run 'mattingdata build' again to restore it") from None
    return members


def read_arrays(tar: Path, row: Sample) -> Arrays:
    """Return a sample's decoded image, alpha and trimap; DamageError where one does not decode."""
    members = read_members(tar, row)
    try:
        alpha, trimap = decode(members["alpha"]).pixels, decode(members["trimap"]).pixels
        return Arrays(to_rgb8(decode(members["image"])), alpha, trimap)  # type: ignore[arg-type]
    except RejectedInput as problem:
        raise DamageError(f"{row.key} in {tar} is damaged ({problem.detail}): run 'mattingdata build' again") from None


def shard_entries(
    index: Mapping[str, Any], splits: tuple[str, ...] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (split, shard entry) of an index, in order."""
    for split, entry in index["splits"].items():
        if splits is None or split in splits:
            for shard in entry["shards"]:
                yield split, shard


def background_entries(index: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of the tars of backgrounds that a store of layers has; none otherwise."""
    return list(index.get(BACKGROUNDS, {}).get("shards", ()))


def read_manifest(out: Path, entry: Mapping[str, Any]) -> list[Sample]:
    """Return the rows of a shard; DamageError where its manifest is missing or damaged."""
    return read_table(out / entry["manifest"], Sample)
