"""``mattingdata stats``."""

from __future__ import annotations

from pathlib import Path

import click

from .main import echo_result
from .options import FILE, dataset_place_argument, json_option


@click.command()
@dataset_place_argument
@click.option("--plot", type=FILE, help="Also draw the distributions to this PNG.")
@json_option
def stats(dataset: Path | str, plot: Path | None, as_json: bool) -> None:
    """Count DATASET by split and subset, with sizes, alpha coverage and the ledger."""
    from matting_data.publishing import statistics

    found = statistics.read_statistics(dataset)
    if plot:
        from matting_data.reporting.plots import draw

        draw(found, plot)
    echo_result(as_json, found.as_mapping(), [*found.lines(), *([f"plot: {plot}"] if plot else [])])
