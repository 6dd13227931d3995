"""Time per composite of a build, over the codec floor, beside a plain script doing what DIM's script does.

    python -m benchmarks.composite [--foregrounds 6] [--repeats 3] [--json]

Everything but the two workers runs in one process and one thread, on the same files: foregrounds of 1366×1024 (1.40
megapixels), ten backgrounds each, of OpenImages' size. The codec floor is what no builder can avoid, with
libjpeg-turbo: decode each background, encode each image, and once per foreground decode it and encode its alpha.
The build is the real one (shards, manifests, trimaps, hashes and fsync included), after its inputs were checked and
foreground colours estimated. The peer opens each foreground once, then for each background decodes, enlarges, blends
in NumPy and saves with Pillow; it makes no trimap, no shard and no manifest.

Floor and build take turns, and each counts with its best run. Beside the time on the clock stands the processor time,
which other programs on the machine stretch less. The stages are the build's own calls, each timed where it is made.
Two workers are measured against one on shards of one foreground each, after both have loaded what they need.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from benchmarks.inputs import benchmark_recipe, write_backgrounds, write_foregrounds
from benchmarks.process_figures import load_average
from matting_data.building.build import build
from matting_data.imaging import composite as compositing
from matting_data.imaging import encode, trimap
from matting_data.planning.plan import Plan
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.rendering.composites import sample_row
from matting_data.rendering.make_shards import build_shards, plan_shards
from matting_data.rendering.sample_shards import BuildShard
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.running.executor import run
from matting_data.shards.members import placement_of, radii_of, sample_json
from matting_data.shards.names import MARK
from matting_data.shards.writer import ShardWriter
from matting_data.sources.inputs import read_input
from matting_data.sources.opened import open_sources
from matting_data.storage import open_storage
from matting_data.storage.atomic import atomic_file
from matting_data.workspace.colour_cache import ColourCache
from matting_data.workspace.plan_tables import saved_plan

SIZE = (1366, 1024)
PER_FOREGROUND = 10


def main() -> None:
    """Run all and print milliseconds per composite and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--foregrounds", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3, help="the best of this many runs counts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_foregrounds(work / "people", SIZE, options.foregrounds)
        write_backgrounds(work / "photos", 60)
        recipe = benchmark_recipe(work, PER_FOREGROUND)
        out = work / "out"
        build(recipe, out, 1)
        plan = saved_plan(out)
        count = len(plan.composites)
        floor, ours = _in_turns(
            [lambda: codec_floor(recipe, plan), lambda: _rebuild(recipe, plan, out)],
            options.repeats,
            before=lambda: _remove_shards(out),
        )
        runs = [stage_seconds(recipe, plan, out) for _ in range(options.repeats)]
        stages = {name: min(run[name] for run in runs) / count for name in runs[0]}
        rates = [workers_rate(recipe, plan, out, workers) for workers in (1, 2)]
        few = Plan(plan.foregrounds, plan.backgrounds, plan.composites[: 2 * PER_FOREGROUND])
        peers = {kind: plain_script(recipe, few, work / kind, kind) / len(few.composites) for kind in ("png", "jpg")}
    floor_ms, build_ms = (timing.scaled(1e3 / count) for timing in (floor, ours))
    figures = {
        "composites": count,
        "megapixels": round(SIZE[0] * SIZE[1] / 1e6, 2),
        "floor_ms": round(floor_ms.clock, 2),
        "build_ms": round(build_ms.clock, 2),
        "build_over_floor": round(build_ms.clock / floor_ms.clock, 2),
        "floor_cpu_ms": round(floor_ms.processor, 2),
        "build_cpu_ms": round(build_ms.processor, 2),
        "build_over_floor_cpu": round(build_ms.processor / floor_ms.processor, 2),
        "plain_png_over_build": round(peers["png"] * 1e3 / build_ms.processor, 1),
        "plain_jpeg_over_build": round(peers["jpg"] * 1e3 / build_ms.processor, 1),
        "two_workers_over_one": round(rates[1] / rates[0], 2),
        "load_average": round(load_average(), 1),
        "stages_cpu_ms": {name: round(seconds * 1e3, 2) for name, seconds in stages.items()},
    }
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{count} composites of {figures['megapixels']} megapixels, one process, one thread")
    print("                       clock  processor")
    print(f"codec floor          {floor_ms.clock:8.2f} {floor_ms.processor:8.2f} ms a composite")
    over = f"{figures['build_over_floor']:.2f} × the floor, {figures['build_over_floor_cpu']:.2f} × in processor time"
    print(f"build                {build_ms.clock:8.2f} {build_ms.processor:8.2f} ms   {over}")
    for kind, name in (("png", "PNG"), ("jpg", "JPEG")):
        ratio = peers[kind] * 1e3 / build_ms.processor
        print(f"plain script, {name:7s}         {peers[kind] * 1e3:8.2f} ms   {ratio:.1f} × the build")
    gain, load = figures["two_workers_over_one"], figures["load_average"]
    print(f"two workers          {gain:8.2f} × one's rate, at a load average of {load}")
    print("stages of the build, processor time, measured apart:")
    for name, seconds in stages.items():
        print(f"  {name:28s}{seconds * 1e3:8.2f} ms {seconds * 1e5 / build_ms.processor:6.1f} %")
    rest = build_ms.processor - 1e3 * sum(stages.values())
    print(f"  {'rest':28s}{rest:8.2f} ms {100 * rest / build_ms.processor:6.1f} %")


@dataclass(frozen=True)
class Timing:
    """Seconds, or another unit once scaled: on the clock, and of the processor."""

    clock: float
    processor: float

    def scaled(self, factor: float) -> Timing:
        """Return both times `factor`."""
        return Timing(self.clock * factor, self.processor * factor)


def codec_floor(recipe: LoadedRecipe, plan: Plan) -> None:
    """Decode and encode what no builder can avoid, with no pixel work at all."""
    sources = open_sources(recipe)
    foregrounds, backgrounds = plan.usable_foregrounds(), plan.usable_backgrounds()
    for identity, composites in _by_foreground(plan).items():
        image_path, alpha_path = sources.foreground_files(foregrounds[identity])
        assert alpha_path is not None
        image = simplejpeg.decode_jpeg(read_input(image_path))
        alpha = cv2.imdecode(np.frombuffer(read_input(alpha_path), np.uint8), cv2.IMREAD_UNCHANGED)
        encode.matte_png(np.asarray(alpha, dtype=np.uint8))
        for background in composites:
            simplejpeg.decode_jpeg(read_input(sources.background_file(backgrounds[background])))
            encode.jpeg(image)


def plain_script(recipe: LoadedRecipe, plan: Plan, folder: Path, kind: str) -> float:
    """Composite as DIM's script does, vectorised with NumPy; return the seconds of processor time it took."""
    folder.mkdir()
    sources = open_sources(recipe)
    foregrounds, backgrounds = plan.usable_foregrounds(), plan.usable_backgrounds()
    started = time.process_time()
    for identity, composites in _by_foreground(plan).items():
        image_path, alpha_path = sources.foreground_files(foregrounds[identity])
        assert alpha_path is not None
        image = np.array(Image.open(str(image_path)).convert("RGB"))
        alpha = np.array(Image.open(str(alpha_path)).convert("L"))[..., None] / 255
        height, width = alpha.shape[:2]
        for number, background in enumerate(composites):
            photo = Image.open(io.BytesIO(read_input(sources.background_file(backgrounds[background])))).convert("RGB")
            ratio = max(width / photo.width, height / photo.height)
            if ratio > 1:
                size = (int(np.ceil(photo.width * ratio)), int(np.ceil(photo.height * ratio)))
                photo = photo.resize(size, Image.Resampling.BICUBIC)
            behind = np.array(photo)[:height, :width]
            mixed = (alpha * image + (1 - alpha) * behind).astype(np.uint8)
            settings: dict[str, Any] = {"quality": 95, "subsampling": 0} if kind == "jpg" else {}
            Image.fromarray(mixed).save(folder / f"{identity}_{number}.{kind}", **settings)
    return time.process_time() - started


def stage_seconds(recipe: LoadedRecipe, plan: Plan, out: Path) -> dict[str, float]:
    """Time the build's stages one by one, on all composites."""
    inputs = SourceInputs(open_sources(recipe), ColourCache(out / ".work" / "colours"))
    foregrounds, backgrounds = plan.usable_foregrounds(), plan.usable_backgrounds()
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        seconds[name] = seconds.get(name, 0.0) + time.process_time() - started

    with atomic_file(out / "stages.tar") as file:
        writer = ShardWriter(file)
        for identity in _by_foreground(plan):
            record = foregrounds[identity]
            with timed("foreground: read and clean"):
                image, alpha = inputs.foreground(record)
            with timed("foreground: premultiply"):
                premultiplied = compositing.premultiply(image, alpha)
            with timed("foreground: encode alpha"):
                alpha_png = encode.matte_png(alpha)
            with timed("trimap"):
                trimapper = trimap.Trimapper(alpha)
            with timed("row and JSON"):
                extent = trimap.person_extent(alpha)
            for composite in (c for c in plan.composites if c.foreground == identity):
                with timed("background: read"):
                    photo = inputs.background(backgrounds[composite.background])
                with timed("row and JSON"):
                    size = photo.shape[1], photo.shape[0]
                    row = sample_row(composite, record, extent, size, recipe.recipe)
                    document = sample_json(row)
                with timed("enlarge and blend"):
                    mixed = compositing.over_window(premultiplied, photo, placement_of(row))
                with timed("encode image"):
                    image_jpg = encode.jpeg(mixed)
                with timed("trimap"):
                    trimap_png = trimapper.png(radii_of(row))
                members = {"image.jpg": image_jpg, "alpha.png": alpha_png, "trimap.png": trimap_png, "json": document}
                with timed("hash and write"):
                    writer.add(composite.key, members)
    (out / "stages.tar").unlink()
    return seconds


def workers_rate(recipe: LoadedRecipe, plan: Plan, out: Path, workers: int) -> float:
    """Return shards a second of `workers` processes, between the first shard's end and the last's."""
    warm_up, rounds = 2 * workers, 4
    shards = [
        replace(shard, number=number)
        for number, shard in enumerate(
            shard
            for _ in range(rounds * workers + warm_up)
            for shard in plan_shards(Plan(plan.foregrounds, plan.backgrounds, plan.composites[:PER_FOREGROUND]))
        )
    ]
    inputs = SourceInputs(open_sources(recipe), ColourCache(out / ".work" / "colours"))
    place = open_storage(out / f"workers{workers}")
    place.write(MARK, b"")
    task = BuildShard(place, recipe.recipe, inputs)
    ends = [time.perf_counter() for _ in run(task, shards, workers)]
    return (len(ends) - warm_up) / (ends[-1] - ends[warm_up - 1])


def _remove_shards(out: Path) -> None:
    for split in ("train", "test"):
        shutil.rmtree(out / split, ignore_errors=True)


def _rebuild(recipe: LoadedRecipe, plan: Plan, out: Path) -> None:
    inputs = SourceInputs(open_sources(recipe), ColourCache(out / ".work" / "colours"))
    build_shards(recipe.recipe, open_storage(out), plan, inputs, 1)


def _by_foreground(plan: Plan) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for composite in plan.composites:
        grouped.setdefault(composite.foreground, []).append(composite.background)
    return grouped


def _in_turns(functions: Sequence[Callable[[], None]], repeats: int, before: Callable[[], None]) -> list[Timing]:
    """Run all, one after the other, `repeats` times; return the best of each. `before` each, untimed."""
    runs: list[list[Timing]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, times in zip(functions, runs, strict=True):
            before()
            clock, processor = time.perf_counter(), time.process_time()
            function()
            times.append(Timing(time.perf_counter() - clock, time.process_time() - processor))
    return [Timing(min(t.clock for t in times), min(t.processor for t in times)) for times in runs]


if __name__ == "__main__":
    main()
