"""What a dataset holds of a sample, behind one interface: samples ready made, or parts to make them from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import DamageError, RejectedInput, UsageError
from matting_data.records.stored import Sample
from matting_data.shards.names import shard_name, tar_name
from matting_data.shards.reader import Name, cut_members, decode_member, span
from matting_data.storage import ByteSource, Storage

Part = Literal["image", "alpha", "trimap", "layers"]

PARTS: tuple[Part, ...] = ("image", "alpha", "trimap")

LAYERS: Part = "layers"


@dataclass(frozen=True)
class Layers:
    """What a composite was made from: foreground and background H×W×3, alpha H×W; all uint8."""

    foreground: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    background: NDArray[np.uint8]


@dataclass(frozen=True)
class Composite:
    """A decoded sample.

    Attributes
    ----------
    key : str
        Its name in the dataset.
    image, alpha : ndarray
        H×W×3 RGB and H×W, uint8.
    trimap : ndarray or None
        H×W uint8 in {0, 128, 255}; None where it was not asked for.
    layers : Layers or None
        What it was made from; None where it was not asked for.
    """

    key: str
    image: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    trimap: NDArray[np.uint8] | None = None
    layers: Layers | None = None

    @classmethod
    def of(cls, key: str, planes: Mapping[Part, Any]) -> Composite:
        """Join decoded parts, image and alpha among them."""
        return cls(key, planes["image"], planes["alpha"], planes.get("trimap"), planes.get(LAYERS))


def complete(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Add to `parts` those that a composite cannot do without, and put all in the order of storage.

    Raises
    ------
    UsageError
        A part is none.
    """
    asked = {"image", "alpha", *parts}
    for part in sorted(asked.difference((*PARTS, LAYERS))):
        raise UsageError(f"part {part!r} is none: choose among {', '.join((*PARTS, LAYERS))}")
    return tuple(part for part in (*PARTS, LAYERS) if part in asked)


class SampleStore(Protocol):
    """How samples are read; travels to other processes.

    Reading has two steps so that bytes can be fetched ahead, in threads, of the pixels' turn.
    """

    def fetch(self, row: Sample, parts: Sequence[Part]) -> Any:
        """Fetch what :meth:`decode` needs for these parts, without decoding; safe to call from threads.

        Raises
        ------
        DamageError
            A shard is missing or too short.
        StorageError
            It could not be read, also when tried again.
        UsageError
            The store cannot give such a part.
        """

    def decode(self, row: Sample, fetched: Any) -> dict[Part, Any]:
        """Make the parts that were fetched: arrays as of :class:`Composite`; DamageError where one is damaged."""


class TarStore:
    """What both kinds of store do with the shards' tars: one read of adjacent members, and decoding with checks.

    Parameters
    ----------
    storage : Storage
        Where the dataset lies.
    source : ByteSource
        What shards are read from: `storage` itself, or a cache before it.
    """

    def __init__(self, storage: Storage, source: ByteSource) -> None:
        self._storage, self._source = storage, source

    def _members(self, row: Sample, members: Sequence[Name]) -> dict[Name, bytes]:
        start, length = span(row, members)
        return cut_members(row, members, self._source.read(_tar_of(row), start, length))

    def _plane(self, row: Sample, owner: str, member: str, content: bytes) -> NDArray[np.uint8]:
        """Decode a member of a row; DamageError names its `owner`, the sample or the foreground."""
        try:
            plane = decode_member(member, content, (row.width, row.height))
        except RejectedInput as problem:
            raise self._damaged(_tar_of(row), owner, problem.detail) from None
        if plane.shape[:2] != (row.height, row.width):
            raise self._damaged(_tar_of(row), owner, f"it is not {row.width}×{row.height} as its manifest says")
        return plane

    def _damaged(self, tar: str, owner: str, what: str) -> DamageError:
        return DamageError(f"{self._storage.label(tar)} is damaged at {owner} ({what}): {self._storage.repair}")


class CompositeStore(TarStore):
    """Composites as members of the shards' tars: fetching is one read of adjacent bytes."""

    def fetch(self, row: Sample, parts: Sequence[Part]) -> dict[Part, bytes]:
        """Read the members' bytes, as they are stored; UsageError for layers."""
        if LAYERS in parts:
            raise UsageError(
                f"{self._storage.name} stores finished composites, not their layers: a transform that changes the "
                "background alone needs a dataset with 'store: {kind: layers}'"
            )
        return self._members(row, parts)

    def decode(self, row: Sample, fetched: Mapping[Part, bytes]) -> dict[Part, NDArray[np.uint8]]:
        """Decode members."""
        return {member: self._plane(row, row.key, member, content) for member, content in fetched.items()}


def _tar_of(row: Sample) -> str:
    return tar_name(shard_name(row.split, row.shard))
