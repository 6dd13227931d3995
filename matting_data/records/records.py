"""The records that pass from room to room, each a frozen dataclass; `tables` keeps lists of them as Parquet."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from operator import attrgetter
from typing import Any


def values(record: object) -> tuple[Any, ...]:
    """Return the values of a record of two or more fields, in their order; ``dataclasses.astuple`` copies them all."""
    result: tuple[Any, ...] = _getter(type(record))(record)  # type: ignore[arg-type]  # classes are hashable
    return result


@lru_cache
def _getter(record: type) -> attrgetter[Any]:
    return attrgetter(*(field.name for field in dataclasses.fields(record)))


@dataclasses.dataclass(frozen=True, slots=True)
class Foreground:
    """One foreground as found and checked; `reason` is empty for those that can be used.

    Attributes
    ----------
    id : str
        ``<source>-<path as slug>``; letters, digits, ``-`` and ``_``.
    source, image, alpha : str
        Name of the source, and paths below its folders (`alpha` is empty for cut-outs).
    split, subset, person, license, author, url : str
        From the recipe or the source's metadata; `split` is assigned later where empty.
    image_sha256, alpha_sha256 : str
        Hashes of the files' bytes.
    width, height : int
        In pixels, as displayed.
    colour : str
        ``estimated`` or ``as_is``.
    opaque_from : int
        Alpha levels from this one on count as 255.
    fingerprint : str
        256-bit perceptual hash over mid-gray.
    x0, y0, x1, y1 : int
        Box of alpha > 0, half-open.
    coverage, soft : float
        Mean alpha, and share of pixels with 0 < alpha < 255, in [0, 1].
    warnings : list of str
        What is odd but usable: ``alpha_binary``.
    state : str
        ``ok``, ``rejected`` or ``failed``, with `reason` (a code) and `detail` (what was found).
    """

    id: str
    source: str
    image: str
    alpha: str = ""
    split: str = ""
    subset: str = ""
    person: str = ""
    license: str = ""
    author: str = ""
    url: str = ""
    image_sha256: str = ""
    alpha_sha256: str = ""
    width: int = 0
    height: int = 0
    colour: str = ""
    opaque_from: int = 255
    fingerprint: str = ""
    x0: int = 0
    y0: int = 0
    x1: int = 0
    y1: int = 0
    coverage: float = 0.0
    soft: float = 0.0
    warnings: list[str] = dataclasses.field(default_factory=list)
    state: str = "ok"
    reason: str = ""
    detail: str = ""

    @property
    def decides(self) -> tuple[object, ...]:
        """What of a foreground decides bytes: everything, since much of it is stored with each sample."""
        return values(self)


@dataclasses.dataclass(frozen=True, slots=True)
class Background:
    """One background as found, checked and judged.

    Attributes
    ----------
    id, source, path, license : str
        As for foregrounds; `path` lies below the source's folder, or in its tar.
    offset, bytes : int
        Where in the tar it lies; 0 bytes for a file of its own.
    rotation : int
        Degrees, counterclockwise, that the source's tables say it must be turned by to stand upright; applied when the
        file itself says nothing of its orientation.
    sha256 : str
        Hash of the file's bytes.
    format, mode, orientation
        What the content is (``JPEG``, ``GIF``, ...), its stored pixel mode, and the EXIF orientation applied.
    width, height : int
        In pixels, as displayed.
    fingerprint : str
        256-bit perceptual hash.
    detector : str
        Name and version of the detector that scored it.
    score : float
        Its score in [0, 1] that a human is visible.
    boxes : str
        JSON list of ``[x0, y0, x1, y1, score, label]`` in pixels.
    tier : str
        How strong the label evidence for its being without people is; empty where its source has no labels.
    label_verdict, label_reason, label_rows : str
        What its labels alone lead to, why, and the rows that decided.
    verdict : str
        ``keep``, ``reject`` or ``review``.
    split : str
        ``train`` or ``test``, empty when not kept.
    state, reason, detail : str
        As for foregrounds; `reason` is also given for those kept.
    """

    id: str
    source: str
    path: str
    license: str = ""
    offset: int = 0
    bytes: int = 0
    rotation: int = 0
    sha256: str = ""
    format: str = ""
    mode: str = ""
    orientation: int = 1
    width: int = 0
    height: int = 0
    fingerprint: str = ""
    detector: str = ""
    score: float = 0.0
    boxes: str = "[]"
    tier: str = ""
    label_verdict: str = ""
    label_reason: str = ""
    label_rows: str = ""
    verdict: str = ""
    split: str = ""
    state: str = "ok"
    reason: str = ""
    detail: str = ""

    @property
    def decides(self) -> tuple[str | int, ...]:
        """What of a background decides bytes; its scores and verdict decide only whether it takes part."""
        return self.id, self.source, self.path, self.sha256, self.rotation, self.split


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedComposite:
    """One composite to be made; a row of the plan.

    Attributes
    ----------
    key : str
        Name of the sample in its shard: ``<foreground>-<index>``.
    split : str
        ``train`` or ``test``.
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
    split: str
    shard: int
    foreground: str
    background: str
    index: int
    seed: int


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One composite as written; a row of a manifest.

    Attributes
    ----------
    key, split, shard, foreground, background, index, seed
        As planned.
    subset, license : str
        Of the foreground.
    width, height : int
        In pixels.
    x0, y0, x1, y1 : int
        Box of alpha > 0, half-open.
    coverage, soft : float
        Mean alpha, and share of soft pixels.
    background_width, background_height, background_x, background_y : int
        Size to which the background was enlarged and the corner of the window.
    trimap_kind : str
        ``dim``, ``fixed`` or ``adaptive``.
    trimap_dilate, trimap_erode : int
        Kernel sides (``dim``, ``fixed``) or radii (``adaptive``) in pixels.
    image, image_offset, image_bytes, ...
        Name of each tar member, and where its content starts in the tar, and its length: random access without tar.
        In a store of layers `image` is the foreground in colour, and there is no trimap.
    """

    key: str
    split: str
    shard: int
    foreground: str
    background: str
    index: int
    seed: int
    subset: str
    license: str
    width: int
    height: int
    x0: int
    y0: int
    x1: int
    y1: int
    coverage: float
    soft: float
    background_width: int
    background_height: int
    background_x: int
    background_y: int
    trimap_kind: str
    trimap_dilate: int
    trimap_erode: int
    image: str = ""
    image_offset: int = 0
    image_bytes: int = 0
    alpha: str = ""
    alpha_offset: int = 0
    alpha_bytes: int = 0
    trimap: str = ""
    trimap_offset: int = 0
    trimap_bytes: int = 0
    json: str = ""
    json_offset: int = 0
    json_bytes: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class StoredBackground:
    """One background in a store of layers; a row of its tar's manifest.

    Attributes
    ----------
    id, split : str
        As planned.
    width, height : int
        In pixels, as displayed.
    rotation : int
        Degrees counterclockwise, as for :class:`Background`.
    background, background_offset, background_bytes
        Name of the tar member, an image file as its source had it; where its content starts, and its length.
    """

    id: str
    split: str
    width: int
    height: int
    rotation: int
    background: str
    background_offset: int
    background_bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class LedgerRow:
    """Where one input ended.

    Attributes
    ----------
    id, source, path : str
        The input; for composites the key, the split and the foreground + background.
    outcome : {"written", "rejected", "failed"}
        Exactly one.
    reason, detail : str
        Why, for all but ``written``; of those only where people decided (``override_...``).
    warnings : list of str
        What was odd but usable.
    """

    id: str
    source: str
    path: str
    outcome: str
    reason: str = ""
    detail: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)
