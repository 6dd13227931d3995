"""``mattingdata eval``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .main import echo_result
from .options import (
    PATH,
    TestSetOptions,
    device_option,
    gathered,
    json_option,
    short_side_option,
    test_set_options,
    workers_option,
)

if TYPE_CHECKING:
    from matting_data.evaluation.evaluate import Evaluation
    from matting_data.evaluation.test_sets import EvaluationSet
    from matting_data.predicting.refinements import Refinements


@dataclass(frozen=True)
class _NetworkOptions:
    """What only the evaluation of a network takes."""

    checkpoint: Path | None
    refinements: int
    sizes: tuple[str, ...]
    short_side: int | None
    pictures: int
    device: str


@click.command("eval")
@gathered("network", _NetworkOptions)
@click.option("--predictions", type=PATH, help="Folder with one image of every matte.")
@click.option("--checkpoint", type=PATH, help="Instead: run of 'mattingdata train', or a file of weights.")
@test_set_options("Built dataset, or folder with image, alpha and trimap.", ("alpha", "trimap"), required=True)
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
@click.option("--refinements", type=click.IntRange(0, 20), default=5, show_default=True,
              help="With --checkpoint: score the mattes after 0 to this many.")  # fmt: skip
@click.option("--size", "sizes", type=click.Choice(["short_side", "native"]), multiple=True,
              default=("short_side", "native"), show_default=True,
              help="With --checkpoint: sizes at which the network sees the images. Repeatable.")  # fmt: skip
@short_side_option("With --checkpoint: to which images are scaled at short_side.")
@click.option("--pictures", type=click.IntRange(0), default=8, show_default=True,
              help="With --checkpoint: images in the sheet.")  # fmt: skip
@device_option("With --checkpoint: ")
@click.option("--out", type=PATH, help="Also write images.csv, summary.csv, evaluation.json, table.md and table.tex; "
              "with --checkpoint results.json, results.md and sheet.png.")  # fmt: skip
@workers_option
@json_option
def eval(
    predictions: Path | None,
    network: _NetworkOptions,
    test_set: TestSetOptions,
    seed: int,
    out: Path | None,
    workers: int,
    as_json: bool,
    **scoring: Any,
) -> int:
    """Score predicted mattes, or a trained network: MSE, MAD, SAD, gradient and connectivity error, 95 % intervals.

    A prediction is named as its image: KEY.png for a built dataset, the alpha's own path for folders; suffixes may
    differ. It is a gray image of 8 or 16 bits (16 are used in full), or one with an alpha channel, of the truth's size.

    \b
    another size   not scored, unless --resize (by area where it shrinks, else bilinear)
    missing        not scored, unless --missing black
    extra          left alone, and counted
    colours        not scored: three different channels are a picture, no matte
    no unknown     not scored where unknown pixels count, unless the repository of --like prints 0 for it

    A network (--checkpoint) is scored after every refinement and at both sizes, on floats; how many refinements are to
    be taken was chosen by its run on people held out of the training split, never here.

    Means are over images that were scored; intervals resample people, with all their composites. Exits with 1 when
    any image was not scored, and with 2 when none was.
    """  # noqa: D301 - click reads the backspace
    from matting_data.errors import UsageError

    result: Evaluation | Refinements
    if network.checkpoint is not None:
        if predictions is not None:
            raise UsageError("name --predictions or --checkpoint, not both")
        if given := [name for name, value in scoring.items() if value not in ("", False, "whole", "fail")]:
            raise UsageError(
                f"--{given[0]} goes with --predictions: write those of a network with 'mattingdata predict'"
            )
        result = _score_network(network, test_set.open("image", "alpha", "trimap"), seed)
    elif predictions is None:
        raise UsageError("name a folder of mattes with --predictions, or a network with --checkpoint")
    else:
        from matting_data.evaluation.evaluate import evaluate
        from matting_data.evaluation.scoring import ScoringOptions

        result = evaluate(predictions, test_set.open("alpha", "trimap"), ScoringOptions(**scoring), workers, seed)
    written = result.write(out) if out else []
    lines = result.lines()
    if written:
        lines.append(f"written: {', '.join(str(path) for path in written)}")
    echo_result(as_json, result.document(), lines)
    return 1 if result.failed else 0


def _score_network(options: _NetworkOptions, test_set: EvaluationSet, seed: int) -> Refinements:
    from matting_data.predicting.refinements import score_refinements
    from matting_data.predicting.trained_network import open_trained

    assert options.checkpoint is not None  # checked by the caller
    trained = open_trained(options.checkpoint, options.device, short_side=options.short_side)
    sizes: Any = options.sizes  # click holds them to the names of sizes
    return score_refinements(trained, test_set, options.refinements, sizes, options.pictures, seed)
