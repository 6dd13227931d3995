"""Read a graph model of TensorFlow.js and rebuild it as ONNX, operation by operation.

A ``model.json`` holds the topology and a manifest of weights, which lie beside it in binary files. Only the operations
of small convolutional networks are known. What the converters leave around them is undone: scales and shifts are folded
into the convolutions before them, zeros added around a picture into the padding of the convolution after them, and
changes between NHWC and NCHW vanish, since ONNX is NCHW throughout.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from weight_storage import StoredWeights, write_model

Node = Mapping[str, Any]

_DTYPES = {"float32": np.float32, "int32": np.int32, "float16": np.float16, "uint8": np.uint8, "uint16": np.uint16}


class TfjsGraph:
    """Read-only view of a graph model: nodes by name, constants as arrays."""

    def __init__(self, model: Path) -> None:
        document = json.loads(model.read_text())
        self._nodes: dict[str, Node] = {node["name"]: node for node in document["modelTopology"]["node"]}
        self._constants: dict[str, NDArray[Any]] = {}
        for group in document["weightsManifest"]:
            data = b"".join((model.parent / path).read_bytes() for path in group["paths"])
            at = 0
            for weight in group["weights"]:
                at = self._keep(weight, data, at)
            if at != len(data):
                raise SystemExit(f"{model}: the weights end at byte {at} of {len(data)}")

    def _keep(self, weight: Mapping[str, Any], data: bytes, at: int) -> int:
        quantization = weight.get("quantization", {})
        stored = np.dtype(_DTYPES[quantization.get("dtype", weight["dtype"])])
        count = int(np.prod(weight["shape"], dtype=np.int64))
        values = np.frombuffer(data, stored, count, at).astype(_DTYPES[weight["dtype"]])
        if "scale" in quantization:
            values = values * np.float32(quantization["scale"]) + np.float32(quantization["min"])
        self._constants[weight["name"]] = values.reshape(weight["shape"])
        return at + count * stored.itemsize

    def node(self, name: str) -> Node:
        """Give a node, looking through ``Identity``."""
        node = self._nodes[name.split(":")[0]]
        while node["op"] == "Identity":
            node = self._nodes[node["input"][0].split(":")[0]]
        return node

    def constant(self, name: str) -> NDArray[Any] | None:
        """Give the constant called `name`; None where it is computed."""
        node = self.node(name)
        return self._constants[node["name"]] if node["op"] == "Const" else None


class Converter:
    """Emits ONNX nodes in NCHW.

    Parameters
    ----------
    graph : TfjsGraph
    bits : int
        In which weights are stored.
    start : str
        The node that stands for the picture.
    factors : mapping
        Name of a resize → by how much it alters both sides; its own sizes are those of one picture.
    """

    def __init__(self, graph: TfjsGraph, bits: int, start: str, factors: Mapping[str, float] | None = None) -> None:
        self.graph, self.stored, self.factors = graph, StoredWeights(bits), dict(factors or {})
        self.nodes: list[onnx.NodeProto] = []
        self._done = {start: "image_nchw"}

    def emit(self, name: str, channels: Sequence[int] | None = None) -> str:
        """Emit the operation called `name` and all it depends on; give its ONNX value.

        Parameters
        ----------
        channels : sequence of int, optional
            Of a convolution's output, those to keep.
        """
        node = self.graph.node(name)
        if node["name"] not in self._done:
            self._done[node["name"]] = self._emit(node, channels)
        return self._done[node["name"]]

    def _emit(self, node: Node, channels: Sequence[int] | None) -> str:
        op, inputs = node["op"], node["input"]
        if op == "Transpose":  # between NHWC and NCHW
            return self.emit(inputs[0])
        if op == "Relu6":
            return self.add("Clip", [self.emit(inputs[0]), self.stored.scalar("zero", 0), self.stored.scalar("six", 6)])
        if op == "LeakyRelu":
            return self.add("LeakyRelu", [self.emit(inputs[0])], alpha=float(node["attr"]["alpha"]["f"]))
        if op == "ConcatV2":
            if int(self._constant(inputs[-1])) != 1:
                raise SystemExit(f"{node['name']} joins other axes than channels")
            return self.add("Concat", [self.emit(each) for each in inputs[:-1]], axis=1)
        if op == "MaxPool":
            return self._pool(node)
        if op == "ResizeBilinear":
            return self._resize(node)
        if op in ("Add", "AddV2", "AddN") and self._before(node) is None:
            return self.add("Sum", [self._term(each) for each in inputs])
        return self._convolution(node, channels)

    def _term(self, name: str) -> str:
        """Emit one term of a sum, or store it where it is constant: a number a channel."""
        constant = self.graph.constant(name)
        if constant is None:
            return self.emit(name)
        return self.stored.vector(f"w{len(self.nodes)}_{len(self.stored.names)}", constant.reshape(1, -1, 1, 1))

    def _convolution(self, node: Node, channels: Sequence[int] | None) -> str:
        """Emit a convolution with the scales and shifts that follow it up to `node`."""
        steps = []
        while node["op"] not in ("Conv2D", "DepthwiseConv2dNative"):
            before = self._before(node)
            if before is None:
                raise SystemExit(f"{node['name']} is a {node['op']}, which this script does not know")
            steps.append(node)
            node = before
        kernel, group = self._constant_of_kernel(node), 1
        if node["op"] == "DepthwiseConv2dNative":
            group = kernel.shape[2]
            kernel = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])
        else:
            kernel = kernel.transpose(3, 2, 0, 1)
        scale, shift = np.ones(len(kernel)), np.zeros(len(kernel))
        for step in reversed(steps):
            factor, term = self._affine(step)
            scale, shift = scale * factor, shift * factor + term
        kernel = kernel * scale.reshape(-1, 1, 1, 1)
        if channels is not None:
            kernel, shift = kernel[list(channels)], shift[list(channels)]
        image, padding = self._padded(node)
        stem = f"w{len(self.nodes)}"
        inputs = [
            image,
            self.stored.kernel(stem, kernel.astype(np.float32), depthwise=group > 1),
            self.stored.vector(f"{stem}_shift", shift.astype(np.float32)),
        ]
        strides = [int(each) for each in node["attr"]["strides"]["list"]["i"][1:3]]
        return self.add("Conv", inputs, group=group, strides=strides, kernel_shape=list(kernel.shape[2:]), **padding)

    def _before(self, node: Node) -> Node | None:
        """Give what a scale or shift by constants is applied to, where that ends in a convolution; else None."""
        if node["op"] not in ("Add", "AddV2", "BiasAdd", "Mul", "FusedBatchNorm", "FusedBatchNormV3"):
            return None
        computed = [each for each in node["input"] if self.graph.constant(each) is None]
        before = self.graph.node(computed[0])
        ends = before["op"] in ("Conv2D", "DepthwiseConv2dNative") or self._before(before) is not None
        return before if len(computed) == 1 and ends else None

    def _affine(self, node: Node) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Read a node with constants as factor and term of each channel."""
        constants = [np.float64(c) for i in node["input"] if (c := self.graph.constant(i)) is not None]
        if node["op"].startswith("FusedBatchNorm"):
            gamma, beta, mean, variance = constants
            factor = gamma / np.sqrt(variance + float(node["attr"]["epsilon"]["f"]))
            return factor, beta - mean * factor
        (value,) = constants
        value = value.reshape(-1)
        return (value, np.zeros(1)) if node["op"] == "Mul" else (np.ones(1), value)

    def _padded(self, node: Node) -> tuple[str, dict[str, Any]]:
        """Emit what a window slides over, and say how its borders are padded."""
        if _text(node["attr"]["padding"]["s"]) == b"SAME":
            # TensorFlow's SAME is ONNX's SAME_UPPER for every size, which explicit pads would not be
            return self.emit(node["input"][0]), {"auto_pad": "SAME_UPPER"}
        source = self.graph.node(node["input"][0])
        while source["op"] == "Transpose":
            source = self.graph.node(source["input"][0])
        if source["op"] not in ("Pad", "PadV2"):
            return self.emit(source["name"]), {}
        pads = self._constant(source["input"][1])
        fill = 0.0 if source["op"] == "Pad" else float(self._constant(source["input"][2]))
        if pads[:2].any() or (fill > -1e30 if node["op"] == "MaxPool" else fill != 0):
            raise SystemExit(f"{source['name']} pads {pads.tolist()} with {fill}")
        return self.emit(source["input"][0]), {"pads": [int(each) for each in pads[2:].T.reshape(-1)]}

    def _pool(self, node: Node) -> str:
        image, padding = self._padded(node)
        shape, strides = ([int(i) for i in node["attr"][key]["list"]["i"][1:3]] for key in ("ksize", "strides"))
        return self.add("MaxPool", [image], kernel_shape=shape, strides=strides, **padding)

    def _resize(self, node: Node) -> str:
        """Emit a resize by the factor that its constant sizes stand for."""
        if not node["attr"]["half_pixel_centers"]["b"]:
            raise SystemExit(f"{node['name']} places pixels in another way")
        factor = self.factors[node["name"]]
        scales = self.stored.floats(f"scales_{factor}", [1, 1, factor, factor])
        inputs = [self.emit(node["input"][0]), "", scales]
        return self.add("Resize", inputs, mode="linear", coordinate_transformation_mode="half_pixel")

    def _constant(self, name: str) -> NDArray[Any]:
        value = self.graph.constant(name)
        if value is None:
            raise SystemExit(f"{name} is not constant")
        return value

    def _constant_of_kernel(self, node: Node) -> NDArray[np.float64]:
        if any(int(each) != 1 for each in node["attr"].get("dilations", {}).get("list", {}).get("i", [])):
            raise SystemExit(f"{node['name']} is dilated")
        return self._constant(node["input"][1]).astype(np.float64)

    def add(self, op: str, inputs: list[str], **attributes: Any) -> str:
        """Append a node; give the name of its value."""
        value = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [value], **attributes))
        return value

    def rows(self, value: str, width: int) -> str:
        """Flatten a map (n, c, h, w) to (n, rows, `width`), position by position."""
        value = self.add("Transpose", [value], perm=[0, 2, 3, 1])
        return self.add("Reshape", [value, self.stored.integers(f"flat{width}", [0, -1, width])])


def _text(value: str | list[int]) -> bytes:
    """Read a string of TensorFlow: in base64, or as numbers, by the version of the converter."""
    return base64.b64decode(value) if isinstance(value, str) else bytes(value)


def finished(converter: Converter, name: str, outputs: Mapping[str, Sequence[int | str]]) -> onnx.ModelProto:
    """Make a model whose input ``image`` is float32 (n, h, w, 3)."""
    first = helper.make_node("Transpose", ["image"], ["image_nchw"], perm=[0, 3, 1, 2])
    graph = helper.make_graph(
        [*converter.stored.nodes, first, *converter.nodes],
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, list(shape)) for key, shape in outputs.items()],
        converter.stored.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="mattingdata")
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def convert_file(description: str, convert: Callable[[TfjsGraph, int], onnx.ModelProto]) -> None:
    """Run the command line of a converter: read ``--model``, write ``--out`` with weights of ``--bits``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bits", type=int, choices=(8, 16, 32), default=8)
    arguments = parser.parse_args()
    write_model(convert(TfjsGraph(arguments.model), arguments.bits), arguments.out)
