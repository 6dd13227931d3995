"""``mattingdata export``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .main import echo_json
from .options import dataset_argument, json_option

_FORMATS = ("hf-webdataset", "hf-imagefolder", "composition-1k", "coco", "mds")


@click.command()
@dataset_argument
@click.option("--to", "form", type=click.Choice(_FORMATS), required=True, help="Layout to write.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder to write.")
@click.option("--split", "splits", multiple=True, type=click.Choice(["train", "test"]),
              help="Export this split only. Repeatable.")  # fmt: skip
@click.option("--link", is_flag=True, help="Hard links instead of copies where bytes are the same.")
@click.option("--no-sources", is_flag=True,
              help="composition-1k: leave out fg and bg, which need the recipe's sources.")  # fmt: skip
@click.option("--base", type=click.Path(path_type=Path),
              help="Folder where the recipe's relative paths start, where .work is not at hand.")  # fmt: skip
@json_option
def export(
    dataset: Path,
    form: str,
    out: Path,
    splits: tuple[str, ...],
    link: bool,
    no_sources: bool,
    base: Path | None,
    as_json: bool,
) -> None:
    """Write DATASET in the layout of another tool.

    The folder appears when everything is in it, with a card that carries the licence terms.
    """
    from matting_data.exporting.export import Options
    from matting_data.exporting.export import export as run_export

    result = run_export(dataset, form, out, splits, Options(link, not no_sources), base)
    if as_json:
        echo_json({**asdict(result), "out": str(result.out)})
    else:
        linked = f", {result.linked} files linked" if result.linked else ""
        click.echo(
            f"{result.out}: {result.samples} samples as {result.format} in {result.files} files, "
            f"{result.bytes / 1e6:.1f} MB{linked}"
        )
