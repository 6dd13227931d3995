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

from matting_data.errors import MattingDataError, MissingExtraError
from matting_data.networks.safenet.flaw_detector import SMALLEST
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.padding import MULTIPLE
from matting_data.seeds import generator
from matting_data.storage.atomic import write_bytes

TOLERANCE = 1e-4
"""Largest difference of any alpha between ONNX Runtime and PyTorch, both float32 on the processor."""

CHECKED_SIZES = ((1, 96, 64), (2, 64, 160))
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

    Its input ``image`` is RGB float32 in [0, 1], B×3×H×W, H and W multiples of 32 from 64 on (padding is the caller's,
    as in :mod:`matting_data.networks.safenet.padding`); its outputs ``initial`` and ``alpha`` are α⁰ and α^T, B×1×H×W
    in [0, 1]. Normalisation is inside.

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
        The file disagrees with PyTorch by more than ``TOLERANCE``; nothing is written.
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
    model = _exported(wrapped)
    difference = largest_difference(model, wrapped, CHECKED_SIZES)
    if not difference <= TOLERANCE:
        raise MattingDataError(
            f"the ONNX file differs from PyTorch by {difference:.1e}, more than {TOLERANCE:.0e}: nothing was written"
        )
    return Exported(path, write_bytes(path, model), len(model), count, difference)


def largest_difference(model: bytes, network: nn.Module, sizes: Sequence[tuple[int, int, int]]) -> float:
    """Return the largest difference of any output between ONNX Runtime and `network`, on noise of the given sizes."""
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
            largest = max(largest, float(np.abs(theirs - ours.numpy()).max()))
    return largest


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
