"""Memory and time of a plan: what a build holds before the first shard.

    python -m benchmarks.plan_size [--composites 100000 1000000] [--same-person-distance 0]

Records are synthetic (random fingerprints, no files), one foreground for ten composites and two backgrounds for each
foreground. Each size runs in a process of its own. Printed are the seconds of each step and the peak memory after it,
and the ratio of the whole to the floor of the same run: writing and reading back a table of as many rows.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.process_figures import peak_mib
from matting_data.planning.plan import make_plan
from matting_data.recipes.recipe_file import LoadedRecipe, validate
from matting_data.records.checked import CheckedBackground, CheckedForeground
from matting_data.records.planned import PlannedComposite
from matting_data.records.tables import read_table, write_table
from matting_data.rendering.make_shards import plan_shards
from matting_data.storage import open_storage
from matting_data.workspace.plan_tables import save_plan, saved_plan

PER_FOREGROUND = 10

Result = TypeVar("Result")


def foreground(number: int) -> CheckedForeground:
    """Return a checked foreground that exists in no file."""
    digest = hashlib.sha256(f"foreground {number}".encode()).hexdigest()
    return CheckedForeground(
        f"people-{number:08d}", "people", f"{number:08d}.jpg", f"{number:08d}.png", image_sha256=digest,
        alpha_sha256=digest, width=900, height=800, colour="as_is", fingerprint=digest, x0=0, y0=0, x1=900, y1=800,
        coverage=0.5, soft=0.1,
    )  # fmt: skip


def background(number: int) -> CheckedBackground:
    """Return a checked background that exists in no file."""
    digest = hashlib.sha256(f"background {number}".encode()).hexdigest()
    return CheckedBackground(
        f"photos-{number:08d}", "photos", f"{number:08d}.jpg", sha256=digest, format="JPEG", mode="RGB", orientation=1,
        width=1024, height=768, fingerprint=digest,
    )  # fmt: skip


def measure(composites: int, same_person_distance: int) -> None:
    """Plan, save and read back; print a line for each step."""
    document = {
        "name": "plan-size",
        "foregrounds": {
            "sources": [{"layout": "rgba", "root": "people"}],
            "split": {"test": 0.05},
            "same_person_distance": same_person_distance,
        },
        "backgrounds": {"sources": [{"layout": "folder", "root": "photos"}], "humans": {"detector": "none"}},
        "composites": {"per_foreground": PER_FOREGROUND},
    }
    recipe = LoadedRecipe(validate(document), Path())
    print(f"{composites} composites, same_person_distance {same_person_distance}")
    count = composites // PER_FOREGROUND
    people = _step("records of the inputs", lambda: [foreground(number) for number in range(count)])
    photos = _step("", lambda: [background(number) for number in range(2 * count)])
    started = time.perf_counter()
    plan = _step("make_plan", lambda: make_plan(people, photos, recipe.recipe))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        _step("save its tables", lambda: save_plan(open_storage(out), plan, recipe.recipe))
        _step("read them back", lambda: saved_plan(out))
        _step("lay it into shards", lambda: plan_shards(plan))
        whole = time.perf_counter() - started
        size = sum(path.stat().st_size for path in out.iterdir())
        started = time.perf_counter()
        write_table(out / "floor.parquet", plan.composites, PlannedComposite)
        read_table(out / "floor.parquet", PlannedComposite)
        floor = time.perf_counter() - started
    print(f"  tables on disk {size / 1e6:.1f} MB; whole {whole:.1f} s, {whole / floor:.1f} × writing and reading rows")


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--composites", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--same-person-distance", type=int, default=0, help="above 0, all pairs are compared")
    options = parser.parse_args()
    for composites in options.composites:
        arguments = (composites, options.same_person_distance)
        process = multiprocessing.get_context("spawn").Process(target=measure, args=arguments)
        process.start()
        process.join()


def _step(name: str, do: Callable[[], Result]) -> Result:
    started = time.perf_counter()
    result = do()
    peak = peak_mib()
    if name:
        print(f"  {name:24s}{time.perf_counter() - started:8.1f} s, peak {peak:6.0f} MiB", flush=True)
    return result


if __name__ == "__main__":
    main()
