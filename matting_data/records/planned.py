"""The fourth stage: the composites of a plan, and what it takes of its usable inputs to make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matting_data.records.checked import CheckedForeground
from matting_data.records.codes import Colour, Split
from matting_data.records.fields import values
from matting_data.records.judged import JudgedBackground


@dataclass(frozen=True, slots=True)
class PlannedForeground:
    """A usable foreground: what decides the bytes of its composites, which hold much of it.

    The fields are those of :class:`CheckedForeground`. Text that is not known is empty, as samples store it.
    """

    id: str
    source: str
    image: str
    alpha: str
    split: Split
    subset: str
    license: str
    author: str
    url: str
    image_sha256: str
    alpha_sha256: str
    width: int
    height: int
    colour: Colour
    opaque_from: int
    x0: int
    y0: int
    x1: int
    y1: int
    coverage: float
    soft: float
    profile: str = ""

    @classmethod
    def of(cls, record: CheckedForeground) -> PlannedForeground:
        """Take what composites need of a usable record."""
        known: tuple[Any, ...] = tuple("" if value is None else value for value in values(record, cls))
        return cls(*known)

    @property
    def decides(self) -> tuple[object, ...]:
        """What decides bytes; a profile only where there is one, so that shards of earlier versions keep their hash."""
        return values(self) if self.profile else values(self)[:-1]


@dataclass(frozen=True, slots=True)
class PlannedBackground:
    """A usable background: where its bytes lie, and what they hold. The fields are those of JudgedBackground."""

    id: str
    source: str
    path: str
    offset: int | None
    bytes: int | None
    rotation: int
    sha256: str
    split: Split
    format: str
    mode: str
    orientation: int
    width: int
    height: int
    profile: str | None = None

    @classmethod
    def of(cls, record: JudgedBackground) -> PlannedBackground:
        """Take what composites need of a usable record."""
        return cls(*values(record, cls))

    @property
    def decides(self) -> tuple[str | int, ...]:
        """What decides bytes: not where in a tar it lies, nor what follows from its hash."""
        known = self.id, self.source, self.path, self.sha256, self.rotation, self.split
        return (*known, self.profile) if self.profile else known


@dataclass(frozen=True, slots=True)
class PlannedComposite:
    """One composite to be made; a row of ``plan.parquet``.

    Attributes
    ----------
    key : str
        Name of the sample in its shard: ``<foreground>-<index>``.
    split : {"train", "test"}
    shard : int
        Number of its shard within the split.
    foreground, background : str
        Ids.
    index : int
        0 to ``per_foreground`` − 1.
    seed : int
        Of everything random in this composite; a hash of (recipe seed, foreground, index).
    """

    key: str
    split: Split
    shard: int
    foreground: str
    background: str
    index: int
    seed: int
