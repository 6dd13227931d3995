"""``mattingdata materialize``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from .main import echo_json
from .options import PLACE, dataset_place_argument, executor_options, json_option, where_to_run, workers_option


@click.command()
@dataset_place_argument
@click.option("--out", type=PLACE, required=True, help="Folder or URL for the composites.")
@workers_option
@executor_options
@json_option
def materialize(
    dataset: Path | str, out: Path | str, workers: int, executor: str, ray_address: str | None, as_json: bool
) -> int:
    """Make composites of DATASET, a store of layers, without its sources.

    The result is what a build with 'store: {kind: composites}' makes, to the byte. The same command on the same folder
    continues.
    """
    from matting_data.building.materialize import materialize as run_materialize

    started = time.monotonic()
    result = run_materialize(dataset, out, where_to_run(workers, executor, ray_address))
    index = result.index
    if as_json:
        echo_json({"out": str(out), "seconds": round(time.monotonic() - started, 2), **index})
    else:
        samples = sum(split["num_samples"] for split in index["splits"].values())
        click.echo(f"{out}: {samples} composites ({time.monotonic() - started:.1f} s)")
        click.echo(f"content {index['content_sha256']}")
    return 1 if result.failed else 0
