"""Whose photographs they are: the rows of the lists of images, for the images asked for."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from matting_data.sources.openimages.blocks import IMAGE_COLUMNS, open_table
from matting_data.sources.openimages.recognise import Metadata
from matting_data.sources.openimages.usable_rows import parse


def image_rows(metadata: Metadata, ids: Iterable[str]) -> pl.DataFrame:
    """Look up images in the lists of images.

    Parameters
    ----------
    metadata : Metadata
    ids : iterable of str
        Image ids in lower case.

    Returns
    -------
    DataFrame
        Columns :data:`IMAGE_COLUMNS` as strings (``OriginalMD5`` is base64 and of the original, not of rescaled
        copies), one row an id that a list has, sorted by id; of ids that are listed twice the first row.

    Raises
    ------
    UsageError
        If a list cannot be read.
    """
    missing = {name.lower() for name in ids}
    found = [pl.DataFrame(schema=dict.fromkeys(IMAGE_COLUMNS, pl.String))]
    for file in metadata.of("images"):
        if not missing:
            break
        table = open_table(file)
        for block in table.blocks:
            rows = parse(block, table.layout).table.filter(pl.col("ImageID").is_in(sorted(missing)))
            found.append(rows)
            missing -= set(rows["ImageID"])
    rows = pl.concat(found, how="diagonal").select(pl.col(IMAGE_COLUMNS).fill_null(""))
    return rows.unique("ImageID", keep="first", maintain_order=True).sort("ImageID")
