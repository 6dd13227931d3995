"""``mattingdata materialize``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .main import echo_result
from .options import PLACE, dataset_place_argument, executor_options, json_option, workers_option

if TYPE_CHECKING:
    from matting_data.running.executor import Workers


@click.command()
@dataset_place_argument
@click.option("--out", type=PLACE, required=True, help="Folder or URL for the composites.")
@workers_option
@executor_options
@json_option
def materialize(dataset: Path | str, out: Path | str, workers: Workers, as_json: bool) -> int:
    """Make composites of DATASET, a store of layers, without its sources.

    The result is what a build with 'store: {kind: composites}' makes, to the byte. The same command on the same folder
    continues.
    """
    from matting_data.building.materialize import materialize as run_materialize

    started = time.monotonic()
    result = run_materialize(dataset, out, workers)
    seconds, index = time.monotonic() - started, result.index
    samples = sum(split["num_samples"] for split in index["splits"].values())
    lines = [f"{out}: {samples} composites ({seconds:.1f} s)", f"content {index['content_sha256']}"]
    echo_result(as_json, {"out": str(out), "seconds": round(seconds, 2), **index}, lines)
    return 1 if result.failed else 0
