"""``mattingdata foregrounds``: check and render."""

from __future__ import annotations

from pathlib import Path

import click

from matting_data.cli.main import echo_json
from matting_data.cli.options import json_option, out_option, recipe_argument, workers_option


@click.group()
def foregrounds() -> None:
    """Look after the people: check what a recipe finds, render synthetic ones."""


@foregrounds.command()
@recipe_argument
@out_option
@workers_option
@json_option
def check(recipe: Path | None, overrides: tuple[str, ...], out: Path | None, workers: int, as_json: bool) -> int:
    """Check the foregrounds of RECIPE only, and say what would be rejected and why.

    Exits with 1 when any is rejected. Results are kept in --out for the build.
    """
    from matting_data.building.foregrounds import check_foregrounds
    from matting_data.recipe_file import load

    loaded = load(recipe, overrides)
    report = check_foregrounds(loaded, out or Path("out") / loaded.recipe.name, workers)
    if as_json:
        echo_json(report.as_mapping())
    else:
        for line in report.lines():
            click.echo(line)
    return 1 if report.rejected else 0
