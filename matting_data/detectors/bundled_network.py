"""A network whose weights come inside this package: found, checked, opened on first use, and safe to pickle."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.sessions import PerProcess, open_session
from matting_data.errors import MattingDataError

if TYPE_CHECKING:
    import onnxruntime


@cache
def weights_index() -> dict[str, dict[str, Any]]:
    """Read ``weights/weights.json``: for each file its sha256, bytes, origin and licence."""
    text = (files("matting_data.detectors") / "weights" / "weights.json").read_text(encoding="utf-8")
    index: dict[str, dict[str, Any]] = json.loads(text)["files"]
    return index


def read_weights(name: str) -> bytes:
    """Read the ONNX model `name`, uncompressed.

    Parameters
    ----------
    name : str
        A file of ``weights.json``, ``.onnx`` or ``.onnx.gz``.

    Returns
    -------
    bytes

    Raises
    ------
    MattingDataError
        If the file is missing or not the one that was shipped.
    """
    try:
        payload = (files("matting_data.detectors") / "weights" / name).read_bytes()
    except OSError as error:
        raise MattingDataError(
            f"weights {name} of the human detector cannot be read ({error}): install mattingdata again"
        ) from error
    if hashlib.sha256(payload).hexdigest() != weights_index()[name]["sha256"]:
        raise MattingDataError(f"weights {name} of the human detector are damaged: install mattingdata again")
    _LOG.debug("read the weights %s: %d bytes", name, len(payload))
    return gzip.decompress(payload) if name.endswith(".gz") else payload


_LOG = logging.getLogger(__package__)


class Network:
    """One ONNX network with the input ``image`` and the outputs ``encodings`` and ``logits``.

    Parameters
    ----------
    weights : str
        File name for :func:`read_weights`.
    """

    def __init__(self, weights: str) -> None:
        self._session = PerProcess(partial(_opened, weights))

    def __call__(self, image: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run one picture through the network.

        Parameters
        ----------
        image : ndarray of float32, shape (1, h, w, 3)
            RGB in [-1, 1].

        Returns
        -------
        encodings : ndarray of float32, shape (anchors, k)
            Box code of every anchor; k depends on the network.
        logits : ndarray of float32, shape (anchors,)
            Log odds of a person at every anchor.
        """
        encodings, logits = self._session().run(["encodings", "logits"], {"image": image})
        return encodings[0], logits.reshape(-1)


def _opened(weights: str) -> onnxruntime.InferenceSession:
    return open_session(read_weights(weights), sizes_vary=True)
