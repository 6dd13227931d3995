"""Mattes from an image and a trimap, without training: the classic methods of pymatting, over a whole test set.

Every prediction is written once and whole, so that the same command continues where it stopped.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput, UsageError, nearest
from matting_data.evaluation.test_sets import EvaluationSet, Item
from matting_data.imaging.decode import decode
from matting_data.imaging.encode import matte_png
from matting_data.metrics.mattes import compose, size_text
from matting_data.running.executor import run
from matting_data.running.progress import track
from matting_data.storage.atomic import remove_leftovers, write_bytes

RECORD = "predictions.json"
"""Says what made the predictions beside it."""

_FUNCTIONS = {"closed-form": "estimate_alpha_cf", "knn": "estimate_alpha_knn", "lbdm": "estimate_alpha_lbdm"}

METHODS = tuple(_FUNCTIONS)
"""Closed-form (Levin et al., 2008), KNN (Chen et al., 2013), learning-based (Zheng and Kambhamettu, 2009) matting."""


_LOG = logging.getLogger(__package__)


@dataclass(frozen=True)
class Prediction:
    """What became of one image: ``written``, ``kept`` from an earlier run, or ``failed`` for a reason."""

    key: str
    outcome: str
    reason: str = ""
    detail: str = ""


def estimate(method: str, image: NDArray[np.uint8], trimap: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Estimate a matte with a method, and keep the trimap's known pixels as they are.

    Parameters
    ----------
    method : str
        Of ``METHODS``.
    image : ndarray
        H×W×3 uint8 RGB.
    trimap : ndarray
        H×W uint8 of 0, 128 and 255.

    Returns
    -------
    ndarray
        Alpha, H×W uint8, rounded.

    Raises
    ------
    RejectedInput
        ``size`` when the two differ; ``one_sided_trimap`` when it has unknown pixels, but none that are known to be
        foreground, or none that are known to be background; ``unsolved`` when the solver gives up.
    """
    if image.shape[:2] != trimap.shape:
        raise RejectedInput("size", f"the image is {size_text(image)} and the trimap {size_text(trimap)}")
    if not (trimap == 128).any():
        return trimap.copy()
    for value, side in ((255, "foreground"), (0, "background")):
        if not (trimap == value).any():
            raise RejectedInput("one_sided_trimap", f"the trimap has no known {side} to start from")
    import pymatting

    solve = getattr(pymatting, _FUNCTIONS[method])
    # pymatting prints when a preconditioner needs another try, which it then makes
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            alpha = solve(image / 255.0, trimap / 255.0)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise RejectedInput("unsolved", f"{method}: {error}") from None
    if not np.isfinite(alpha).all():
        raise RejectedInput("unsolved", f"{method} gave a matte that is not finite")
    codes = np.floor(np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.asarray(compose(codes, trimap), dtype=np.uint8)


def predict_image(item: Item, method: str, out: Path) -> Prediction:
    """Make one item's matte below `out`, unless it is there; whatever is wrong with its inputs becomes a reason."""
    path = out / f"{item.key}.png"
    try:
        (trimap,) = item.need("trimap")
        if _is_kept(path, trimap):
            return Prediction(item.key, "kept")
        (image,) = item.need("image")
        alpha = estimate(method, image, trimap)
    except RejectedInput as error:
        return Prediction(item.key, "failed", error.reason, error.detail)
    write_bytes(path, matte_png(alpha))
    return Prediction(item.key, "written")


def predict(method: str, data: EvaluationSet, out: Path, workers: int = 1) -> list[Prediction]:
    """Predict a whole test set, or what is left of it.

    Parameters
    ----------
    method : str
        Of ``METHODS``.
    data : EvaluationSet
        From :func:`matting_data.evaluation.test_sets.open_test_set`.
    out : Path
        Gets one 8-bit gray PNG an item, named as its key, and ``predictions.json``.
    workers : int
        Processes; the result does not depend on it.

    Returns
    -------
    list of Prediction
        One an item, sorted by key.

    Raises
    ------
    UsageError
        An unknown method, or a folder with predictions of another method or another test set.
    """
    if method not in METHODS:
        raise UsageError(f"no method {method!r}{nearest(method, METHODS) or '; choose one of ' + ', '.join(METHODS)}")
    claim(
        out,
        {"method": method, "data": data.name, "identity": data.identity, "pymatting": metadata.version("pymatting")},
    )
    count = len(data.items)
    _LOG.info("predicting %d images into %s with %s", count, out, method)
    results = run(partial(predict_image, method=method, out=out), data.items, min(workers, count))
    predictions = sorted(track(results, count, "predicting", "images"), key=attrgetter("key"))
    _LOG.info("predicted %d images into %s", count, out)
    return predictions


def claim(out: Path, record: dict[str, str]) -> None:
    """Write what the predictions are of, or refuse a folder that holds others."""
    path = out / RECORD
    if path.is_file():
        try:
            found = dict(json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            raise UsageError(f"{path} cannot be read: remove {out}, or choose another --out") from None
        for name, value in record.items():
            if found.get(name) != value:
                raise UsageError(
                    f"{out} holds predictions with another {name} ({found.get(name)!r}, not {value!r}): "
                    "choose another --out"
                )
        remove_leftovers(out, deep=True)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} holds something else: choose another --out, or an empty folder")
    write_bytes(path, (json.dumps(record, indent=1) + "\n").encode())


def _is_kept(path: Path, trimap: NDArray[np.uint8]) -> bool:
    """Tell whether an earlier run finished this prediction; writing is atomic, so what decodes is whole."""
    try:
        pixels = decode(path.read_bytes()).pixels
    except (OSError, RejectedInput):
        return False
    return pixels.shape == trimap.shape
