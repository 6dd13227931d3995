"""Where the files of a dataset lie."""

from __future__ import annotations

from pathlib import Path

RECIPE = "recipe.yaml"

SPLITS = ("train", "test")

BACKGROUNDS = "backgrounds"
"""Folder of the backgrounds of a store of layers."""


def shard_name(split: str, number: int) -> str:
    """Return a shard's path below the dataset, without suffix: ``train/000000``."""
    return f"{split}/{number:06d}"


def tar_path(out: Path, split: str, number: int) -> Path:
    """Return the file of a shard's samples."""
    return out / f"{shard_name(split, number)}.tar"


def manifest_path(out: Path, split: str, number: int) -> Path:
    """Return the file of a shard's manifest."""
    return out / f"{shard_name(split, number)}.parquet"


def background_tar_path(out: Path, number: int) -> Path:
    """Return the file of a shard of backgrounds in a store of layers."""
    return tar_path(out, BACKGROUNDS, number)


def background_manifest_path(out: Path, number: int) -> Path:
    """Return the manifest of such a shard."""
    return manifest_path(out, BACKGROUNDS, number)
