"""``mattingdata card``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from .main import echo_result
from .options import dataset_place_argument, json_option


@click.command()
@dataset_place_argument
@click.option("--url", help="Where the dataset can be had.")
@click.option("--creator", help="Who publishes it.")
@click.option("--date", metavar="YYYY-MM-DD", help="Day of publication.")
@json_option
def card(dataset: Path | str, url: str | None, creator: str | None, date: str | None, as_json: bool) -> None:
    """Write README.md, croissant.json and _info.json of DATASET anew, for instance after an audit.

    Their hashes go into dataset.json. What --url, --creator and --date said stays until they say something else.
    """
    from matting_data.publishing.publication import rewrite, said_before

    given = {name: value for name, value in (("url", url), ("creator", creator), ("date", date)) if value is not None}
    written = rewrite(dataset, replace(said_before(dataset), **given))
    echo_result(as_json, {"dataset": str(dataset), "files": written}, (f"{dataset}/{name}" for name in written))
