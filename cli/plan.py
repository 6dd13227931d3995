"""``mattingdata plan``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .main import echo_result
from .options import json_option, recipe_options

if TYPE_CHECKING:
    from matting_data.recipes.recipe_file import LoadedRecipe


@click.command()
@recipe_options
@click.option("--append", is_flag=True, help="Plan what 'build --append' would add to the dataset in --out.")
@json_option
def plan(loaded: LoadedRecipe, out: Path | str, workers: int, append: bool, as_json: bool) -> None:
    """Say what a build of RECIPE would make: counts, disk and time. Writes no dataset.

    Inputs are checked (and scored for humans) as in a build, and the results are kept in --out, so that the build
    need not do it again. What a build into --out would refuse is refused here.
    """
    from matting_data.building.estimate import estimate

    result = estimate(loaded, out, workers, append)
    echo_result(as_json, asdict(result), result.lines())
