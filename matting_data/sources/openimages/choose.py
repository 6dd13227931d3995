"""Choosing which images are worth fetching: those that the labels keep, in a seeded order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from matting_data.errors import UsageError
from matting_data.records.codes import Outcome
from matting_data.records.tables import table_errors
from matting_data.seeds import derive_seed
from matting_data.sources.openimages.verdicts import whole_parts
from matting_data.storage import LocalStorage

_MIX = np.uint64(0x9E3779B97F4A7C15)


def choose_images(
    verdicts: LocalStorage | Path,
    count: int,
    seed: int,
    outcomes: tuple[Outcome, ...] = ("keep",),
    allowed: Callable[[str], bool] | None = None,
) -> pl.DataFrame:
    """Choose images at random among those that their labels keep.

    Parameters
    ----------
    verdicts : LocalStorage or Path
        As :func:`matting_data.sources.openimages.verdicts.judge_metadata` wrote them.
    count : int
        How many; a larger `count` contains the smaller choice.
    seed : int
        Another seed, another choice.
    outcomes : tuple of {"keep", "review"}
        Verdicts that will do.
    allowed : callable, optional
        Whether an image's licence, as its list gives it, is allowed.

    Returns
    -------
    DataFrame
        ``split`` and ``image_id``, in the order of the draw; images of an unknown split cannot be fetched and are left
        out.

    Raises
    ------
    UsageError
        Fewer than `count` images will do.
    DamageError
        The verdicts are unfinished or damaged.
    """
    key = np.uint64(derive_seed(seed, "fetch") & 0xFFFF_FFFF_FFFF_FFFF)
    chosen = pl.DataFrame(schema={"split": pl.String, "image_id": pl.String, "draw": pl.UInt64})
    total = 0
    for path in whole_parts(verdicts):
        with table_errors(f"{path} is damaged", "remove it and run again"):
            part = pl.read_parquet(path, columns=["split", "image_id", "verdict", "license"], glob=False)
        part = part.filter(pl.col("verdict").is_in(list(outcomes)) & (pl.col("split") != ""))
        if allowed is not None:
            licenses = [text for text in part["license"].unique().to_list() if allowed(text)]
            part = part.filter(pl.col("license").is_in(licenses))
        total += part.height
        numbers = np.array([int(identity, 16) for identity in part["image_id"].to_list()], dtype=np.uint64)
        mixed = (numbers ^ key) * _MIX  # ids are random already: this only makes the order the seed's own
        mixed ^= mixed >> np.uint64(32)
        drawn = part.select("split", "image_id", pl.Series("draw", mixed * _MIX, pl.UInt64))
        chosen = pl.concat([chosen, drawn]).sort("draw", "image_id").head(count)
    if total < count:
        raise UsageError(
            f"the labels keep {total:,} images of a licence that is allowed, {count:,} are asked for: lower --count, "
            "widen the policy in the recipe, or add metadata"
        )
    return chosen.select("split", "image_id")
