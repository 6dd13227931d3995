"""``hf-imagefolder``: loose files with ``metadata.parquet``, as Hugging Face's imagefolder loader reads them.

A column called ``NAME_file_name`` links a row to a file and becomes the image column ``NAME``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tqdm import tqdm

from matting_data.exporting.export import Options
from matting_data.exporting.source import Source
from matting_data.exporting.staging import Staging
from matting_data.records.stored import Sample
from matting_data.records.tables import parquet_bytes, to_table
from matting_data.shards.members import COLUMNS

_PLANES = ("image", "alpha", "trimap")
_METADATA_BYTES = 200
"""About what a row takes in ``metadata.parquet``."""


def estimate(source: Source, options: Options) -> int:
    """Count the bytes of the members, and estimate those of the table."""
    rows = source.rows()
    return sum(row.image_bytes + row.alpha_bytes + row.trimap_bytes for row in rows) + _METADATA_BYTES * len(rows)


def write(source: Source, staging: Staging, options: Options, progress: tqdm) -> None:
    """Write the members as they are, a folder a plane, and one table a split."""
    for split in source.splits:
        rows: list[Sample] = []
        for row, members in source.samples(split):
            suffixes = {plane: getattr(row, plane).rpartition(".")[2] for plane in _PLANES}
            names: dict[str, Any] = {plane: f"{plane}/{row.key}.{suffix}" for plane, suffix in suffixes.items()}
            for plane, name in names.items():
                staging.add(f"{split}/{name}", members[plane])
            rows.append(dataclasses.replace(row, **names))
            progress.update(1)
        table = to_table(rows, Sample).select(*_PLANES, *COLUMNS)
        linked = table.rename({plane: f"{plane}_file_name" for plane in _PLANES})
        staging.add(f"{split}/metadata.parquet", parquet_bytes(linked))


def layout(source: Source, options: Options) -> str:
    """Describe the export."""
    return (
        "One folder a split, with `image`, `alpha` and `trimap`, and `metadata.parquet`, whose columns "
        "`image_file_name`, `alpha_file_name` and `trimap_file_name` lead to them.\n\n"
        "```python\nimport datasets\n\n"
        f'dataset = datasets.load_dataset("imagefolder", data_dir=DIR, split="{source.splits[0]}")\n```'
    )
