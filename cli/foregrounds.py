"""``mattingdata foregrounds``: check and render."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .groups import SuggestingGroup
from .main import echo_json, echo_result
from .options import PATH, json_option, recipe_options
from .terminal import say

if TYPE_CHECKING:
    from matting_data.recipes.recipe_file import LoadedRecipe


@click.group(cls=SuggestingGroup)
def foregrounds() -> None:
    """Look after the people: check what a recipe finds, render synthetic ones."""


@foregrounds.command(short_help="Say which foregrounds would be rejected, and why.")
@recipe_options
@json_option
def check(loaded: LoadedRecipe, out: Path | str, workers: int, as_json: bool) -> int:
    """Check the foregrounds of RECIPE only, and say what would be rejected and why.

    Exits with 1 when any is rejected. Results are kept in --out for the build.
    """
    from matting_data.scanning.foreground_report import check_foregrounds

    report = check_foregrounds(loaded, out, workers)
    echo_result(as_json, report.as_mapping(), report.lines())
    return 1 if report.rejected else 0


@foregrounds.command(short_help="Render people with exact mattes into a folder.")
@click.argument("out", type=PATH)
@click.option("--count", type=click.IntRange(1), default=12, show_default=True, help="Pictures to render.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed, other people.")
@click.option("--sample", is_flag=True, help="Render the bundled twelve instead of random ones.")
@click.option("--size", type=(int, int), help="Width and height; default is each picture's own.")
@click.option("--samples", type=click.IntRange(1, 65536), default=64, show_default=True, help="Rays a pixel.")
@json_option
def render(
    out: Path, count: int, seed: int, sample: bool, size: tuple[int, int] | None, samples: int, as_json: bool
) -> None:
    """Render people with exact mattes into OUT: RGBA PNGs and people.csv, ready for a recipe (layout rgba).

    Needs the extra 'people'. About half a minute a picture on two cores.
    """
    from matting_data.people import random_specs, render_people, sample_specs, write_csv
    from matting_data.running.progress import bar

    specs = sample_specs() if sample else random_specs(count, seed)
    width, height = size or (None, None)
    with bar(len(specs), "rendering", "pictures") as progress:
        paths = render_people(
            out, specs, width=width, height=height, samples=samples, progress=lambda *_: progress.update(1)
        )
    table = write_csv(out, specs)
    if as_json:
        echo_json({"files": [str(path) for path in paths], "metadata": str(table)})
    else:
        say(f"{out}: {len(paths)} people; recipe: {{layout: rgba, root: {out}, metadata: {table}}}")
