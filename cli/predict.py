"""``mattingdata predict``."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from .main import echo_json
from .options import json_option, workers_option

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--method", required=True, type=click.Choice(["closed-form", "knn", "lbdm"]), help="Of pymatting.")
@click.option("--data", required=True, type=_PATH, help="Built dataset, or folder with image and trimap.")
@click.option("--split", default="test", show_default=True, help="Of a built dataset.")
@click.option("--image-folder", default="image", show_default=True, help="Below --data, where it is no built dataset.")
@click.option("--trimap-folder", default="trimap", show_default=True, help="Likewise.")
@click.option("--out", required=True, type=_PATH, help="Gets one PNG an image.")
@workers_option
@json_option
def predict(
    method: str,
    data: Path,
    split: str,
    image_folder: str,
    trimap_folder: str,
    out: Path,
    workers: int,
    as_json: bool,
) -> int:
    """Predict mattes for a test set from its images and trimaps, with a method that needs no training.

    Known pixels of the trimap stay as they are. Predictions are 8-bit gray PNGs named as the images; the same command
    continues an interrupted run, and --out of another method or test set is refused. Exits with 1 when any image
    could not be predicted.
    """
    from matting_data.evaluation import predict as predicting
    from matting_data.evaluation.data import open_test_set

    test_set = open_test_set(data, split, (image_folder, "", trimap_folder))
    results = predicting.predict(method, test_set, out, workers)
    count = Counter(result.outcome for result in results)
    if as_json:
        echo_json({"out": str(out), "outcomes": dict(count), "images": [asdict(result) for result in results]})
    else:
        parts = ", ".join(f"{count[outcome]} {outcome}" for outcome in ("written", "kept", "failed") if count[outcome])
        click.echo(f"{out}: {method} on {test_set.name}: {parts}")
        for result in [result for result in results if result.outcome == "failed"][:5]:
            click.echo(f"{result.key}: {result.reason}: {result.detail}")
    return 1 if count["failed"] else 0
