"""Mattes, cut-outs and composites of a trained network: for a test set, or for any photographs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput, UsageError, at
from matting_data.evaluation.test_sets import EvaluationSet, Item, image_of, images_by_key
from matting_data.imaging.cutout import cut_out, put_before
from matting_data.imaging.encode import matte_png, png
from matting_data.networks.safenet.any_size import Mattes, Size, TooLarge, network_size, predict_batch
from matting_data.predicting.classical import Prediction, claim
from matting_data.predicting.trained_network import Trained
from matting_data.running.progress import bar
from matting_data.sources.inputs import read_input
from matting_data.storage.atomic import write_bytes

Kind = Literal["alpha", "cutout", "background"]

Pixels = NDArray[np.uint8]


_LOG = logging.getLogger(__package__)


@dataclass(frozen=True)
class Wanted:
    """What is to be made of each image.

    Attributes
    ----------
    kind : {"alpha", "cutout", "background"}
        The matte as 8-bit gray PNG; the person as RGBA PNG with straight alpha; the person before `background`.
    background : ndarray, optional
        h×w×3 uint8.
    size : {"short_side", "native"}
    batch : int
        Images at a time, where they follow each other and come to the same size.
    """

    kind: Kind = "alpha"
    background: Pixels | None = None
    size: Size = "short_side"
    batch: int = 1


def predict_images(trained: Trained, images: Sequence[Path], out: Path, wanted: Wanted) -> list[Prediction]:
    """Predict photographs, given as files and folders.

    Parameters
    ----------
    trained : Trained
    images : sequence of Path
        Folders are searched; what is made of an image in one lies at the same place below `out`.
    out : Path
        Gets one PNG an image; earlier ones are replaced.
    wanted : Wanted

    Returns
    -------
    list of Prediction
        ``written``, or ``failed`` with a reason, in the order given.

    Raises
    ------
    UsageError
        A path is missing, two images have the same name, or a result would replace an image.
    """
    items = named_images(images)
    for item in items:
        if (out / f"{item.key}.png").resolve() == item.files["image"].resolve():
            raise UsageError(f"the result would replace {item.files['image']}: choose another --out")
    return _predicted(trained, items, out, wanted)


def predict_set(trained: Trained, data: EvaluationSet, out: Path, wanted: Wanted) -> list[Prediction]:
    """Predict a whole test set, or what is left of it, for ``mattingdata eval --predictions``.

    Errors and the record beside the predictions are as of :func:`matting_data.predicting.classical.predict`.
    """
    record = {"method": "safenet", "data": data.name, "identity": data.identity, "network": trained.sha256,
              "kind": wanted.kind, "refinements": str(trained.refinements), "size": wanted.size,
              "short_side": str(trained.short_side)}  # fmt: skip
    claim(out, record)
    left = [item for item in data.items if not (out / f"{item.key}.png").is_file()]
    new = _predicted(trained, left, out, wanted)
    kept = {item.key for item in data.items} - {each.key for each in new}
    return sorted([*new, *(Prediction(key, "kept") for key in kept)], key=attrgetter("key"))


def named_images(images: Sequence[Path]) -> list[Item]:
    """List files, and what lies in folders, as items named without suffix; errors as of :func:`predict_images`."""
    items: dict[str, Item] = {}
    for path in images:
        if not path.exists():
            raise UsageError(f"there is no image {path}: check the path")
        for key, file in (images_by_key(path) if path.is_dir() else {path.stem: path}).items():
            if key in items:
                raise UsageError(f"both {items[key].files['image']} and {file} would become {key}.png: rename one")
            items[key] = Item(key, files={"image": file})
    if not items:
        raise UsageError(f"there is no image in {', '.join(map(str, images))}: name image files, or folders of them")
    return list(items.values())


def read_background(path: Path) -> Pixels:
    """Read the photograph to put people before; UsageError where it cannot be read."""
    try:
        return image_of(read_input(path))
    except RejectedInput as error:
        raise UsageError(f"the background {path} cannot be used: {error.detail}") from None


def _predicted(trained: Trained, items: Sequence[Item], out: Path, wanted: Wanted) -> list[Prediction]:
    results: list[Prediction] = []
    _LOG.info("predicting %d images into %s", len(items), out)
    with bar(len(items), "predicting", "images") as progress:
        for batch in _batches(items, wanted, trained, results):
            for (item, image), each in zip(batch, _mattes(trained, [image for _, image in batch], wanted), strict=True):
                try:
                    if isinstance(each, RejectedInput):
                        raise each
                    alpha = np.floor(each.require_finite()[-1] * 255 + 0.5).astype(np.uint8)
                except RejectedInput as error:
                    results.append(Prediction(item.key, "failed", error.reason, error.detail))
                    continue
                with at(item.key):
                    write_bytes(out / f"{item.key}.png", _encoded(image, alpha, wanted))
                results.append(Prediction(item.key, "written"))
            progress.update(len(results) - progress.n)
    _LOG.info("predicted %d images into %s", len(results), out)
    return results


def _mattes(trained: Trained, images: Sequence[Pixels], wanted: Wanted) -> list[Mattes | RejectedInput]:
    """Predict images together, or one by one where memory is too small for that; what it is too small for is refused.

    RejectedInput ``memory`` stands for an image that does not fit alone.
    """
    try:
        return list(
            predict_batch(
                trained.network, images, iterations=trained.refinements, size=wanted.size,
                short_side=trained.short_side, last_only=True,
            )
        )  # fmt: skip
    except TooLarge as error:
        if len(images) == 1:
            return [RejectedInput("memory", str(error))]
    return [each for image in images for each in _mattes(trained, [image], wanted)]


def _batches(
    items: Sequence[Item], wanted: Wanted, trained: Trained, results: list[Prediction]
) -> Iterator[list[tuple[Item, Pixels]]]:
    """Yield images that are predicted together; what cannot be read goes to `results` as failed."""
    waiting: list[tuple[Item, Pixels]] = []
    size: tuple[int, int] | None = None
    for item in items:
        try:
            (image,) = item.need("image")
        except RejectedInput as error:
            results.append(Prediction(item.key, "failed", error.reason, error.detail))
            continue
        previous, size = size, network_size((image.shape[0], image.shape[1]), wanted.size, trained.short_side)
        if waiting and (len(waiting) == wanted.batch or size != previous):
            yield waiting
            waiting = []
        waiting.append((item, image))
    if waiting:
        yield waiting


def _encoded(image: Pixels, alpha: Pixels, wanted: Wanted) -> bytes:
    if wanted.background is not None:
        return png(put_before(image, alpha, wanted.background))
    return png(cut_out(image, alpha)) if wanted.kind == "cutout" else matte_png(alpha)
