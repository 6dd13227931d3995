"""Augmented 512² training samples a second, beside a dataset of loose files and over the codec floor.

    python -m benchmarks.loader [--foregrounds 12] [--json]

One process, one thread, the same composites of 1366×1024 (1.40 megapixels), everything in the disk cache; a sample is
image, alpha and trimap as float tensors of 512². Each figure is the best of some runs over all samples, the runs of the
contenders taking turns.

* ours: ``MapDataset`` with ``paper_augmentation``, and ``StreamDataset``, over a built dataset; and ``MapDataset`` over
  the same in layers, which composes each sample when it is read, in shuffled order so that foregrounds are decoded anew
  (12 foregrounds and more: fewer stay decoded in memory).
* floor: decode image and alpha of the same stored samples with libjpeg-turbo and OpenCV, and nothing else; and the same
  with the reader of mattes that ours uses.
* loose files: a torch Dataset as the public repositories write it. ``merged``: the composite and its alpha as PNG
  (``cv2.imread``), a trimap by OpenCV from random kernels, a crop of 320, 480 or 640 around one of its unknown pixels
  scaled to 512, flip, and a trimap again. ``composed``: foreground, alpha and background from PNG, PNG and JPEG, the
  background scaled to the foreground's size and blended in float, then the same; this one makes a new composite at
  each visit, which ours reads.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray

from benchmarks.inputs import benchmark_recipe, write_backgrounds, write_foregrounds
from matting_data.building.build import build
from matting_data.imaging.kernels.run_png_reader import read_run_png
from matting_data.readers import Composite, MapDataset, Split, StreamDataset
from matting_data.readers.dataset import open as open_dataset
from matting_data.readers.transforms import Visit, paper_augmentation

SIZE = (1366, 1024)
CROP = 512
PER_FOREGROUND = 10


def main() -> None:
    """Run all and print samples a second and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--foregrounds", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=5, help="the best of this many runs counts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        split = _built(Path(folder), options.foregrounds)
        loose = Path(folder) / "loose"
        save_loose(split, Path(folder), loose)
        layered = _built(Path(folder), options.foregrounds, "layers")
        shuffled = np.random.default_rng(1).permutation(len(split)).tolist()
        mapped = MapDataset(split, paper_augmentation(CROP))
        composing = MapDataset(layered, paper_augmentation(CROP))
        streamed = StreamDataset(split, paper_augmentation(CROP))
        merged, composed = LooseFiles(loose, False), LooseFiles(loose, True)
        contenders: dict[str, Callable[[], object]] = {
            "floor": lambda: floor(split, _by_opencv),
            "own_floor": lambda: floor(split, read_run_png),
            "map": lambda: visit_all(mapped[(0, position)] for position in range(len(split))),
            "stream": lambda: visit_all(streamed),
            "map_layers": lambda: visit_all(composing[(0, position)] for position in shuffled),
            "loose_merged": lambda: visit_all(merged[position] for position in range(len(merged))),
            "loose_composed": lambda: visit_all(composed[position] for position in range(len(composed))),
        }
        seconds = best(contenders, options.repeats)
        runs = [stage_seconds(split) for _ in range(options.repeats)]
        stages = {name: min(run[name] for run in runs) for name in runs[0]}
        count = len(split)
    ms = {name: value / count * 1e3 for name, value in seconds.items()}
    figures = {
        "samples": count,
        "megapixels": round(SIZE[0] * SIZE[1] / 1e6, 2),
        "samples_per_second": {name: round(1e3 / value, 1) for name, value in ms.items()},
        "map_over_floor": round(ms["map"] / ms["floor"], 2),
        "stream_over_floor": round(ms["stream"] / ms["floor"], 2),
        "map_over_own_floor": round(ms["map"] / ms["own_floor"], 2),
        "layers_over_map": round(ms["map_layers"] / ms["map"], 2),
        "loose_merged_over_map": round(ms["loose_merged"] / ms["map"], 1),
        "loose_composed_over_map": round(ms["loose_composed"] / ms["map"], 1),
        "stages_ms": {name: round(value / count * 1e3, 2) for name, value in stages.items()},
    }
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{count} composites of {figures['megapixels']} megapixels, one process, one thread, crops of {CROP}²")
    names = {
        "floor": "floor: decode image, alpha",
        "own_floor": "floor with our matte reader",
        "map": "MapDataset",
        "stream": "StreamDataset",
        "map_layers": "MapDataset over layers",
        "loose_merged": "loose PNG, merged",
        "loose_composed": "loose PNG, composed",
    }
    for name, title in names.items():
        print(f"{title:28s}{1e3 / ms[name]:8.1f} samples/s {ms[name]:8.2f} ms")
    print(f"MapDataset takes {figures['map_over_floor']} × the floor, StreamDataset {figures['stream_over_floor']} ×")
    print(f"MapDataset takes {figures['map_over_own_floor']} × the floor with our matte reader")
    print(f"layers take {figures['layers_over_map']} × composites, in shuffled order")
    print(
        f"loose files take {figures['loose_merged_over_map']} × MapDataset, "
        f"composing ones {figures['loose_composed_over_map']} ×"
    )
    print("stages of MapDataset, measured apart:")
    for name, value in stages.items():
        print(f"  {name:26s}{value / count * 1e3:8.2f} ms")


def visit_all(samples: Iterable[Any]) -> None:
    """Make all samples, keeping none."""
    for _ in samples:
        pass


def floor(split: Split, matte: Callable[[bytes], object]) -> None:
    """Decode what no loader can avoid, from bytes in memory."""
    for stored in _stored(split):
        simplejpeg.decode_jpeg(stored["image"])
        matte(stored["alpha"])


def _by_opencv(data: bytes) -> object:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def stage_seconds(split: Split) -> dict[str, float]:
    """Time the steps of a visit one by one, over all samples."""
    pipeline = paper_augmentation(CROP)
    dataset = MapDataset(split, pipeline)
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started

    for position in range(len(split)):
        with timed("row"):
            row = split.rows[position]
        with timed("fetch"):
            fetched = split.store.fetch(row, dataset.parts)
        with timed("decode"):
            composite = Composite.of(row.key, split.store.decode(row, fetched))
        for step in pipeline.steps:
            with timed(type(step).__name__):
                composite = step(composite, Visit(0, 0, row.key).generator(type(step).__name__))
        with timed("tensors"):
            dataset.tensors(composite)
    return seconds


class LooseFiles(torch.utils.data.Dataset[dict[str, Any]]):
    """A dataset over loose files, after the loaders of the public Deep Image Matting repositories."""

    def __init__(self, folder: Path, compose: bool) -> None:
        self.compose = compose
        self.names = sorted(path.stem for path in (folder / "merged").iterdir())
        self.folder = folder

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, position: int) -> dict[str, Any]:
        name = self.names[position]
        foreground = name.rpartition("-")[0]
        alpha = cv2.imread(str(self.folder / "alpha" / f"{foreground}.png"), cv2.IMREAD_GRAYSCALE)
        assert alpha is not None
        if self.compose:
            image = self._composed(name, foreground, alpha)
        else:
            image = np.asarray(cv2.imread(str(self.folder / "merged" / f"{name}.png")), np.uint8)
        trimap = random_trimap(np.asarray(alpha, np.uint8))
        side = random.choice([320, 480, 640])
        ys, xs = np.where(trimap == 128)
        at = random.randrange(len(xs)) if len(xs) else 0
        y, x = (int(ys[at]), int(xs[at])) if len(xs) else (0, 0)
        y, x = min(max(0, y - side // 2), alpha.shape[0] - side), min(max(0, x - side // 2), alpha.shape[1] - side)
        crop = slice(y, y + side), slice(x, x + side)
        image = np.asarray(cv2.resize(image[crop], (CROP, CROP)), np.uint8)
        cut = np.asarray(cv2.resize(alpha[crop], (CROP, CROP)), np.uint8)
        if random.random() < 0.5:
            image, cut = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(cut[:, ::-1])
        trimap = random_trimap(cut)
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        return {
            "image": torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32) / 255),
            "alpha": torch.from_numpy(cut[None].astype(np.float32) / 255),
            "trimap": torch.from_numpy(trimap[None].astype(np.float32) / 255),
        }

    def _composed(self, name: str, foreground: str, alpha: Any) -> NDArray[np.uint8]:
        colours = cv2.imread(str(self.folder / "fg" / f"{foreground}.png"))
        background = cv2.imread(str(self.folder / "bg" / f"{name}.jpg"))
        assert colours is not None and background is not None
        height, width = alpha.shape
        ratio = max(width / background.shape[1], height / background.shape[0])
        if ratio > 1:
            size = (int(np.ceil(background.shape[1] * ratio)), int(np.ceil(background.shape[0] * ratio)))
            background = cv2.resize(background, size, interpolation=cv2.INTER_CUBIC)
        weight = alpha[..., None].astype(np.float32) / 255
        mixed = weight * colours + (1 - weight) * background[:height, :width]
        return np.asarray(mixed.astype(np.uint8))


def random_trimap(alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw a trimap by dilating and eroding with random ellipses."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (random.randrange(1, 30),) * 2)
    dilated = cv2.dilate(alpha, kernel)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (random.randrange(1, 30),) * 2)
    eroded = cv2.erode(alpha, kernel)
    trimap = np.full(alpha.shape, 128, np.uint8)
    trimap[eroded >= 255] = 255
    trimap[dilated <= 0] = 0
    return trimap


def save_loose(split: Split, inputs: Path, folder: Path) -> None:
    """Write what the loose datasets read: composites, foregrounds and alphas as PNG, backgrounds as they came."""
    for name in ("merged", "alpha", "fg", "bg"):
        (folder / name).mkdir(parents=True)
    for position, composite in enumerate(split):
        row = split.row(position)
        colours = cv2.cvtColor(composite.image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / "merged" / f"{row.foreground}-{row.index}.png"), colours)
        cv2.imwrite(str(folder / "alpha" / f"{row.foreground}.png"), composite.alpha)
        if row.index == 0:
            cv2.imwrite(str(folder / "fg" / f"{row.foreground}.png"), colours)
        photo = inputs / "photos" / f"{row.background.removeprefix('photos-')}.jpg"
        (folder / "bg" / f"{row.foreground}-{row.index}.jpg").write_bytes(photo.read_bytes())


def best(contenders: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return each contender's shortest time in seconds; they take turns, so that all meet the same disturbances."""
    seconds = dict.fromkeys(contenders, float("inf"))
    for _ in range(repeats):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds


_BYTES: dict[str, list[dict[Any, bytes]]] = {}


def _stored(split: Split) -> list[dict[Any, bytes]]:
    """Return the members of all samples, read once."""
    if split.identity not in _BYTES:
        _BYTES[split.identity] = [split.store.fetch(row, ("image", "alpha")) for row in split.rows]
    return _BYTES[split.identity]


def _built(work: Path, foregrounds: int, kind: str = "composites") -> Split:
    if not (work / "people").exists():
        write_foregrounds(work / "people", SIZE, foregrounds)
        write_backgrounds(work / "photos", 120)
    build(benchmark_recipe(work, PER_FOREGROUND, {"kind": kind}), work / kind, 1)
    return open_dataset(work / kind)["train"]


if __name__ == "__main__":
    main()
