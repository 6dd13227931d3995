"""``coco``: images and one ``instances_SPLIT.json`` a split, with the binarised matte as a run-length mask.

Format: https://cocodataset.org/#format-data (object detection). A foreground with several people has one annotation,
since its matte is one.
"""

from __future__ import annotations

import json

import numpy as np
from tqdm import tqdm

from matting_data.exporting.export import Options
from matting_data.exporting.rle import encode_mask
from matting_data.exporting.source import Source, decoded
from matting_data.exporting.staging import Staging
from matting_data.imaging.geometry import bounding_box
from matting_data.records.stored import Sample

THRESHOLD = 128
"""Alpha from which a pixel counts as person."""

_ANNOTATION_BYTES = 4096


def estimate(source: Source, options: Options) -> int:
    """Count the bytes of the images, and estimate those of the annotations."""
    return sum(row.image_bytes + _ANNOTATION_BYTES for row in source.rows())


def write(source: Source, staging: Staging, options: Options, progress: tqdm) -> None:
    """Write the images as they are, and the annotations of each split."""
    for split in source.splits:
        images, annotations = [], []
        for number, (row, members) in enumerate(source.samples(split), start=1):
            file = f"{row.key}.{row.image.rpartition('.')[2]}"
            staging.add(f"{split}/{file}", members["image"])
            size = {"width": row.width, "height": row.height}
            images.append({"id": number, "file_name": file, **size, "key": row.key, "background": row.background})
            annotations.append(_annotation(number, row, members["alpha"]))
            progress.update(1)
        index = source.card_inputs.index
        document = {
            "info": {
                "description": f"{index['name']} {split}, alpha >= {THRESHOLD}; README.md has the terms",
                "version": index["version"],
            },
            "licenses": [],
            "categories": [{"id": 1, "name": "person", "supercategory": "person"}],
            "images": images,
            "annotations": annotations,
        }
        staging.add(f"annotations/instances_{split}.json", (json.dumps(document) + "\n").encode())


def layout(source: Source, options: Options) -> str:
    """Describe the export."""
    return (
        f"{', '.join(f'`{split}/`' for split in source.splits)} hold the images, `annotations/instances_*.json` the "
        f"masks in COCO's format: alpha ≥ {THRESHOLD} as run lengths, one annotation a composite, of category "
        "`person`, also where it shows several. Mattes are not in this copy."
    )


def _annotation(number: int, row: Sample, data: bytes) -> dict[str, object]:
    mask = decoded(row, data).pixels >= THRESHOLD
    box = bounding_box(mask)
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "iscrowd": 0,
        "area": int(np.count_nonzero(mask)),
        "bbox": [box.x0, box.y0, box.width, box.height],
        "segmentation": encode_mask(mask),
    }
