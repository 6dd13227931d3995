"""``mattingdata plan``."""

from __future__ import annotations

from pathlib import Path

import click

from .main import echo_json
from .options import json_option, out_option, recipe_argument, workers_option


@click.command()
@recipe_argument
@out_option
@workers_option
@json_option
def plan(recipe: Path | None, overrides: tuple[str, ...], out: Path | str | None, workers: int, as_json: bool) -> None:
    """Say what a build of RECIPE would make: counts, disk and time. Writes no dataset.

    Inputs are checked (and scored for humans) as in a build, and the results are kept in --out, so that the build
    need not do it again.
    """
    from matting_data.building.estimate import estimate
    from matting_data.recipes.recipe_file import load

    loaded = load(recipe, overrides)
    result = estimate(loaded, out or Path("out") / loaded.recipe.name, workers)
    if as_json:
        echo_json(result.as_mapping())
    else:
        for line in result.lines():
            click.echo(line)
