"""``composition-1k``: the folders of Adobe's Deep Image Matting set, which the older repositories read.

Names as in Adobe's archive and in mmagic's preparation of it (``tools/dataset_converters/comp1k``): a foreground and
its alpha share a file name, its composites add ``_0``, ``_1``, … GCA-Matting and MatteFormer want an alpha for every
composite: ``alpha_copy``. All of them look for PNG, so composites are decoded and stored without further loss.
"""

from __future__ import annotations

import json

from tqdm import tqdm

from matting_data.exporting.export import Options
from matting_data.exporting.source import Source, decoded
from matting_data.exporting.staging import Staging
from matting_data.imaging import encode
from matting_data.imaging.decode import to_rgb8
from matting_data.records.stored import Sample

SETS = {"train": ("Training_set", "training", "Other"), "test": ("Test_set", "test", "Adobe-licensed images")}
"""Split → its folder, the prefix of its lists, and the folder that fixed paths in scripts look for inside it."""

_PROBES = 4


def estimate(source: Source, options: Options) -> int:
    """Measure how large some composites become as PNG, and return the sum for all."""
    rows = source.rows()
    probes = rows[:: max(1, len(rows) // _PROBES)][:_PROBES]
    pixels = sum(row.width * row.height for row in probes)
    if not pixels:
        return 0
    density = sum(len(encode.png(to_rgb8(decoded(row, source.members(row)["image"])))) for row in probes) / pixels
    planes = 3 if options.sources else 1  # merged, and a background; a foreground serves several
    size = density * planes * sum(row.width * row.height for row in rows)
    return int(size) + sum(row.alpha_bytes * (1 if options.link else 2) + row.trimap_bytes for row in rows)


def write(source: Source, staging: Staging, options: Options, progress: tqdm) -> None:
    """Write both sets and their lists."""
    for split in source.splits:
        folder, prefix, inner = SETS[split]
        described, backgrounds = [], []
        foregrounds: dict[str, str] = {}  # in order; the alpha is the same in all composites of one
        for row, members in source.samples(split):
            name, file = f"{row.foreground}.png", f"{row.foreground}_{row.index}.png"
            alpha_path, fg_path = f"{folder}/{inner}/alpha/{name}", f"{folder}/{inner}/fg/{name}"
            if name not in foregrounds:
                foregrounds[name] = alpha_path
                staging.add(alpha_path, members["alpha"])
                if options.sources:
                    staging.add(fg_path, encode.png(source.foreground(row)))
            paths = {
                "alpha_path": alpha_path,
                "merged_path": f"{folder}/merged/{file}",
                "trimap_path": f"{folder}/{inner}/trimaps/{file}",
            }
            staging.add(paths["merged_path"], _merged(members["image"], row))
            staging.add(paths["trimap_path"], members["trimap"])
            staging.repeat(f"{folder}/alpha_copy/{file}", alpha_path)
            if options.sources:
                paths |= {"fg_path": fg_path, "bg_path": f"{folder}/bg/{file}"}
                staging.add(paths["bg_path"], encode.png(source.background(row)))
            described.append(paths)
            backgrounds.append(source.background_path(row))
            progress.update(1)
        staging.add(f"{folder}/{prefix}_fg_names.txt", _lines([*foregrounds]))
        staging.add(f"{folder}/{prefix}_bg_names.txt", _lines(backgrounds))
        staging.add(f"{prefix}_list.json", (json.dumps(described, indent=1) + "\n").encode())


def layout(source: Source, options: Options) -> str:
    """Describe the export."""
    lines = []
    for split in source.splits:
        folder, prefix, inner = SETS[split]
        with_sources = f"`{inner}/fg`, `bg`, " if options.sources else ""
        lines.append(
            f"- {split}: `{folder}/` with {with_sources}`{inner}/alpha`, `{inner}/trimaps`, `merged`, `alpha_copy`, "
            f"`{prefix}_fg_names.txt`, `{prefix}_bg_names.txt`; and `{prefix}_list.json` for mmagic"
        )
    return (
        "The folders of Composition-1k. The names are those that scripts look for: nothing in "
        '"Adobe-licensed images" comes from Adobe.\n\n' + "\n".join(lines)
    )


def _merged(data: bytes, row: Sample) -> bytes:
    return data if row.image.endswith(".png") else encode.png(to_rgb8(decoded(row, data)))


def _lines(names: list[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
