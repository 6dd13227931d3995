"""The last stage: what shards hold; rows of their manifests."""

from __future__ import annotations

from dataclasses import dataclass

from matting_data.records.codes import Split, TrimapKind
from matting_data.records.planned import PlannedComposite


@dataclass(frozen=True, slots=True)
class Sample(PlannedComposite):
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
    trimap_kind : {"dim", "fixed", "adaptive"}
        Its rule.
    trimap_dilate, trimap_erode : int
        Kernel sides (``dim``, ``fixed``) or radii (``adaptive``) in pixels.
    image, image_offset, image_bytes, ...
        Name of each tar member, and where its content starts in the tar, and its length: random access without tar.
        In a store of layers `image` is the foreground in colour, and there is no trimap.
    """

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
    trimap_kind: TrimapKind
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


@dataclass(frozen=True, slots=True)
class StoredBackground:
    """One background in a store of layers; a row of its tar's manifest.

    Attributes
    ----------
    id, split : str
        As planned.
    width, height : int
        In pixels, as displayed.
    rotation : int
        Degrees counterclockwise, as of :class:`~matting_data.records.found.FoundBackground`.
    background, background_offset, background_bytes
        Name of the tar member, an image file as its source had it; where its content starts, and its length.
    """

    id: str
    split: Split
    width: int
    height: int
    rotation: int
    background: str
    background_offset: int
    background_bytes: int
