# ruff: noqa: E402 - without torch there is nothing to import
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support import network_reference as reference

torch = pytest.importorskip("torch")

from matting_data.networks.safenet.decoder import Decoder
from matting_data.networks.safenet.flaw_detector import FlawDetector
from matting_data.networks.safenet.flaw_elimination import FlawElimination
from matting_data.networks.safenet.initial_weights import parameter_count
from matting_data.networks.safenet.recurrent import ConvGru, ConvLstm
from matting_data.networks.safenet.semantic_addition import ChannelAttention, SemanticAddition, SpatialAttention


def randomised(module: Any, seed: int = 0) -> tuple[Any, dict[str, np.ndarray]]:
    """Return the module in float64 and evaluation mode with random weights and statistics, and these as arrays."""
    rng = np.random.default_rng(seed)
    module = module.double().eval()
    for name, tensor in module.state_dict().items():
        if "running_var" in name:
            tensor.copy_(torch.from_numpy(rng.uniform(0.5, 2.0, tuple(tensor.shape))))
        elif "num_batches" not in name:
            tensor.copy_(torch.from_numpy(rng.normal(0.1, 0.4, tuple(tensor.shape))))
    return module, {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def given(*arrays: np.ndarray) -> list[Any]:
    return [torch.from_numpy(array) for array in arrays]


def test_equation_1_channel_attention() -> None:
    module, weights = randomised(ChannelAttention(12, 5))
    e5 = numbers(2, 12, 3, 4) - 0.5
    with torch.no_grad():
        found = module(*given(e5)).numpy()
    assert found.shape == (2, 5, 1, 1)
    assert np.allclose(found[:, :, 0, 0], reference.channel_attention(e5, weights), atol=1e-12)


@pytest.mark.parametrize("width", [1, 3, 8])
def test_equations_1_and_2_for_any_width(width: int) -> None:
    module, weights = randomised(SemanticAddition(width))
    matte, image, place = numbers(2, 1, 6, 7), numbers(2, 3, 6, 7, seed=2) - 0.5, numbers(2, 1, 6, 7, seed=3)
    channel = numbers(2, width, 1, 1, seed=4)
    with torch.no_grad():
        found = module(*given(matte, image, channel, place)).numpy()
    assert found.shape == (2, width, 6, 7)
    assert np.abs(found).max() > 0
    assert np.allclose(found, reference.sam(matte, image, channel[:, :, 0, 0], place, weights), atol=1e-10)


def test_spatial_attention_is_a_sigmoid_of_one_convolution() -> None:
    module, weights = randomised(SpatialAttention(4))
    d5 = numbers(1, 4, 5, 6)
    expected = reference.sigmoid(reference.conv(d5, weights["head.conv.weight"], weights["head.conv.bias"]))
    with torch.no_grad():
        assert np.allclose(module(*given(d5)).numpy(), expected, atol=1e-12)


def test_equation_3_and_two_steps_of_the_convlstm() -> None:
    module, weights = randomised(FlawElimination(4, 3, "convlstm"))
    flaws, e1, features = numbers(2, 1, 6, 8), numbers(2, 16, 3, 4, seed=2), numbers(2, 4, 6, 8, seed=3)
    h = c = np.zeros((2, 4, 6, 8))
    state = None
    with torch.no_grad():
        for _ in range(2):
            h, c = reference.fem(flaws, e1, features, h, c, weights)
            found, state = module(*given(flaws, e1, features), state)
            assert np.allclose(found.numpy(), h, atol=1e-10)
            assert np.allclose(state[1].numpy(), c, atol=1e-10)
            features = features * 0.5  # the second step sees something else


def test_convlstm_cell() -> None:
    module, weights = randomised(ConvLstm(3))
    x, h, c = numbers(2, 3, 4, 5), numbers(2, 3, 4, 5, seed=2) - 0.5, numbers(2, 3, 4, 5, seed=3) - 0.5
    expected = reference.conv_lstm(x, h, c, weights["gates.weight"], weights["gates.bias"])
    with torch.no_grad():
        _, state = module(torch.from_numpy(x), tuple(given(h, c)))
    assert all(np.allclose(found.numpy(), wanted, atol=1e-12) for found, wanted in zip(state, expected, strict=True))


def test_convgru_cell() -> None:
    module, weights = randomised(ConvGru(3))
    x, h = numbers(2, 3, 4, 5), numbers(2, 3, 4, 5, seed=2) - 0.5
    with torch.no_grad():
        found, state = module(torch.from_numpy(x), tuple(given(h)))
        first, _ = module(torch.from_numpy(x))
    assert np.allclose(found.numpy(), reference.conv_gru(x, h, weights), atol=1e-12)
    assert np.allclose(first.numpy(), reference.conv_gru(x, np.zeros_like(h), weights), atol=1e-12)
    assert torch.equal(found, state[0])


def test_gates_stay_in_float32_when_all_around_is_bfloat16() -> None:
    module = ConvLstm(3).bfloat16()
    found, (h, c) = module(torch.rand(1, 3, 4, 4).bfloat16())
    assert (found.dtype, h.dtype, c.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)


def test_decoder_shapes_at_512() -> None:
    with torch.device("meta"):
        encoded = [
            torch.zeros(1, channels, 512 // stride, 512 // stride)
            for channels, stride in ((16, 2), (24, 4), (32, 8), (96, 16), (1280, 32))
        ]
        decoder = Decoder(256, (128, 96, 64, 48, 32))
        shapes: list[tuple[int, ...]] = []
        for block in decoder.blocks:
            block.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
        decoder(encoded, torch.zeros(1, 3, 512, 512))
    assert shapes == [(128, 32, 32), (96, 64, 64), (64, 128, 128), (48, 256, 256), (32, 512, 512)]


def test_detector_shapes_and_size() -> None:
    with torch.device("meta"):
        detector = FlawDetector()
        shapes: list[tuple[int, ...]] = []
        for layer in (*detector.layers[::3], detector.classifier):
            layer.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
        found = detector(torch.zeros(1, 3, 512, 512), torch.zeros(1, 1, 512, 512))
    assert shapes == [
        (64, 256, 256), (128, 128, 128), (128, 127, 127), (256, 63, 63), (256, 62, 62), (512, 31, 31), (512, 30, 30),
        (1, 15, 15),
    ]  # fmt: skip
    assert found.shape == (1, 1, 512, 512)
    assert parameter_count(detector) == 8_273_537  # 8.274 M


def test_detector_is_linear_at_its_end_and_equals_the_definition() -> None:
    module, weights = randomised(FlawDetector(3))  # an odd width: the batch norm gets the larger half
    image, matte = numbers(1, 3, 64, 72), numbers(1, 1, 64, 72, seed=2)
    with torch.no_grad():
        found = module(*given(image, matte)).numpy()
    assert found.shape == (1, 1, 64, 72)
    assert np.allclose(found, reference.detector(image, matte, weights), atol=1e-9)


def test_detector_at_its_smallest_size_has_one_cell() -> None:
    detector = FlawDetector(2)
    found = detector.train()(torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64))
    assert torch.equal(found, found[:, :, :1, :1].expand_as(found))
