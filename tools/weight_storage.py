"""Store the weights of an ONNX graph in 8, 16 or 32 bits; they are expanded to float32 inside the graph.

The expansion is plain ``Cast`` (and ``Mul``) of constants, which onnxruntime folds when it opens the file: smaller
on disk, the same speed, and the arithmetic stays float32.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


class StoredWeights:
    """Collects initializers, and the nodes that expand them.

    Parameters
    ----------
    bits
        32 (as they are), 16 (float16) or 8 (symmetric integers with one scale per output channel). Depthwise kernels
        and vectors never go below 16: they are a few per cent of the bytes and the most sensitive of all.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.initializers: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self.names: dict[str, str] = {}

    def kernel(self, name: str, array: NDArray[np.float32], depthwise: bool = False) -> str:
        """Store a float32 ``(out, in, kh, kw)`` kernel; return the name of its float32 value."""
        if self.bits == 8 and not depthwise:
            peak = np.abs(array).reshape(len(array), -1).max(axis=1)
            scale = np.where(peak > 0, peak / 127.0, 1.0).astype(np.float32).reshape(-1, *[1] * (array.ndim - 1))
            codes = np.clip(np.rint(array / scale), -127, 127).astype(np.int8)
            expanded = self._cast(f"{name}_codes", codes)
            self._initializer(f"{name}_scale", scale)
            self.nodes.append(helper.make_node("Mul", [expanded, f"{name}_scale"], [name]))
            self.names[name] = name
            return name
        return self.vector(name, array)

    def vector(self, name: str, array: NDArray[np.float32]) -> str:
        """Store any float32 array in at least 16 bits; return the name of its float32 value."""
        if self.bits == 32:
            self._initializer(name, array)
            return name
        if np.abs(array).max(initial=0.0) > np.finfo(np.float16).max:
            raise SystemExit(f"{name} does not fit into float16")
        value = self._cast(f"{name}_half", array.astype(np.float16))
        self.names[name] = value
        return value

    def scalar(self, name: str, value: float) -> str:
        """Store one float32 number once."""
        if name not in self.names:
            self._initializer(name, np.asarray(value, dtype=np.float32))
        return name

    def floats(self, name: str, values: list[float]) -> str:
        """Store float32 numbers once, as they are."""
        if name not in self.names:
            self._initializer(name, np.asarray(values, dtype=np.float32))
        return name

    def integers(self, name: str, values: int | list[int]) -> str:
        """Store int64 numbers once."""
        if name not in self.names:
            self._initializer(name, np.asarray(values, dtype=np.int64))
        return name

    def _cast(self, name: str, array: NDArray[np.generic]) -> str:
        self._initializer(name, array)
        value = f"{name}_f32"
        self.nodes.append(helper.make_node("Cast", [name], [value], to=TensorProto.FLOAT))
        return value

    def _initializer(self, name: str, array: NDArray[np.generic]) -> None:
        self.initializers.append(numpy_helper.from_array(array, name))
        self.names[name] = name


def write_model(model: onnx.ModelProto, target: Path) -> None:
    """Write `model`, compressed where the name ends in ``.gz``, and print its size and sha256.

    The gzip header carries no time and no name, so that the same model gives the same bytes.
    """
    payload = model.SerializeToString(deterministic=True)
    print(f"{target.name} uncompressed: {len(payload)} bytes, sha256 {hashlib.sha256(payload).hexdigest()}")
    if target.suffix == ".gz":
        payload = gzip.compress(payload, compresslevel=9, mtime=0)
    target.write_bytes(payload)
    print(f"{target.name}: {len(payload)} bytes, sha256 {hashlib.sha256(payload).hexdigest()}")
