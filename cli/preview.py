"""``mattingdata preview``."""

from __future__ import annotations

from pathlib import Path

import click

from .main import echo_result
from .options import FILE, dataset_argument, json_option


@click.command()
@dataset_argument
@click.option("--out", type=FILE, help="PNG to write.  [default: DATASET.png]")
@click.option("--samples", type=click.IntRange(1, 400), default=12, show_default=True)
@click.option("--split", type=click.Choice(["train", "test"]), help="Show this split only.")
@json_option
def preview(dataset: Path, out: Path | None, samples: int, split: str | None, as_json: bool) -> None:
    """Draw a contact sheet of DATASET: image, alpha and trimap of some samples, in one PNG."""
    from matting_data.reporting.contact_sheet import contact_sheet, write_sheet

    sheet = contact_sheet(dataset, samples, split)
    out = out or dataset.resolve().with_name(f"{dataset.resolve().name}.png")
    write_sheet(out, sheet)
    document = {"sheet": str(out), "width": sheet.shape[1], "height": sheet.shape[0]}
    echo_result(as_json, document, [f"contact sheet: {out}"])
