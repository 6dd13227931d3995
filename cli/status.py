"""``mattingdata status``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from matting_data.foreign_text import json_text

from .main import echo_result
from .options import dataset_place_argument, json_option
from .terminal import say


@click.command()
@dataset_place_argument
@click.option("--watch", "watching", is_flag=True, help="Look again until no build is at work on it.")
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True,
              help="Seconds between looks.")  # fmt: skip
@json_option
def status(dataset: Path | str, watching: bool, interval: float, as_json: bool) -> None:
    """Say how far DATASET is: complete, being built, or interrupted, with shards, rate, time left and failures.

    With --watch, a terminal shows the latest state in place; elsewhere a state is printed when it has changed, with
    --json as one document a line.
    """
    from matting_data.upkeep.status import status as read_status
    from matting_data.upkeep.status import watch

    if not watching:
        found = read_status(dataset)
        echo_result(as_json, asdict(found), found.lines())
        return
    shown: list[str] = []
    in_place = sys.stdout.isatty() and not as_json
    for found in watch(dataset, interval):
        lines = [json_text(asdict(found), None)] if as_json else found.lines()
        if lines == shown:
            continue
        if in_place and shown:  # up to the first line of the state before, and all below it cleared
            click.echo(f"\x1b[{len(shown)}A\x1b[J", nl=False)
        say(*lines)
        shown = lines
