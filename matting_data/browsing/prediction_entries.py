"""Predicted mattes beside the truth as entries: the error as a heatmap, and each image's metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.browsing.composite_entries import CompositeEntries
from matting_data.browsing.entries import Entry, Picture, Value, identity_of
from matting_data.browsing.pictures import matte_file
from matting_data.errors import UsageError
from matting_data.evaluation.evaluate import evaluate
from matting_data.evaluation.scoring import ImageScore
from matting_data.evaluation.test_sets import EvaluationSet, Item, matte_of, open_test_set, prediction_files
from matting_data.sources.inputs import read_input


class PredictionEntries:
    """Entries for the images of a split that a run predicted.

    Parameters
    ----------
    root : Path
        A dataset of composites.
    index : mapping
        Its ``dataset.json``.
    run : Path
        Folder of predictions, as ``mattingdata predict`` writes them and ``mattingdata eval`` reads them.
    split : str
        Which split was predicted.
    side : int
        Longer side of the pictures, in pixels.
    workers : int
        Processes that score.

    Raises
    ------
    UsageError
        The dataset stores layers, the folder is missing, or nothing in it could be scored.
    """

    def __init__(self, root: Path, index: Mapping[str, Any], run: Path, split: str, side: int, workers: int) -> None:
        if index["store"] == "layers":
            raise UsageError(f"{root} is a store of layers: run 'mattingdata materialize' and name its composites")
        self._composites, self._side = CompositeEntries(root, index, side), side
        self._files = prediction_files(run)
        self._set: EvaluationSet = open_test_set(root, split)
        result = evaluate(run, self._set, workers=workers)
        self._scores: dict[str, ImageScore] = {score.key: score for score in result.scores}

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._set.items)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that any image has."""
        return tuple(dict.fromkeys(name for score in self._scores.values() for name in score.values))

    def __iter__(self) -> Iterator[Entry]:
        """Yield an entry for each image of the split that has a prediction."""
        for item in self._set.items:
            if item.key in self._files:
                yield self._entry(item, self._files[item.key])

    def _entry(self, item: Item, path: Path) -> Entry:
        assert item.row is not None  # a built dataset's items have one
        base, row = self._composites.entry(item.row), item.row
        score = self._scores[item.key]
        fields: dict[str, Value] = {**score_fields(score), **base.fields}
        status = path.stat()
        look = identity_of(base.identity, str(path), status.st_size, status.st_mtime_ns)
        planes = {
            "prediction": lambda: _predicted(path),
            "error": lambda: error_map(_predicted(path), self._composites.plane(row, "alpha")),
        }
        overlays = {**base.overlays}
        for name, plane in planes.items():
            overlays[name] = Picture(f"{name}-{row.key}-{look}.png", partial(self._file, plane))
        return replace(base, identity=identity_of(look, sorted(fields.items())), fields=fields, overlays=overlays)

    def _file(self, plane: Callable[[], NDArray[np.uint8]]) -> bytes:
        return matte_file(plane(), self._side)


def error_map(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compute |prediction − truth|, H×W uint8; a prediction of another size is resized to the truth's."""
    if prediction.shape != truth.shape:
        size = (truth.shape[1], truth.shape[0])
        prediction = np.asarray(cv2.resize(prediction, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.asarray(cv2.absdiff(prediction, truth), np.uint8)


def score_fields(score: ImageScore) -> dict[str, Value]:
    """Collect the metrics of an image, or why it has none."""
    return {
        **{name: float(value) for name, value in score.values.items() if np.isfinite(value)},
        "not_scored": score.reason or None,
        "score_note": score.note or None,
    }


def _predicted(path: Path) -> NDArray[np.uint8]:
    matte = matte_of(read_input(path))
    return np.asarray(matte if matte.dtype == np.uint8 else matte // 257, np.uint8)
