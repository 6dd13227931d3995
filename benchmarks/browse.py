"""Time and memory of importing many samples into FiftyOne, and of opening what was imported before.

    python -m benchmarks.browse [--samples 50000] [--json]

The manifests are real ones of that many rows, 10 composites a foreground; the pictures are the same few bytes for all,
so that what is measured is reading manifests, FiftyOne and its database, and writing one image, one trimap and a tenth
of an alpha for each sample. The floor is FiftyOne alone: adding bare samples with a path and no fields, in the same
run. Decoding and shrinking real pictures comes on top, about what their codecs take.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.process_figures import peak_mib
from matting_data.browsing.browse import configure
from matting_data.browsing.composite_entries import CompositeEntries
from matting_data.browsing.database import open_fiftyone
from matting_data.browsing.entries import Entry
from matting_data.browsing.importing import import_entries, is_current
from matting_data.browsing.picture_cache import MediaCache
from matting_data.browsing.views import composite_views, save_views
from matting_data.imaging import encode
from matting_data.records.stored import Sample
from matting_data.records.tables import write_table

PER_FOREGROUND, PER_SHARD = 10, 500


def main() -> None:
    """Import, open again, and print seconds per 1,000 samples and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    fo = open_fiftyone()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(fo, Path(folder), options.samples)
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        for name, value in result.items():
            print(f"{name:40} {value:10.2f}")


def measure(fo: Any, work: Path, samples: int) -> dict[str, float]:
    """Return the figures; the FiftyOne datasets it makes are deleted."""
    index = write_manifests(work, samples)
    before = peak_mib()
    floor, dataset = fo.Dataset(), fo.Dataset()
    try:
        started = time.perf_counter()
        bare = (fo.Sample(filepath=str(work / f"{number}.jpg")) for number in range(min(samples, 5000)))
        floor.add_samples(bare, progress=False)
        floor_seconds = (time.perf_counter() - started) / min(samples, 5000) * 1000
        cache = MediaCache(work / "cache", "benchmark", 10**12)
        entries = CompositeEntries(work, index, 1024)
        started = time.perf_counter()
        done = import_entries(fo, dataset, _with_stub_pictures(entries), len(entries), cache, 2)
        imported = time.perf_counter() - started
        started = time.perf_counter()
        configure(fo, dataset, "composites")
        save_views(dataset, composite_views(fo, dataset))
        dataset.info["signature"] = "same"
        dataset.save()
        configured = time.perf_counter() - started
        peak = peak_mib()
        started = time.perf_counter()
        current = is_current(dataset, "same", MediaCache(work / "cache", "benchmark", 10**12))
        reopened = time.perf_counter() - started
        server = sum(p.memory_info().rss for p in psutil.process_iter(["name"]) if p.info["name"] == "mongod")
    finally:
        floor.delete()
        dataset.delete()
    if not current or done.added != samples:
        raise SystemExit(f"imported {done} of {samples}, current: {current}")
    return {
        "samples": samples,
        "seconds per 1,000 samples": imported / samples * 1000,
        "floor: bare samples, seconds per 1,000": floor_seconds,
        "ratio": imported / samples * 1000 / floor_seconds,
        "seconds for views and indexes": configured,
        "seconds to open again": reopened,
        "peak memory, MiB": peak,
        "of it before the import, MiB": before,
        "mongod, MiB": server / 2**20,
    }


def write_manifests(root: Path, samples: int) -> dict[str, Any]:
    """Write manifests of `samples` rows; return the index that names them."""
    rng = np.random.default_rng(0)
    shards = []
    for number, first in enumerate(range(0, samples, PER_SHARD)):
        rows = [_row(i, number, rng) for i in range(first, min(samples, first + PER_SHARD))]
        name = f"train/{number:06d}"
        write_table(root / f"{name}.parquet", rows, Sample)
        shards.append({"tar": f"{name}.tar", "manifest": f"{name}.parquet", "num_samples": len(rows)})
    return {"name": "benchmark", "store": "composites", "splits": {"train": {"shards": shards}}}


def _row(number: int, shard: int, rng: np.random.Generator) -> Sample:
    person, index = divmod(number, PER_FOREGROUND)
    x0, y0, x1, y1 = 100, 50, int(rng.integers(400, 1000)), int(rng.integers(600, 1300))
    return Sample(
        key=f"person{person:06d}-{index:02d}",
        split="train",
        shard=shard,
        foreground=f"person{person:06d}",
        background=f"photo{int(rng.integers(0, max(1, 45_000))):06d}",
        index=index,
        seed=int(rng.integers(0, 2**62)),
        subset=("single_frontal", "single_pose_varied", "multiple")[person % 3],
        license="CC BY 4.0",
        width=1024,
        height=1366,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        coverage=float(rng.random()),
        soft=float(rng.random() * 0.2),
        background_width=1366,
        background_height=1366,
        background_x=0,
        background_y=0,
        trimap_kind="dim",
        trimap_dilate=int(rng.integers(1, 30)),
        trimap_erode=int(rng.integers(1, 30)),
        image=f"person{person:06d}-{index:02d}.image.jpg",
    )


def _with_stub_pictures(entries: CompositeEntries) -> Iterator[Entry]:
    image = encode.jpeg(np.full((64, 48, 3), 128, np.uint8))
    plane = encode.matte_png(np.full((64, 48), 128, np.uint8))
    for entry in entries:
        overlays = {name: replace(o, make=lambda: plane) for name, o in entry.overlays.items()}
        yield replace(entry, image=replace(entry.image, make=lambda: image), overlays=overlays)


if __name__ == "__main__":
    main()
