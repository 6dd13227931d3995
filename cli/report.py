"""``mattingdata report``."""

from __future__ import annotations

from pathlib import Path

import click

from .main import echo_result
from .options import FILE, dataset_argument, json_option


@click.command()
@dataset_argument
@click.option("--out", type=FILE, help="HTML to write.  [default: DATASET.html]")
@click.option("--samples", type=click.IntRange(1, 400), default=24, show_default=True, help="On the contact sheet.")
@json_option
def report(dataset: Path, out: Path | None, samples: int, as_json: bool) -> None:
    """Write a first look at DATASET as one HTML file that needs nothing beside it.

    Contact sheet, distributions, ledger, the filter's verdicts, decisions of people, and licences.
    """
    from matting_data.reporting.report import write_report

    out = out or dataset.resolve().with_name(f"{dataset.resolve().name}.html")
    size = write_report(dataset, out, samples)
    echo_result(as_json, {"report": str(out), "bytes": size}, [f"report: {out} ({size / 1e6:.1f} MB)"])
