"""``mattingdata predict``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .main import echo_json
from .options import json_option, workers_option

if TYPE_CHECKING:
    from matting_data.predicting.classical import Prediction

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("images", nargs=-1, type=_PATH)
@click.option("--checkpoint", type=_PATH, help="Run of 'mattingdata train', or a file of weights.")
@click.option(
    "--method", type=click.Choice(["closed-form", "knn", "lbdm"]), help="Of pymatting, instead; needs --data."
)
@click.option("--data", type=_PATH, help="Instead of IMAGES: built dataset, or folder with image and trimap.")
@click.option("--split", default="test", show_default=True, help="Of a built dataset.")
@click.option("--image-folder", default="image", show_default=True, help="Below --data, where it is no built dataset.")
@click.option("--trimap-folder", default="trimap", show_default=True, help="Likewise.")
@click.option("--out", required=True, type=_PATH, help="Gets one PNG an image.")
@click.option("--alpha", "kind", flag_value="alpha", default="alpha", help="Write mattes, 8-bit gray.  [default]")
@click.option(
    "--cutout", "kind", flag_value="cutout", help="Write people as RGBA, with their own colour at soft edges."
)
@click.option("--background", type=_PATH, help="Write people before this photograph.")
@click.option("--refinements", type=click.IntRange(0, 20), help="Of SAFE-Net.  [default: what the run chose]")
@click.option(
    "--short-side", type=click.IntRange(64), help="To which images are scaled.  [default: the training crops']"
)
@click.option("--native", is_flag=True, help="Show the network the images at their own size.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Images of one size at a time.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@workers_option
@json_option
def predict(
    images: tuple[Path, ...],
    checkpoint: Path | None,
    method: str | None,
    data: Path | None,
    split: str,
    image_folder: str,
    trimap_folder: str,
    out: Path,
    workers: int,
    as_json: bool,
    **options: Any,
) -> int:
    """Predict mattes with a trained network, or with a method that needs none.

    \b
    mattingdata predict PHOTO.jpg FOLDER --checkpoint RUN --out mattes [--cutout | --background BEACH.jpg]
    mattingdata predict --data out/sample --checkpoint RUN --out mattes
    mattingdata predict --data out/sample --method closed-form --out mattes

    IMAGES are files and folders. Results are PNGs named as the images. With --data the same command continues an
    interrupted run, and --out of another network, method or test set is refused. Classic methods need trimaps and
    leave their known pixels as they are. Exits with 1 when any image could not be predicted.
    """  # noqa: D301 - click reads the backspace
    from matting_data.errors import UsageError

    if (checkpoint is None) == (method is None):
        raise UsageError("name a network with --checkpoint, or a classic method with --method")
    if bool(images) == (data is not None):
        raise UsageError("name images, or a test set with --data")
    if method is not None:
        if data is None:
            raise UsageError(f"--method {method} needs trimaps: name a test set with --data")
        if options["background"] or options["kind"] != "alpha":
            raise UsageError("--cutout and --background need --checkpoint")
        from matting_data.evaluation.test_sets import open_test_set
        from matting_data.predicting import classical

        test_set = open_test_set(data, split, (image_folder, "", trimap_folder))
        return _say(classical.predict(method, test_set, out, workers), out, f"{method} on {test_set.name}", as_json)
    from matting_data.evaluation.test_sets import open_test_set
    from matting_data.predicting import predict_trained
    from matting_data.predicting.trained_network import open_trained

    background = options["background"]
    wanted = predict_trained.Wanted(
        kind="background" if background else options["kind"],
        background=predict_trained.read_background(background) if background else None,
        iterations=options["refinements"],
        size="native" if options["native"] else "short_side",
        short_side=options["short_side"],
        batch=options["batch"],
    )
    trained = open_trained(checkpoint, options["device"])  # type: ignore[arg-type]
    if data is None:
        return _say(predict_trained.predict_images(trained, images, out, wanted), out, str(checkpoint), as_json)
    test_set = open_test_set(data, split, (image_folder, "", ""))
    found = predict_trained.predict_set(trained, test_set, out, wanted)
    return _say(found, out, f"{checkpoint} on {test_set.name}", as_json)


def _say(results: Sequence[Prediction], out: Path, what: str, as_json: bool) -> int:
    count = Counter(result.outcome for result in results)
    if as_json:
        echo_json({"out": str(out), "outcomes": dict(count), "images": [asdict(result) for result in results]})
    else:
        parts = ", ".join(f"{count[outcome]} {outcome}" for outcome in ("written", "kept", "failed") if count[outcome])
        click.echo(f"{out}: {what}: {parts}")
        for result in [result for result in results if result.outcome == "failed"][:5]:
            click.echo(f"{result.key}: {result.reason}: {result.detail}")
    return 1 if count["failed"] else 0
