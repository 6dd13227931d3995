"""Where the files of a dataset lie."""

from __future__ import annotations

from matting_data.records.codes import Split

RECIPE = "recipe.yaml"

MARK = ".work/CACHEDIR.TAG"
"""Says that a build began here, and to backup programs that ``.work`` can be made again (bford.info/cachedir)."""

SPLITS: tuple[Split, ...] = ("train", "test")

BACKGROUNDS = "backgrounds"
"""Folder of the backgrounds of a store of layers."""


MEMBERS = ("image", "alpha", "trimap", "json")
"""The members of every sample, in their order in the tar; their fields add an extension (``image.jpg``)."""

LAYER_MEMBERS = ("image", "alpha", "json")
"""In a store of layers: a foreground's colours, its alpha, and what it says of itself, for all its composites."""

TAR_SUFFIX, MANIFEST_SUFFIX = ".tar", ".parquet"


def shard_name(split: str, number: int) -> str:
    """Name a shard's path below the dataset, without suffix: ``train/000000``."""
    return f"{split}/{number:06d}"


def tar_name(shard: str) -> str:
    """Name the file of a shard's samples."""
    return shard + TAR_SUFFIX


def manifest_name(shard: str) -> str:
    """Name the file of a shard's manifest."""
    return shard + MANIFEST_SUFFIX
