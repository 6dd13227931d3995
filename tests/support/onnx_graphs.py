"""Tiny ONNX files in the layouts of real exports, whose boxes are known and whose scores follow the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]


def write_graph(
    path: Path,
    outputs: Mapping[str, tuple[Floats, Floats]],
    size: tuple[int | str, int | str] = (96, 96),
    batch: int | str = "batch",
    weights: Sequence[float] = (1 / 3, 1 / 3, 1 / 3),
    extra_inputs: Mapping[str, Sequence[int | str]] | None = None,
    names: str | None = None,
    integers: Sequence[str] = (),
) -> Path:
    """Write a network with ``output = fixed + slope · level``, level the weighted mean of the image's channels.

    `outputs` maps names to (fixed, slope), both of the output's shape without the batch. Integer outputs are cast.
    """
    nodes = [
        helper.make_node("Mul", ["images", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "channel"], ["summed"], keepdims=1),
        helper.make_node("ReduceMean", ["summed", "across"], ["mean"], keepdims=1),
        helper.make_node("Squeeze", ["mean", "across"], ["level2"]),
    ]
    constants = {
        "weights": np.asarray(weights, np.float32).reshape(1, 3, 1, 1),
        "channel": np.asarray([1], np.int64),
        "across": np.asarray([2, 3], np.int64),
    }
    infos = []
    for name, (fixed, slope) in outputs.items():
        rank = fixed.ndim
        constants |= {f"{name}.fixed": fixed[None], f"{name}.slope": slope[None]}
        constants[f"{name}.shape"] = np.asarray([-1] + [1] * rank, np.int64)
        last = f"{name}.float" if name in integers else name
        nodes += [
            helper.make_node("Reshape", ["level2", f"{name}.shape"], [f"{name}.level"]),
            helper.make_node("Mul", [f"{name}.level", f"{name}.slope"], [f"{name}.varying"]),
            helper.make_node("Add", [f"{name}.varying", f"{name}.fixed"], [last]),
        ]
        kind = TensorProto.FLOAT
        if name in integers:
            nodes.append(helper.make_node("Cast", [last], [name], to=TensorProto.INT64))
            kind = TensorProto.INT64
        infos.append(helper.make_tensor_value_info(name, kind, [batch, *fixed.shape]))
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, *size])]
    inputs += [
        helper.make_tensor_value_info(name, TensorProto.INT64, list(shape))
        for name, shape in (extra_inputs or {}).items()
    ]
    initial = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "detector", inputs, infos, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if names:
        helper.set_model_props(model, {"names": names})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def row_of_box(size: tuple[int, int], centre: tuple[float, float], stride: int = 32) -> tuple[int, int, int]:
    """Return (row in a YOLO head's table, column and row of the cell) of the cell of `stride` that holds `centre`."""
    before = sum((size[0] // s) * (size[1] // s) for s in (8, 16, 32) if s < stride)
    x, y = int(centre[0] // stride), int(centre[1] // stride)
    return before + y * (size[1] // stride) + x, x, y


def cells(size: tuple[int, int]) -> int:
    """Return how many cells a YOLO head with strides 8, 16 and 32 has."""
    return sum((size[0] // s) * (size[1] // s) for s in (8, 16, 32))
