"""Time per composite of a build, over the codec floor, beside a plain script doing what DIM's script does.

    python -m benchmarks.composite [--foregrounds 6] [--json]

Everything runs in one process and one thread, on the same files: foregrounds of 1366×1024 (1.40 megapixels), ten
backgrounds each, of OpenImages' size. The codec floor is what no builder can avoid, with libjpeg-turbo: decode each
background, encode each image, and once per foreground decode it and encode its alpha. The build is the real one
(shards, manifests, trimaps, hashes and fsync included), after its inputs were checked and foreground colours
estimated. The peer opens each foreground once, then for each background decodes, enlarges, blends in NumPy and saves
with Pillow; it makes no trimap, no shard and no manifest.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from benchmarks.inputs import write_backgrounds, write_foregrounds
from matting_data.building.build import build, saved_plan
from matting_data.building.make_shards import build_shards
from matting_data.building.shard_job import SourceInputs
from matting_data.imaging import composite as compositing
from matting_data.imaging import encode, geometry, trimap
from matting_data.planning.plan import Plan
from matting_data.recipe_file import LoadedRecipe, validate
from matting_data.sources.backgrounds import background_file
from matting_data.sources.colours import ColourCache
from matting_data.sources.files import read_input
from matting_data.sources.foregrounds import foreground_files

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
        recipe = _recipe(work)
        out = work / "out"
        build(recipe, out, 1)
        plan = saved_plan(out)
        count = len(plan.composites)
        floor = _best(lambda: codec_floor(recipe, plan), options.repeats) / count
        ours = _best(lambda: _rebuild(recipe, plan, out), options.repeats) / count
        stages = {name: seconds / count for name, seconds in stage_seconds(recipe, plan, out).items()}
        few = Plan(plan.foregrounds, plan.backgrounds, plan.composites[: 2 * PER_FOREGROUND])
        peers = {kind: plain_script(recipe, few, work / kind, kind) / len(few.composites) for kind in ("png", "jpg")}
    figures = {
        "composites": count,
        "megapixels": round(SIZE[0] * SIZE[1] / 1e6, 2),
        "floor_ms": round(floor * 1e3, 2),
        "build_ms": round(ours * 1e3, 2),
        "build_over_floor": round(ours / floor, 2),
        "plain_png_over_build": round(peers["png"] / ours, 1),
        "plain_jpeg_over_build": round(peers["jpg"] / ours, 1),
        "stages_ms": {name: round(seconds * 1e3, 2) for name, seconds in stages.items()},
    }
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{count} composites of {figures['megapixels']} megapixels, one process, one thread")
    print(f"codec floor          {figures['floor_ms']:8.2f} ms a composite")
    print(f"build                {figures['build_ms']:8.2f} ms   {figures['build_over_floor']:.2f} × the floor")
    print(f"plain script, PNG    {peers['png'] * 1e3:8.2f} ms   {figures['plain_png_over_build']:.1f} × the build")
    print(f"plain script, JPEG   {peers['jpg'] * 1e3:8.2f} ms   {figures['plain_jpeg_over_build']:.1f} × the build")
    print("stages of the build, measured apart:")
    for name, seconds in stages.items():
        print(f"  {name:28s}{seconds * 1e3:8.2f} ms")


def codec_floor(recipe: LoadedRecipe, plan: Plan) -> None:
    """Decode and encode what no builder can avoid, with no pixel work at all."""
    foregrounds = {record.id: record for record in plan.foregrounds}
    backgrounds = {record.id: record for record in plan.backgrounds}
    for identity, composites in _by_foreground(plan).items():
        image_path, alpha_path = foreground_files(recipe, foregrounds[identity])
        assert alpha_path is not None
        image = simplejpeg.decode_jpeg(image_path.read_bytes())
        alpha = cv2.imdecode(np.frombuffer(alpha_path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
        encode.matte_png(np.asarray(alpha, dtype=np.uint8))
        for background in composites:
            simplejpeg.decode_jpeg(read_input(background_file(recipe, backgrounds[background])))
            encode.jpeg(image)


def plain_script(recipe: LoadedRecipe, plan: Plan, folder: Path, kind: str) -> float:
    """Composite as DIM's script does, vectorised with NumPy; return the seconds it took."""
    folder.mkdir()
    foregrounds = {record.id: record for record in plan.foregrounds}
    backgrounds = {record.id: record for record in plan.backgrounds}
    started = time.perf_counter()
    for identity, composites in _by_foreground(plan).items():
        image_path, alpha_path = foreground_files(recipe, foregrounds[identity])
        assert alpha_path is not None
        image = np.array(Image.open(image_path).convert("RGB"))
        alpha = np.array(Image.open(alpha_path).convert("L"))[..., None] / 255
        height, width = alpha.shape[:2]
        for number, background in enumerate(composites):
            photo = Image.open(io.BytesIO(read_input(background_file(recipe, backgrounds[background])))).convert("RGB")
            ratio = max(width / photo.width, height / photo.height)
            if ratio > 1:
                size = (int(np.ceil(photo.width * ratio)), int(np.ceil(photo.height * ratio)))
                photo = photo.resize(size, Image.Resampling.BICUBIC)
            behind = np.array(photo)[:height, :width]
            mixed = (alpha * image + (1 - alpha) * behind).astype(np.uint8)
            settings: dict[str, Any] = {"quality": 95, "subsampling": 0} if kind == "jpg" else {}
            Image.fromarray(mixed).save(folder / f"{identity}_{number}.{kind}", **settings)
    return time.perf_counter() - started


def stage_seconds(recipe: LoadedRecipe, plan: Plan, out: Path) -> dict[str, float]:
    """Time the build's stages one by one, on all composites."""
    inputs = SourceInputs(recipe, ColourCache(out / ".work" / "colours"))
    foregrounds = {record.id: record for record in plan.foregrounds}
    backgrounds = {record.id: record for record in plan.backgrounds}
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started

    for identity in _by_foreground(plan):
        with timed("foreground: read and clean"):
            image, alpha = inputs.foreground(foregrounds[identity])
        with timed("foreground: premultiply"):
            premultiplied = compositing.premultiply(image, alpha)
        with timed("foreground: encode alpha"):
            encode.matte_png(alpha)
        with timed("trimap"):
            trimapper = trimap.Trimapper(alpha)
        for composite in (c for c in plan.composites if c.foreground == identity):
            with timed("background: read"):
                photo = inputs.background(backgrounds[composite.background])
            with timed("background: enlarge, cut"):
                canvas = geometry.cut(photo, geometry.place(SIZE, (photo.shape[1], photo.shape[0])), SIZE)
            with timed("blend"):
                mixed = compositing.over(premultiplied, canvas)
            with timed("encode image"):
                encode.jpeg(mixed)
            with timed("trimap"):
                drawn = trimapper.draw(trimap.dim_radii((1, 30), np.random.default_rng(composite.seed)))
            with timed("encode trimap"):
                encode.matte_png(drawn)
    return seconds


def _rebuild(recipe: LoadedRecipe, plan: Plan, out: Path) -> None:
    for split in ("train", "test"):
        shutil.rmtree(out / split, ignore_errors=True)
    build_shards(recipe, out, plan, SourceInputs(recipe, ColourCache(out / ".work" / "colours")), 1)


def _by_foreground(plan: Plan) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for composite in plan.composites:
        grouped.setdefault(composite.foreground, []).append(composite.background)
    return grouped


def _best(function: Callable[[], None], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def _recipe(work: Path) -> LoadedRecipe:
    document = {
        "name": "benchmark",
        "foregrounds": {
            "sources": [{"layout": "pairs", "name": "people", "image": "people/image", "alpha": "people/alpha"}],
            "split": {"test": 0},
            "duplicate_distance": -1,
        },
        "backgrounds": {
            "sources": [{"layout": "folder", "name": "photos", "root": "photos"}],
            "humans": {"detector": "none"},
            "duplicate_distance": -1,
        },
        "composites": {"per_foreground": PER_FOREGROUND},
    }
    return LoadedRecipe(validate(document), work)


if __name__ == "__main__":
    main()
