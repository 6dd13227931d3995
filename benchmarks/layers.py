"""The size of a store of layers against a store of composites: ``python -m benchmarks.layers``.

The same people on the same photographs, ten composites each, twice: every photograph behind one person, and every
photograph behind ten. Both datasets are built from scratch with the recipe's defaults (JPEG 95, 4:4:4); sizes are those
of all their files without ``.work``. Also: every pixel of both is compared (against lossless composites), and the time
to read one composite of either.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import matting_data
from benchmarks.inputs import benchmark_recipe, write_backgrounds, write_foregrounds
from matting_data.building.build import build

PER_FOREGROUND = 10


def measured(root: Path, photos: str) -> dict[str, float]:
    """Build both stores of one selection of photographs; return sizes, pixels that differ, and milliseconds."""
    outs = {}
    for name, store in {
        "composites": {"kind": "composites"},
        "layers": {"kind": "layers"},
        "lossless": {"kind": "composites", "image": "png"},
    }.items():
        outs[name] = root / f"{photos}-{name}"
        build(benchmark_recipe(root, PER_FOREGROUND, store, photos), outs[name], 2)
    splits = {name: matting_data.open(out)["train"] for name, out in outs.items()}
    differing = sum(
        int(np.count_nonzero(one.image != two.image) + np.count_nonzero(one.trimap != two.trimap))
        for one, two in zip(splits["layers"], splits["lossless"], strict=True)
    )
    result = {f"{name}_bytes": float(size(out)) for name, out in outs.items()}
    for name in ("composites", "layers"):
        started = time.perf_counter()
        count = sum(1 for _ in splits[name])
        result[f"{name}_ms"] = 1000 * (time.perf_counter() - started) / count
    return {**result, "composites": float(len(splits["layers"])), "differing": float(differing)}


def size(out: Path) -> int:
    """Return the bytes of a dataset's files."""
    return sum(p.stat().st_size for p in out.rglob("*") if p.is_file() and ".work" not in p.parts)


def main() -> None:
    """Print both ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--foregrounds", type=int, default=10)
    parser.add_argument("--size", type=int, nargs=2, default=(1440, 960), metavar=("WIDTH", "HEIGHT"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_foregrounds(root / "people", tuple(options.size), options.foregrounds)
        write_backgrounds(root / "once", options.foregrounds * PER_FOREGROUND)
        write_backgrounds(root / "ten-times", PER_FOREGROUND * max(1, options.foregrounds // PER_FOREGROUND))
        for photos, uses in (("once", 1), ("ten-times", PER_FOREGROUND)):
            found = measured(root, photos)
            print(
                f"each background used {uses} times: layers {found['layers_bytes'] / 1e6:.1f} MB, composites "
                f"{found['composites_bytes'] / 1e6:.1f} MB, "
                f"ratio {found['layers_bytes'] / found['composites_bytes']:.3f}; "
                f"reading one composite {found['layers_ms']:.1f} ms against {found['composites_ms']:.1f} ms; "
                f"{found['differing']:.0f} values differ in {found['composites']:.0f} composites"
            )


if __name__ == "__main__":
    main()
