"""``mattingdata repair``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .main import echo_json
from .options import dataset_place_argument, json_option, workers_option


@click.command()
@dataset_place_argument
@click.option("--base", type=click.Path(path_type=Path),
              help="Folder where the recipe's relative paths start, where .work is not at hand.")  # fmt: skip
@workers_option
@json_option
def repair(dataset: Path | str, base: Path | None, workers: int, as_json: bool) -> int:
    """Restore the damaged and missing files of DATASET, to the same bytes, from its plan and its sources.

    What is sound is not touched, and neither is what cannot be restored. Exits with 1 when something stays damaged.
    """
    from matting_data.upkeep.repair import repair as run_repair

    result = run_repair(dataset, base, workers)
    if as_json:
        echo_json(asdict(result))
    else:
        for name in result.repaired:
            click.echo(f"{name}: restored")
        for problem in result.problems:
            click.echo(f"{problem.file}: {problem.what}")
        state = f"{len(result.problems)} problems stay" if result.problems else "sound"
        click.echo(f"{dataset}: {len(result.repaired)} files restored, {state}")
    return 1 if result.problems else 0
