"""Convert ``pose_detection.tflite`` of the ``mediapipe`` 0.10.21 wheel into a small ONNX file.

Needs ``tensorflow-cpu``, ``tf2onnx`` and ``onnx``; none is a dependency of mattingdata::

    pip download --no-deps mediapipe==0.10.21
    python tools/convert_pose.py --wheel mediapipe-0.10.21-*.whl \
        --out matting_data/detectors/weights/pose_person.onnx.gz

The wheel holds three quarters of the weights as sparse float16, which tf2onnx cannot read: TensorFlow's interpreter
expands them first. The ONNX file stores the dense float16 values, exactly those of the original, and is compressed
because most of them are zero.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from weight_storage import StoredWeights, write_model

NAMES = {"Identity": "encodings", "Identity_1": "logits", "input_1": "image"}
MODEL_IN_WHEEL = "mediapipe/modules/pose_detection/pose_detection.tflite"


def densified(source: Path, target: Path) -> None:
    """Write a TensorFlow Lite model whose weights are plain float32 constants."""
    import tensorflow as tf
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    resolver = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(
        str(source), experimental_preserve_all_tensors=True, num_threads=1, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    interpreter.invoke()  # whatever the input holds: only the expanded constants are read
    model = flatbuffer_utils.read_model(str(source))
    graph = model.subgraphs[0]
    expanding = (schema.BuiltinOperator.DENSIFY, schema.BuiltinOperator.DEQUANTIZE)
    kept = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) not in expanding:
            kept.append(operator)
            continue
        output = operator.outputs[0]
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(interpreter.get_tensor(output).astype(np.float32).tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor = graph.tensors[output]
        tensor.buffer, tensor.type, tensor.sparsity = len(model.buffers) - 1, schema.TensorType.FLOAT32, None
    graph.operators = kept
    used = {int(i) for operator in kept for i in (*operator.inputs, *operator.outputs)}
    for index, tensor in enumerate(graph.tensors):
        if index not in used:
            tensor.buffer, tensor.type, tensor.sparsity = 0, schema.TensorType.FLOAT32, None
    flatbuffer_utils.write_model(model, str(target))


def canonical(
    nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto], ends: list[str]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Order and name everything by its place in the graph, seen from `ends`.

    tf2onnx orders and numbers its nodes differently on every run; this makes the file repeatable to the byte.
    """
    makers = {output: node for node in nodes for output in node.output}
    constants = {initializer.name: initializer for initializer in initializers}
    names = dict(NAMES)
    ordered: list[onnx.NodeProto] = []
    used: list[onnx.TensorProto] = []

    def visit(value: str) -> None:
        if value in constants and constants[value] not in used:
            used.append(constants[value])
        node = makers.get(value)
        if node is None or node in ordered:
            return
        for name in node.input:
            visit(name)
        ordered.append(node)

    for end in ends:
        visit(end)
    for number, initializer in enumerate(used):
        names.setdefault(initializer.name, f"c{number}")
        initializer.name = names[initializer.name]
    for number, node in enumerate(ordered):
        node.name = f"n{number}"
        for values in (node.input, node.output):
            for index, name in enumerate(values):
                values[index] = names.setdefault(name, f"v{len(names)}") if name else ""
    return ordered, used


def stored_small(model: onnx.ModelProto, bits: int) -> onnx.ModelProto:
    """Store every float32 constant of more than eight values in `bits`, expanded inside the graph."""
    stored = StoredWeights(bits)
    renamed: dict[str, str] = {}
    untouched = []
    for number, initializer in enumerate(model.graph.initializer):
        array = numpy_helper.to_array(initializer)
        if array.dtype == np.float32 and array.size > 8:
            depthwise = array.ndim != 4 or array.shape[1] == 1
            renamed[initializer.name] = stored.kernel(f"w{number}", array, depthwise)
        else:
            untouched.append(initializer)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
    nodes = [*stored.nodes, *model.graph.node]
    nodes, initializers = canonical(nodes, [*stored.initializers, *untouched], list(NAMES))
    for value in (*model.graph.input, *model.graph.output):
        value.name = NAMES[value.name]
    graph = onnx.helper.make_graph(nodes, "pose_person", model.graph.input, model.graph.output, initializers)
    result = onnx.helper.make_model(graph, opset_imports=model.opset_import, producer_name="mattingdata")
    result.ir_version = 8
    onnx.checker.check_model(result)
    return result


def main() -> None:
    """Read the wheel, write the ONNX file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bits", type=int, choices=(8, 16, 32), default=16)
    arguments = parser.parse_args()
    import tf2onnx

    with tempfile.TemporaryDirectory() as folder:
        source, dense = Path(folder) / "sparse.tflite", Path(folder) / "dense.tflite"
        with zipfile.ZipFile(arguments.wheel) as wheel:
            source.write_bytes(wheel.read(MODEL_IN_WHEEL))
        densified(source, dense)
        model, _ = tf2onnx.convert.from_tflite(str(dense), opset=17)
    write_model(stored_small(model, arguments.bits), arguments.out)


if __name__ == "__main__":
    main()
