"""SAFE-Net as ONNX, with a fixed number of refinements and free image size, checked against PyTorch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from matting_data.detectors.onnx_seal import PRODUCER, with_hash
from matting_data.errors import MattingDataError, MissingExtraError
from matting_data.networks.safenet.flaw_detector import SMALLEST
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.padding import MULTIPLE
from matting_data.seeds import generator
from matting_data.storage.atomic import write_bytes
from matting_data.version import __version__

TOLERANCE = 1e-4
"""Largest difference of any alpha between ONNX Runtime and PyTorch, both float32 on the processor."""

CHECKED_SIZES = ((1, 96, 64), (2, 64, 160), (1, 65, 97), (1, 9, 130))
"""Batch, height and width the exported file is checked at."""

_OPSET = 18


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    path : Path
    sha256 : str
    bytes : int
    iterations : int
        Refinements in the file.
    largest_difference : float
        Of any alpha at the checked sizes.
    """

    path: Path
    sha256: str
    bytes: int
    iterations: int
    largest_difference: float


def export_onnx(network: SafeNet, path: Path, iterations: int | None = None) -> Exported:
    """Write an ONNX file and check it.

    Its input ``image`` is RGB float32 in [0, 1], B×3×H×W of any batch, height and width; its outputs ``initial`` and
    ``alpha`` are α⁰ and α^T, B×1×H×W in [0, 1]. Normalisation is inside, and so is the padding of
    :mod:`matting_data.networks.safenet.padding`. The file ends with its hash
    (:mod:`matting_data.detectors.onnx_seal`).

    Parameters
    ----------
    network : SafeNet
        Exported in float32 and evaluation mode, from the processor; it is left as it was.
    path : Path
        Written whole or not at all.
    iterations : int, optional
        Refinements; those of the config without.

    Raises
    ------
    MissingExtraError
        onnx or onnxscript is not installed.
    MattingDataError
        The network's mattes are not finite, or the file disagrees with PyTorch by more than ``TOLERANCE``; nothing is
        written.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise MissingExtraError("onnx", "onnx and onnxscript are") from None
    count = network.config.refinements(iterations)
    copy = SafeNet(network.config)
    copy.load_state_dict(network.state_dict())
    wrapped = _Unrolled(copy.float(), count).eval()
    model = with_hash(padded_inside(_exported(wrapped)))
    difference = largest_difference(model, wrapped, CHECKED_SIZES)
    if not difference <= TOLERANCE:
        raise MattingDataError(
            f"the ONNX file differs from PyTorch by {difference:.1e}, more than {TOLERANCE:.0e}: nothing was written"
        )
    return Exported(path, write_bytes(path, model), len(model), count, difference)


def largest_difference(model: bytes, network: nn.Module, sizes: Sequence[tuple[int, int, int]]) -> float:
    """Measure the largest difference of any output between ONNX Runtime and `network`, on noise of the given sizes.

    MattingDataError where either is not finite.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for batch, height, width in sizes:
        image = generator("onnx", batch, height, width).random((batch, 3, height, width), dtype=np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(image))
        found = session.run(["initial", "alpha"], {"image": image})
        for theirs, ours in zip(found, expected, strict=True):
            for name, matte in (("the ONNX file", theirs), ("the network", ours.numpy())):
                if not np.isfinite(matte).all():
                    raise MattingDataError(
                        f"{name} gave NaN or infinity for a {width}×{height} image: its weights are damaged, or "
                        "training diverged; nothing was written"
                    )
            largest = max(largest, float(np.abs(theirs - ours.numpy()).max()))
    return largest


def padded_inside(model: bytes) -> bytes:
    """Let a graph of ``image`` that takes multiples of 32 from 64 on take any size, padded and cut back inside."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto = onnx.load_from_string(model)
    graph, inner = proto.graph, "padded_image"
    for node in graph.node:
        node.input[:] = [inner if name == "image" else name for name in node.input]
    outputs = [each.name for each in graph.output]
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [f"padded_{name}" if name in outputs else name for name in names]
    numbers = {"pad_zeros": [0, 0], "pad_axes": [2, 3], "pad_step": [MULTIPLE] * 2, "pad_round": [MULTIPLE - 1] * 2,
               "pad_smallest": [SMALLEST] * 2}  # fmt: skip
    graph.initializer.extend(numpy_helper.from_array(np.array(n, np.int64), name) for name, n in numbers.items())
    before = [
        helper.make_node("Shape", ["image"], ["pad_size"], start=2, end=4),
        helper.make_node("Add", ["pad_size", "pad_round"], ["pad_raised"]),
        helper.make_node("Div", ["pad_raised", "pad_step"], ["pad_steps"]),
        helper.make_node("Mul", ["pad_steps", "pad_step"], ["pad_multiple"]),
        helper.make_node("Max", ["pad_multiple", "pad_smallest"], ["pad_target"]),
        helper.make_node("Sub", ["pad_target", "pad_size"], ["pad_after"]),
        helper.make_node("Concat", ["pad_zeros", "pad_after"], ["pad_amounts"], axis=0),
        helper.make_node("Pad", ["image", "pad_amounts", "", "pad_axes"], [inner], mode="edge"),
    ]
    after = [
        helper.make_node("Slice", [f"padded_{name}", "pad_zeros", "pad_size", "pad_axes"], [name]) for name in outputs
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    for each, channels in ((graph.input[0], 3), *((output, 1) for output in graph.output)):
        shape: list[str | int | None] = ["batch", channels, "height", "width"]
        each.CopyFrom(helper.make_tensor_value_info(each.name, TensorProto.FLOAT, shape))
    proto.producer_name, proto.producer_version = PRODUCER, __version__
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


class _Unrolled(nn.Module):
    def __init__(self, network: SafeNet, count: int) -> None:
        super().__init__()
        self.network = network
        self.count = count

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        output = self.network(image, self.count)
        return output.initial, output.final.clone()  # two outputs of one name would become one


def _exported(wrapped: nn.Module) -> bytes:
    batch = torch.export.Dim("batch", min=1, max=1024)
    height = MULTIPLE * torch.export.Dim("rows", min=SMALLEST // MULTIPLE, max=512)
    width = MULTIPLE * torch.export.Dim("columns", min=SMALLEST // MULTIPLE, max=512)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            wrapped,
            (torch.zeros(2, 3, 96, 128),),
            dynamo=True,
            opset_version=_OPSET,
            input_names=["image"],
            output_names=["initial", "alpha"],
            dynamic_shapes={"image": {0: batch, 2: height, 3: width}},
            verbose=False,
        )
    return bytes(program.model_proto.SerializeToString())
