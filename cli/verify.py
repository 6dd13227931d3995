"""``mattingdata verify``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .main import echo_json
from .options import dataset_place_argument, executor_options, json_option, where_to_run, workers_option


@click.command()
@dataset_place_argument
@click.option("--quick", is_flag=True, help="Hash every file, but do not decode the samples.")
@click.option("--recompose", type=click.IntRange(0), default=16, show_default=True,
              help="Composites to make again from their sources and compare byte for byte.")  # fmt: skip
@click.option("--base", type=click.Path(path_type=Path),
              help="Folder where the recipe's relative paths start, where .work is not at hand.")  # fmt: skip
@workers_option
@executor_options
@json_option
def verify(
    dataset: Path | str,
    quick: bool,
    recompose: int,
    base: Path | None,
    workers: int,
    executor: str,
    ray_address: str | None,
    as_json: bool,
) -> int:
    """Check DATASET: hashes, counts, members, sizes, alpha against trimap, and some composites against their sources.

    Exits with 1 when anything is wrong.
    """
    from matting_data.upkeep.verify import verify as run_verify

    result = run_verify(dataset, not quick, recompose, base, where_to_run(workers, executor, ray_address))
    if as_json:
        echo_json(asdict(result))
    else:
        for problem in result.problems:
            click.echo(f"{problem.file}: {problem.what}")
        if result.problems:
            click.echo(f"'mattingdata repair {dataset}' restores what it can")
        state = f"{len(result.problems)} problems" if result.problems else "sound"
        click.echo(f"{dataset}: {result.samples} samples, {state}; {result.recomposed} recomposed from their sources")
        if result.skipped and recompose and not result.problems:
            click.echo(f"not all were recomposed: {result.skipped}")
    return 1 if result.problems else 0
