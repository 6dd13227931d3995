"""``mattingdata stats``."""

from __future__ import annotations

from pathlib import Path

import click

from .main import echo_json
from .options import dataset_place_argument, json_option


@click.command()
@dataset_place_argument
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Also draw the distributions to this PNG."
)
@json_option
def stats(dataset: Path | str, plot: Path | None, as_json: bool) -> None:
    """Count DATASET by split and subset, with sizes, alpha coverage and the ledger."""
    from matting_data.publishing import statistics

    found = statistics.read_statistics(dataset)
    if plot:
        from matting_data.reporting.plots import draw

        draw(found, plot)
    if as_json:
        echo_json(found.as_mapping())
    else:
        for line in found.lines():
            click.echo(line)
        if plot:
            click.echo(f"plot: {plot}")
