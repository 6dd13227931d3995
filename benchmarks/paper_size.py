"""The size of the SAFE-Net paper's dataset: time, disk, and the memory of every worker over time.

    python -m benchmarks.paper_size [--foregrounds 4729] [--workers 2] [--json]

4,729 foregrounds × 10 backgrounds are 47,290 composites. Foregrounds are the shared real ones where they are at hand,
else the bundled rendered people, each turned, recoloured and scaled to between 0.5 and 1 megapixels, so that no two
files are alike; photographs are a few hundred. The build is the real one, from an empty folder, in two parts: checking
the inputs (without the human detector and without colour estimates, whose costs docs/scale.md adds), and building.
Processor seconds are those of all processes, so that they hold on a busy machine too. The floor of the same run is
what no builder can avoid: decode each background, encode each image, and once per foreground decode it and encode its
alpha. Everything is written below one temporary folder, which is removed; the benchmark refuses to start where the
disk could not hold it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.composite import codec_floor
from benchmarks.inputs import benchmark_recipe, foreground_pairs, write_backgrounds
from benchmarks.process_figures import processor_seconds
from matting_data.building.build import build
from matting_data.building.scan_and_plan import scan_and_plan
from matting_data.imaging.encode import jpeg, matte_png
from matting_data.planning.plan import Plan
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.running.executor import default_workers, run
from matting_data.sources.opened import open_sources
from matting_data.storage import open_storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.plan_tables import saved_plan

PER_FOREGROUND = 10
PHOTOS = 300
FLOOR_FOREGROUNDS = 8

_BYTES_A_COMPOSITE = 700_000
"""More than any composite of a megapixel took; what the disk guard counts with."""


@dataclass
class Memory:
    """Samples the resident memory of this process's children while the block runs; ``series`` is pid → MiB."""

    interval: float = 0.5
    series: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __enter__(self) -> Memory:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        if sys.platform == "linux":  # no other system lists children and their memory in files
            own = Path(f"/proc/{os.getpid()}")
            while not self._stop.wait(self.interval):
                children = [pid for task in own.glob("task/*/children") for pid in _text(task).split()]
                for pid in (str(os.getpid()), *children):
                    resident = [line for line in _text(Path(f"/proc/{pid}/status")).splitlines() if "VmRSS" in line]
                    if resident:
                        self.series[int(pid)].append(int(resident[0].split()[1]) / 1024)

    def workers(self) -> list[dict[str, float]]:
        """Return, for each worker, its peak and its mean in each quarter of its life after the first, in MiB."""
        lives = [s for pid, s in self.series.items() if pid != os.getpid() and len(s) >= 8 and max(s) > 64]
        return [
            {"peak": max(s)} | {f"quarter_{q}": float(np.mean(part)) for q, part in _quarters(s) if q > 1}
            for s in lives
        ]

    @property
    def parent_peak(self) -> float:
        """Peak of the process that plans and commits, in MiB."""
        return max(self.series.get(os.getpid(), [0.0]))


@dataclass
class WriteForeground:
    """The task of writing one varied foreground."""

    folder: Path

    def __call__(self, number: int) -> None:
        """Write ``image/*.jpg`` and ``alpha/*.png``."""
        image, alpha = varied(number)
        (self.folder / "image" / f"{number:06d}.jpg").write_bytes(jpeg(image))
        (self.folder / "alpha" / f"{number:06d}.png").write_bytes(matte_png(alpha))


def varied(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a foreground H×W×3 and its alpha H×W, uint8, of 0.5 to 1 megapixels, unlike that of another number."""
    pairs = foreground_pairs()
    image, alpha = pairs[number % len(pairs)]
    rng = np.random.default_rng(number)
    if rng.random() < 0.5:
        image, alpha = image[:, ::-1], alpha[:, ::-1]
    pixels = rng.uniform(0.5e6, 1.0e6)
    scale = (pixels / (image.shape[0] * image.shape[1])) ** 0.5
    size = (round(image.shape[1] * scale * rng.uniform(0.95, 1.05)), round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image, alpha = (cv2.resize(plane, size, interpolation=how).astype(np.uint8) for plane in (image, alpha))
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(rng.integers(180))) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8), np.asarray(alpha, np.uint8)


def measure(work: Path, foregrounds: int, workers: int) -> dict[str, Any]:
    """Build once below `work`; return the figures."""
    people = work / "people"
    for name in ("image", "alpha"):
        (people / name).mkdir(parents=True)
    for _ in run(WriteForeground(people), range(foregrounds), workers):
        pass
    write_backgrounds(work / "photos", PHOTOS)
    recipe, out = benchmark_recipe(work, PER_FOREGROUND, colour="as_is"), work / "out"
    figures: dict[str, Any] = {"foregrounds": foregrounds, "composites": foregrounds * PER_FOREGROUND}
    figures |= {"photographs": PHOTOS, "workers": workers}
    with _timed(figures, "check"), workspace.locked(out):
        scan_and_plan(recipe, open_sources(recipe), open_storage(out), workers)
    with Memory() as memory, _timed(figures, "build"):
        index = build(recipe, out, workers).index
    tars = sum(entry["bytes"] for split in index["splits"].values() for entry in split["shards"])
    figures["dataset_bytes"] = sum(p.stat().st_size for p in out.rglob("*") if p.is_file() and ".work" not in p.parts)
    figures["tables_bytes"] = figures["dataset_bytes"] - tars
    figures["work_bytes"] = sum(p.stat().st_size for p in (out / ".work").rglob("*") if p.is_file())
    figures["memory_mib"] = {"workers": memory.workers(), "parent_peak": memory.parent_peak}
    figures["floor_ms"] = 1000 * _floor_seconds(recipe, out)
    figures["build_ms"] = 1000 * figures["build_cpu_seconds"] / figures["composites"]
    figures["build_over_floor"] = figures["build_ms"] / figures["floor_ms"]
    figures["core_hours_per_million"] = figures["build_ms"] / 3.6
    figures["gigabytes_per_million"] = figures["dataset_bytes"] / figures["composites"] / 1e3
    return figures


def main() -> None:
    """Build, and print time, disk, memory over time, and cost per million."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--foregrounds", type=int, default=4729)
    parser.add_argument("--workers", type=int, default=min(2, default_workers()))
    parser.add_argument("--folder", type=Path, help="where to work; by default the system's temporary folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    needed = options.foregrounds * (PER_FOREGROUND + 1) * _BYTES_A_COMPOSITE
    free = shutil.disk_usage(options.folder or tempfile.gettempdir()).free
    if needed > free:
        parser.error(f"{needed / 1e9:.0f} GB may be needed and {free / 1e9:.0f} GB are free: lower --foregrounds")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(Path(folder), options.foregrounds, options.workers)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{figures['composites']} composites of {figures['foregrounds']} foregrounds, {options.workers} workers")
    for part in ("check", "build"):
        print(f"{part}: {figures[f'{part}_seconds']:.0f} s, processors {figures[f'{part}_cpu_seconds']:.0f} s")
    print(f"disk: {figures['dataset_bytes'] / 1e9:.2f} GB, of it tables {figures['tables_bytes'] / 1e6:.1f} MB")
    print(f"a composite: {figures['build_ms']:.1f} ms of a core, codec floor {figures['floor_ms']:.1f} ms, "
          f"ratio {figures['build_over_floor']:.2f}")  # fmt: skip
    print(f"a million: {figures['core_hours_per_million']:.2f} core-hours, {figures['gigabytes_per_million']:.0f} GB")
    for number, worker in enumerate(figures["memory_mib"]["workers"]):
        later = ", ".join(f"{worker[f'quarter_{q}']:.0f}" for q in (2, 3, 4))
        print(f"worker {number}: peak {worker['peak']:.0f} MiB; mean of the quarters after the first: {later} MiB")
    print(f"parent: peak {figures['memory_mib']['parent_peak']:.0f} MiB")


class _timed:  # noqa: N801 - reads as the function it stands for
    """Put wall and processor seconds of a block into a mapping; children count once they have ended."""

    def __init__(self, figures: dict[str, Any], name: str) -> None:
        self._figures, self._name = figures, name

    def __enter__(self) -> None:
        self._started = time.perf_counter(), processor_seconds()

    def __exit__(self, *_: object) -> None:
        self._figures[f"{self._name}_seconds"] = time.perf_counter() - self._started[0]
        self._figures[f"{self._name}_cpu_seconds"] = processor_seconds() - self._started[1]


def _floor_seconds(recipe: LoadedRecipe, out: Path) -> float:
    """Return the processor seconds of the codecs alone, a composite, on a few foregrounds of this dataset."""
    plan = saved_plan(out)
    few = Plan(plan.foregrounds, plan.backgrounds, plan.composites[: FLOOR_FOREGROUNDS * PER_FOREGROUND])
    times = []
    for _ in range(3):
        started = time.process_time()
        codec_floor(recipe, few)
        times.append(time.process_time() - started)
    return min(times) / len(few.composites)


def _quarters(series: list[float]) -> list[tuple[int, list[float]]]:
    quarter = len(series) / 4
    return [(q + 1, series[round(q * quarter) : round((q + 1) * quarter)]) for q in range(4)]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # a process that ended meanwhile


if __name__ == "__main__":
    main()
