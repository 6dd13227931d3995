"""``mattingdata filter``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .main import echo_json, echo_notes
from .options import FOLDER, json_option, recipe_argument, workers_option
from .terminal import say

if TYPE_CHECKING:
    from matting_data.recipes.recipe_file import LoadedRecipe


@click.command()
@recipe_argument
@click.option("--out", type=FOLDER, help="Where to write.  [default: out/<name of the recipe>-filter]")
@workers_option
@click.option("--examples", type=click.IntRange(1, 50), default=8, show_default=True, help="Pictures for each reason.")
@json_option
def filter(loaded: LoadedRecipe, out: Path | None, workers: int, examples: int, as_json: bool) -> None:
    """Judge the backgrounds of RECIPE alone: which are kept, which not, and why.

    Writes backgrounds.parquet, the ledger, filter.json and a contact sheet of each reason. Scores are kept, so another
    threshold on the same --out takes no new inference.
    """
    from matting_data.building.filter import SHEET, filter_backgrounds
    from matting_data.publishing.statistics import ledger_lines

    out = out or Path("out") / f"{loaded.recipe.name}-filter"
    result = filter_backgrounds(loaded, out, workers, examples)
    if as_json:
        echo_json({"out": str(out), **result.summary})
    else:
        for line in ledger_lines({"backgrounds": result.summary}):
            say(line.replace("written", "kept"))
        for stratum, count in result.summary["tiers"].items():
            say(f"  {stratum}: {count['kept']} of {count['found']} kept")
        echo_notes(result.summary["notes"])
        say(f"{out / SHEET} shows examples of each reason")
