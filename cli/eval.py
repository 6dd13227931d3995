"""``mattingdata eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import json_option, workers_option

_PATH = click.Path(path_type=Path)


@click.command("eval")
@click.option("--predictions", required=True, type=_PATH, help="Folder with one image of every matte.")
@click.option("--data", required=True, type=_PATH, help="Built dataset, or folder with image, alpha and trimap.")
@click.option("--split", default="test", show_default=True, help="Of a built dataset.")
@click.option("--alpha-folder", default="alpha", show_default=True, help="Below --data, where it is no built dataset.")
@click.option("--trimap-folder", default="trimap", show_default=True, help="Likewise.")
@click.option("--region", type=click.Choice(["whole", "unknown"]), default="whole", show_default=True,
              help="Pixels that count: all, or those where the trimap is 128.")  # fmt: skip
@click.option("--paste", is_flag=True, help="Set the trimap's known pixels in the predictions first.")
@click.option("--like", default="", metavar="NAME",
              help="Score as a known repository does, in its scale: matlab, mmagic, mmagic-script, paddleseg, gca, "
              "gfm, p3m-trimap, indexnet, lsa, rvm; or mgm, mam, sdmatte, p3m, aim, sghm, dim.")  # fmt: skip
@click.option("--resize", is_flag=True, help="Bring predictions of another size to the truth's.")
@click.option("--missing", type=click.Choice(["fail", "black"]), default="fail", show_default=True,
              help="Leave missing predictions out, or score them as all background.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap intervals.")
@click.option("--out", type=_PATH, help="Also write images.csv, summary.csv, evaluation.json, table.md and table.tex.")
@workers_option
@json_option
def eval(
    predictions: Path,
    data: Path,
    split: str,
    alpha_folder: str,
    trimap_folder: str,
    seed: int,
    out: Path | None,
    workers: int,
    as_json: bool,
    **options: Any,
) -> int:
    """Score predicted mattes: MSE, MAD, SAD, gradient and connectivity error, with 95 % intervals.

    A prediction is named as its image: KEY.png for a built dataset, the alpha's own path for folders; suffixes may
    differ. It is a gray image of 8 or 16 bits (16 are used in full), or one with an alpha channel, of the truth's size.

    \b
    another size   not scored, unless --resize (by area where it shrinks, else bilinear)
    missing        not scored, unless --missing black
    extra          left alone, and counted
    colours        not scored: three different channels are a picture, no matte
    no unknown     not scored where unknown pixels count, unless the repository of --like prints 0 for it

    Means are over images that were scored; intervals resample people, with all their composites. Exits with 1 when
    any image was not scored, and with 2 when none was.
    """  # noqa: D301 - click reads the backspace
    from matting_data.evaluation.data import open_test_set
    from matting_data.evaluation.evaluate import evaluate
    from matting_data.evaluation.scoring import ScoringOptions

    test_set = open_test_set(data, split, ("", alpha_folder, trimap_folder))
    result = evaluate(predictions, test_set, ScoringOptions(**options), workers, seed)
    written = result.write(out) if out else []
    if as_json:
        click.echo(result.json())
    else:
        for line in result.lines():
            click.echo(line)
        if written:
            click.echo(f"written: {', '.join(str(path) for path in written)}")
    return 1 if result.failed else 0
