"""``mattingdata status``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .main import echo_json
from .options import dataset_argument, json_option


@click.command()
@dataset_argument
@json_option
def status(dataset: Path, as_json: bool) -> None:
    """Say how far DATASET is: complete, being built, or interrupted, with shards and composites done."""
    from matting_data.building.status import status as read_status

    found = read_status(dataset)
    if as_json:
        echo_json(asdict(found))
    else:
        for line in found.lines():
            click.echo(line)
