"""What pictures look like, as vectors: for finding those that are nearly the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.sessions import open_session
from matting_data.errors import UsageError
from matting_data.storage.atomic import sha256_file

Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From an H×W×3 uint8 RGB picture to a vector of length 1."""

_GRID = 12
_FREE_SIDE = 224
_MEAN = np.asarray([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.asarray([0.229, 0.224, 0.225], np.float32)


def thumbnail_features(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute a picture's colours on a grid of 12×12, in CIELAB, less their mean lightness.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w, 3)
        RGB.

    Returns
    -------
    ndarray of float32, shape (432,)
        Of length 1. Copies that were resized, compressed or brightened stay near each other; crops do not.
    """
    small = cv2.resize(picture, (_GRID, _GRID), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float32)
    lab[..., 0] -= lab[..., 0].mean()
    return _unit(lab.ravel())


class OnnxFeatures:
    """The output of a local ONNX network, such as an image classifier without its last layer.

    Parameters
    ----------
    path : Path
        With one input, float, batch×3×height×width, RGB as ImageNet's networks take it: in [0, 1], less the mean of
        ImageNet, over its deviation. Free sides are taken as 224. Of several outputs the first counts; one of
        batch×channels×height×width is averaged over its pixels.

    Raises
    ------
    UsageError
        The file is no such network; from the first picture on, if its output is none of these shapes.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UsageError(f"--features {path} is no file: name an ONNX file, or leave it out for thumbnails")
        self.path = path
        self._session = open_session(path)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape
        fits = len(inputs) == 1 and len(shape) == 4 and inputs[0].type == "tensor(float)"
        if not fits or not _admits(shape[0], 1) or not _admits(shape[1], 3):
            found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise UsageError(
                f"{path.name} has the inputs {found}: export it with one input of float, batch×3×height×width"
            )
        self._input = inputs[0].name
        self._size = tuple(side if isinstance(side, int) and side > 0 else _FREE_SIDE for side in shape[2:])

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the features of an H×W×3 uint8 picture, a float32 vector of length 1."""
        height, width = self._size
        resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        tensor = ((resized - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None]
        output = np.asarray(self._session.run(None, {self._input: tensor})[0], np.float32)
        if output.ndim == 4:
            output = output.mean(axis=(2, 3))
        if output.ndim != 2 or output.shape[0] != 1 or not np.isfinite(output).all():
            raise UsageError(
                f"{self.path.name} puts out an array of {output.shape}, not one vector a picture: export another layer"
            )
        return _unit(output[0])


def features_of(model: Path | None) -> tuple[Features, str]:
    """Choose the features of a network, or thumbnails without one; and their name, which changes with them."""
    if model is None:
        return thumbnail_features, f"thumbnail {_GRID}"
    return OnnxFeatures(model), sha256_file(model)


def nearest_distances(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Measure the distance from each vector to its nearest other.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, k)
        Of length 1; n at least 2.

    Returns
    -------
    ndarray of float32, shape (n,)
        Cosine distances, 0 for copies, at most 2.
    """
    nearest = np.empty(len(vectors), np.float32)
    step = max(1, 2**24 // len(vectors))  # rows of the n×n table at a time: 64 MiB
    for start in range(0, len(vectors), step):
        likeness = vectors[start : start + step] @ vectors.T
        rows = np.arange(len(likeness))
        likeness[rows, start + rows] = -2
        nearest[start : start + step] = 1 - likeness.max(axis=1)
    return np.maximum(nearest, 0)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    if length < 1e-6:  # a picture of one gray: any direction will do, as long as all of them share it
        vector, length = np.eye(1, vector.size, dtype=np.float32)[0], 1.0
    return np.asarray(vector / length, np.float32)


def _admits(side: Any, wanted: int) -> bool:
    return not isinstance(side, int) or side in (wanted, -1)


def read_picture(path: str) -> NDArray[np.uint8]:
    """Read a picture file as H×W×3 RGB."""
    pixels = cv2.imread(path, cv2.IMREAD_COLOR)
    if pixels is None:
        raise UsageError(f"{path} cannot be read: delete it from the cache and run 'mattingdata browse' again")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
