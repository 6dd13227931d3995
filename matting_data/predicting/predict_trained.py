"""Mattes, cut-outs and composites of a trained network: for a test set, or for any photographs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput, UsageError
from matting_data.evaluation.test_sets import EvaluationSet, Item, image_of
from matting_data.imaging.cutout import cut_out, put_before
from matting_data.imaging.encode import matte_png, png
from matting_data.networks.safenet.any_size import Size, network_size, predict_batch
from matting_data.predicting.classical import Prediction, claim
from matting_data.predicting.trained_network import Trained
from matting_data.running.progress import bar
from matting_data.sources.find_files import image_tree
from matting_data.sources.inputs import read_input
from matting_data.storage.atomic import write_bytes

Kind = Literal["alpha", "cutout", "background"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Wanted:
    """What is to be made of each image.

    Attributes
    ----------
    kind : {"alpha", "cutout", "background"}
        The matte as 8-bit gray PNG; the person as RGBA PNG with straight alpha; the person before `background`.
    background : ndarray, optional
        h×w×3 uint8.
    iterations : int, optional
        Refinements; those of :class:`Trained` without.
    size : {"short_side", "native"}
    short_side : int, optional
        In pixels; the side of the training crops without.
    batch : int
        Images at a time, where they follow each other and come to the same size.
    """

    kind: Kind = "alpha"
    background: Pixels | None = None
    iterations: int | None = None
    size: Size = "short_side"
    short_side: int | None = None
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
        if any((out / f"{item.key}.png").resolve() == path.resolve() for _, path in item.files):
            raise UsageError(f"the result would replace {item.files[0][1]}: choose another --out")
    return _predicted(trained, items, out, wanted)


def predict_set(trained: Trained, data: EvaluationSet, out: Path, wanted: Wanted) -> list[Prediction]:
    """Predict a whole test set, or what is left of it, for ``mattingdata eval --predictions``.

    Errors and the record beside the predictions are as of :func:`matting_data.predicting.classical.predict`.
    """
    iterations = trained.refinements if wanted.iterations is None else wanted.iterations
    record = {"method": "safenet", "data": data.name, "identity": data.identity, "network": trained.sha256,
              "kind": wanted.kind, "refinements": str(iterations), "size": wanted.size,
              "short_side": str(wanted.short_side or trained.short_side)}  # fmt: skip
    claim(out, record)
    left = [item for item in data.items if not (out / f"{item.key}.png").is_file()]
    missing = {item.key for item in left}
    kept = [Prediction(item.key, "kept") for item in data.items if item.key not in missing]
    return sorted([*kept, *_predicted(trained, left, out, wanted)], key=lambda result: result.key)


def named_images(images: Sequence[Path]) -> list[Item]:
    """Return files, and what lies in folders, as items named without suffix; errors as of :func:`predict_images`."""
    items: dict[str, Item] = {}
    for path in images:
        if not path.exists():
            raise UsageError(f"there is no image {path}: check the path")
        names = image_tree(path, str(path)) if path.is_dir() else [path.name]
        folder = path if path.is_dir() else path.parent
        for name in names:
            key = str(PurePosixPath(name).with_suffix(""))
            if key in items:
                raise UsageError(
                    f"both {items[key].files[0][1]} and {folder / name} would become {key}.png: rename one"
                )
            items[key] = Item(key, files=(("image", folder / name),))
    if not items:
        raise UsageError(f"there is no image in {', '.join(map(str, images))}: name image files, or folders of them")
    return list(items.values())


def read_background(path: Path) -> Pixels:
    """Return the photograph to put people before; UsageError where it cannot be read."""
    try:
        return image_of(read_input(path))
    except RejectedInput as error:
        raise UsageError(f"the background {path} cannot be used: {error.detail}") from None


def _predicted(trained: Trained, items: Sequence[Item], out: Path, wanted: Wanted) -> list[Prediction]:
    results: list[Prediction] = []
    with bar(len(items), "predicting", "images") as progress:
        for batch in _batches(items, wanted, trained, results):
            for (item, image), alpha in zip(
                batch, _mattes(trained, [image for _, image in batch], wanted), strict=True
            ):
                write_bytes(out / f"{item.key}.png", _encoded(image, alpha, wanted))
                results.append(Prediction(item.key, "written"))
            progress.update(len(results) - progress.n)
    return results


def _batches(
    items: Sequence[Item], wanted: Wanted, trained: Trained, results: list[Prediction]
) -> Iterator[list[tuple[Item, Pixels]]]:
    """Yield images that are predicted together; what cannot be read goes to `results` as failed."""
    waiting: list[tuple[Item, Pixels]] = []
    short_side = wanted.short_side or trained.short_side
    size: Callable[[Pixels], tuple[int, int]] = lambda image: network_size(  # noqa: E731 - two arguments are fixed
        (image.shape[0], image.shape[1]), wanted.size, short_side
    )
    for item in items:
        try:
            image = item.need("image")
        except RejectedInput as error:
            results.append(Prediction(item.key, "failed", error.reason, error.detail))
            continue
        if waiting and (len(waiting) == wanted.batch or size(waiting[0][1]) != size(image)):
            yield waiting
            waiting = []
        waiting.append((item, image))
    if waiting:
        yield waiting


def _mattes(trained: Trained, images: Sequence[Pixels], wanted: Wanted) -> list[Pixels]:
    found = predict_batch(
        trained.network,
        images,
        iterations=trained.refinements if wanted.iterations is None else wanted.iterations,
        size=wanted.size,
        short_side=wanted.short_side or trained.short_side,
        last_only=True,
    )
    return [np.floor(each.mattes[-1] * 255 + 0.5).astype(np.uint8) for each in found]


def _encoded(image: Pixels, alpha: Pixels, wanted: Wanted) -> bytes:
    if wanted.background is not None:
        return png(put_before(image, alpha, wanted.background))
    return png(cut_out(image, alpha)) if wanted.kind == "cutout" else matte_png(alpha)
