# ruff: noqa: E402 - without torch there is nothing to import
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from matting_data.detectors.onnx_seal import require_whole
from matting_data.errors import DamageError, MattingDataError, MissingExtraError, UsageError
from matting_data.networks import onnx_export as export
from matting_data.networks.onnx_export import TOLERANCE, export_onnx
from matting_data.networks.safenet.initial_weights import build_network
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.options import SafeNetConfig
from matting_data.storage.atomic import sha256_file

CONFIG = SafeNetConfig(width=4, flaw_width=2, detector_width=2, reduced_width=8, decoder_widths=(8, 8, 8, 8, 8))


@pytest.fixture(scope="module")
def network() -> SafeNet:
    network = build_network(CONFIG, 3)
    with torch.no_grad():
        for _ in range(3):  # statistics of their own, or batch norms would be tested at 0 and 1
            network(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    return network


@pytest.mark.slow
def test_an_exported_network_equals_pytorch_at_sizes_it_never_saw(network: SafeNet, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    network.train()
    path = tmp_path / "network.onnx"
    result = export_onnx(network, path, iterations=2)
    assert network.training
    assert result.largest_difference <= TOLERANCE
    assert (result.iterations, result.bytes, result.sha256) == (2, path.stat().st_size, sha256_file(path))
    damaged = bytearray(path.read_bytes())
    require_whole(bytes(damaged), path.name)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(DamageError, match=r"network.onnx is damaged"):
        require_whole(bytes(damaged), path.name)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["image"]
    network.eval()
    sizes = ((64, 64), (128, 96), (65, 97), (96, 100), (32, 32), (16, 16), (1, 1), (200, 3))
    for shape in ((2, 3, *size) for size in sizes):
        image = np.random.default_rng(shape[2]).random(shape, dtype=np.float32)
        initial, alpha = session.run(["initial", "alpha"], {"image": image})
        with torch.no_grad():
            expected = network(torch.from_numpy(image), 2)
        assert np.abs(initial - expected.initial.numpy()).max() <= TOLERANCE
        assert np.abs(alpha - expected.final.numpy()).max() <= TOLERANCE
        assert np.abs(alpha - expected.mattes[0].numpy()).max() > 10 * TOLERANCE or min(shape[2:]) < 16  # the second


def test_an_export_that_disagrees_is_not_written(
    network: SafeNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setattr(export, "_exported", lambda _: b"model")
    monkeypatch.setattr(export, "padded_inside", lambda model: model)
    for difference in (0.5, float("nan")):
        monkeypatch.setattr(export, "largest_difference", lambda *_, value=difference: value)
        with pytest.raises(MattingDataError, match=r"differs from PyTorch .* nothing was written"):
            export_onnx(network, tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


def test_a_graph_sees_padded_images_and_gives_mattes_of_their_own_size() -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    helper, shape = onnx.helper, ["b", 3, "h", "w"]
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=1),  # over all that it sees
        helper.make_node("ReduceMax", ["image", "channels"], ["initial"], keepdims=1),
        helper.make_node("Add", ["initial", "mean"], ["alpha"]),
    ]
    values = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in ("image", "initial", "alpha")
    ]
    channels = onnx.numpy_helper.from_array(np.array([1], np.int64), "channels")
    graph = helper.make_graph(nodes, "graph", values[:1], values[1:], [channels])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(export.padded_inside(model.SerializeToString()))
    for height, width in ((64, 64), (65, 97), (96, 100), (32, 32), (16, 16), (1, 1), (1, 200), (130, 3)):
        image = np.random.default_rng(height).random((2, 3, height, width), dtype=np.float32)
        seen = [max(64, -(-side // 32) * 32) - side for side in (height, width)]
        padded = np.pad(image, ((0, 0), (0, 0), (0, seen[0]), (0, seen[1])), mode="edge")
        initial, alpha = session.run(["initial", "alpha"], {"image": image})
        np.testing.assert_array_equal(initial, image.max(1, keepdims=True))
        np.testing.assert_allclose(alpha - initial, padded.mean(), atol=1e-5)


def test_what_is_not_finite_never_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")

    class Session:
        def run(self, *_: object) -> list[np.ndarray]:
            return [np.full((1, 1, 64, 64), np.nan, np.float32)] * 2

    def broken(image: Any) -> Any:
        return (image[:, :1] * torch.nan,) * 2

    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: Session())
    with pytest.raises(MattingDataError, match="gave NaN or infinity for a 64×64 image"):
        export.largest_difference(b"", broken, [(1, 64, 64)])


def test_without_onnx_the_extra_is_named(network: SafeNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"onnx and onnxscript are not installed.*\[onnx\]"):
        export_onnx(network, tmp_path / "network.onnx")


def test_refinements_it_does_not_have(network: SafeNet, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(UsageError, match="-1 refinements"):
        export_onnx(network, tmp_path / "network.onnx", iterations=-1)
