"""``mattingdata predict``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .main import echo_result
from .options import (
    PATH,
    TestSetOptions,
    device_option,
    json_option,
    short_side_option,
    test_set_options,
    workers_option,
)

if TYPE_CHECKING:
    from matting_data.predicting.classical import Prediction


@click.command()
@click.argument("images", nargs=-1, type=PATH)
@click.option("--checkpoint", type=PATH, help="Run of 'mattingdata train', or a file of weights.")
@click.option(
    "--method", type=click.Choice(["closed-form", "knn", "lbdm"]), help="Of pymatting, instead; needs --data."
)
@test_set_options(
    "Instead of IMAGES: built dataset, or folder with image and trimap.", ("image", "trimap"), required=False
)
@click.option("--out", required=True, type=PATH, help="Gets one PNG an image.")
@click.option("--alpha", "kind", flag_value="alpha", default="alpha", help="Write mattes, 8-bit gray.  [default]")
@click.option(
    "--cutout", "kind", flag_value="cutout", help="Write people as RGBA, with their own colour at soft edges."
)
@click.option("--background", type=PATH, help="Write people before this photograph.")
@click.option("--refinements", type=click.IntRange(0, 20), help="Of SAFE-Net.  [default: what the run chose]")
@short_side_option("To which images are scaled.")
@click.option("--native", is_flag=True, help="Show the network the images at their own size.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Images of one size at a time.")
@device_option()
@workers_option
@json_option
def predict(
    images: tuple[Path, ...],
    checkpoint: Path | None,
    method: str | None,
    test_set: TestSetOptions,
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
    if bool(images) == (test_set.data is not None):
        raise UsageError("name images, or a test set with --data")
    if method is not None:
        if images:
            raise UsageError(f"--method {method} needs trimaps: name a test set with --data")
        if options["background"] or options["kind"] != "alpha":
            raise UsageError("--cutout and --background need --checkpoint")
        from matting_data.predicting import classical

        data = test_set.open("image", "trimap")
        return _say(classical.predict(method, data, out, workers), out, f"{method} on {data.name}", as_json)
    from matting_data.predicting import predict_trained
    from matting_data.predicting.trained_network import open_trained

    background = options["background"]
    wanted = predict_trained.Wanted(
        kind="background" if background else options["kind"],
        background=predict_trained.read_background(background) if background else None,
        size="native" if options["native"] else "short_side",
        batch=options["batch"],
    )
    assert checkpoint is not None  # there is no method
    trained = open_trained(checkpoint, options["device"], options["refinements"], options["short_side"])
    if images:
        return _say(predict_trained.predict_images(trained, images, out, wanted), out, str(checkpoint), as_json)
    data = test_set.open("image")
    return _say(predict_trained.predict_set(trained, data, out, wanted), out, f"{checkpoint} on {data.name}", as_json)


def _say(results: Sequence[Prediction], out: Path, what: str, as_json: bool) -> int:
    count = Counter(result.outcome for result in results)
    parts = ", ".join(f"{count[outcome]} {outcome}" for outcome in ("written", "kept", "failed") if count[outcome])
    failed = [result for result in results if result.outcome == "failed"]
    lines = [f"{out}: {what}: {parts}", *(f"{each.key}: {each.reason}: {each.detail}" for each in failed[:5])]
    document = {"out": str(out), "outcomes": dict(count), "images": [asdict(result) for result in results]}
    echo_result(as_json, document, lines)
    return 1 if failed else 0
