"""From decoded samples to tensors that PyTorch's default collation stacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from matting_data.errors import MissingExtraError, UsageError
from matting_data.readers.store import Composite

_LEVELS = np.array([0, 128, 255], np.uint8)


@dataclass(frozen=True)
class ToTensors:
    """Turn a composite into a dictionary of tensors.

    Parameters
    ----------
    dtype : {"float32", "uint8"}
        ``float32``: values in [0, 1]. ``uint8``: as stored, a quarter of the bytes between processes; divide by 255
        where the batch is used.
    trimap : {"levels", "onehot"}
        ``levels``: one channel with 0 background, 0.5 unknown, 1 foreground (0, 128, 255 as uint8). ``onehot``:
        three channels of 0 and 1, background, unknown and foreground.

    Raises
    ------
    UsageError
        For any other word.
    """

    dtype: Literal["float32", "uint8"] = "float32"
    trimap: Literal["levels", "onehot"] = "levels"

    def __post_init__(self) -> None:
        for name, known in (("dtype", ("float32", "uint8")), ("trimap", ("levels", "onehot"))):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} {getattr(self, name)!r} is unknown: choose {' or '.join(map(repr, known))}")

    def __call__(self, composite: Composite) -> dict[str, Any]:
        """Convert to ``image`` 3×H×W, ``alpha`` 1×H×W, ``trimap`` 1×H×W or 3×H×W (if there is one) and ``key`` str."""
        torch = import_torch()
        planes = {"image": composite.image, "alpha": composite.alpha}
        if composite.trimap is not None:
            planes["trimap"] = composite.trimap
        tensors: dict[str, Any] = {}
        for name, plane in planes.items():
            if name == "trimap" and self.trimap == "onehot":
                channels = (plane == _LEVELS[:, None, None]).astype(self.dtype)
            elif self.dtype == "uint8":
                channels = np.ascontiguousarray(plane[None] if plane.ndim == 2 else plane.transpose(2, 0, 1))
            else:
                channels = _unit(plane, _TRIMAP if name == "trimap" else _UNIT)
            tensors[name] = torch.from_numpy(channels)
        return {**tensors, "key": composite.key}


_UNIT = (np.arange(256) / 255).astype(np.float32)
_TRIMAP = np.where(np.arange(256) == 128, np.float32(0.5), _UNIT).astype(np.float32)


def _unit(plane: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert an H×W×C or H×W plane to C×H×W float32, each level replaced by its value."""
    # contiguous and writable, whatever comes: the kernels are compiled for one kind of array
    levels = np.require(plane, requirements=["C", "W"]).reshape(-1)
    channels = np.empty((levels.size // (plane.shape[0] * plane.shape[1]), *plane.shape[:2]), np.float32)
    (_spread if len(channels) == 3 else _look_up)(levels, values, channels.reshape(len(channels), -1))
    return channels


@numba.njit(cache=True)
def _look_up(levels: NDArray[np.uint8], values: NDArray[np.float32], channels: NDArray[np.float32]) -> None:
    line = channels[0]
    for place in range(line.size):
        line[place] = values[levels[place]]


@numba.njit(cache=True)
def _spread(levels: NDArray[np.uint8], values: NDArray[np.float32], channels: NDArray[np.float32]) -> None:
    red, green, blue = channels[0], channels[1], channels[2]
    for place in range(red.size):
        red[place] = values[levels[3 * place]]
        green[place] = values[levels[3 * place + 1]]
        blue[place] = values[levels[3 * place + 2]]


def import_torch() -> Any:
    """Import the module ``torch``; MissingExtraError where it is not installed."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "torch is") from None
    return torch
