# ruff: noqa: E402 - without torch there is nothing to import
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from matting_data.networks.backbones.mobilenet_v2 import InvertedResidual
from matting_data.networks.safenet.encoder import Encoder
from matting_data.networks.safenet.initial_weights import parameter_count
from tests.support.mobilenet_v2 import MobileNetV2
from tests.support.network_reference import batch_norm, conv

TORCHVISION = {
    "features.0.0.weight": (32, 3, 3, 3),
    "features.0.1.running_var": (32,),
    "features.1.conv.0.0.weight": (32, 1, 3, 3),
    "features.1.conv.1.weight": (16, 32, 1, 1),
    "features.1.conv.2.bias": (16,),
    "features.2.conv.0.0.weight": (96, 16, 1, 1),
    "features.2.conv.0.1.weight": (96,),
    "features.2.conv.1.0.weight": (96, 1, 3, 3),
    "features.2.conv.2.weight": (24, 96, 1, 1),
    "features.2.conv.3.running_mean": (24,),
    "features.4.conv.2.weight": (32, 144, 1, 1),
    "features.7.conv.2.weight": (64, 192, 1, 1),
    "features.11.conv.2.weight": (96, 384, 1, 1),
    "features.14.conv.1.0.weight": (576, 1, 3, 3),
    "features.14.conv.2.weight": (160, 576, 1, 1),
    "features.17.conv.2.weight": (320, 960, 1, 1),
    "features.17.conv.3.num_batches_tracked": (),
    "features.18.0.weight": (1280, 320, 1, 1),
    "features.18.1.weight": (1280,),
    "classifier.1.weight": (1000, 1280),
    "classifier.1.bias": (1000,),
}


def test_names_shapes_and_counts_are_torchvisions() -> None:
    network = MobileNetV2()
    state = network.state_dict()
    assert {name: tuple(state[name].shape) for name in TORCHVISION} == TORCHVISION
    assert len(state) == 314  # 52 convolutions, 52 batch norms of five entries, the classifier's two
    assert parameter_count(network) == 3_504_872
    assert network.eval()(torch.zeros(2, 3, 64, 96)).shape == (2, 1000)


def test_only_blocks_that_keep_the_shape_add_their_input() -> None:
    adding = [number for number, stage in enumerate(MobileNetV2().features) if getattr(stage, "adds_input", False)]
    assert adding == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]


def test_taps_are_the_five_strides() -> None:
    with torch.device("meta"):
        taps = Encoder()(torch.zeros(1, 3, 512, 512))
    assert [tuple(tap.shape[1:]) for tap in taps] == [
        (16, 256, 256), (24, 128, 128), (32, 64, 64), (96, 32, 32), (1280, 16, 16)
    ]  # fmt: skip


def test_a_block_computes_expand_filter_project_add() -> None:
    rng = np.random.default_rng(0)
    block = InvertedResidual(4, 4, stride=1, expansion=2).double().eval()
    for name, tensor in block.state_dict().items():
        if "num_batches" not in name:
            tensor.copy_(torch.from_numpy(rng.uniform(0.2, 1.0, tuple(tensor.shape)) - 0.5 * ("var" not in name)))
    w = {name: tensor.numpy() for name, tensor in block.state_dict().items()}
    x = rng.normal(size=(2, 4, 5, 6))
    middle = np.clip(batch_norm(conv(x, w["conv.0.0.weight"]), w, "conv.0.1"), 0, 6)
    filtered = np.concatenate([conv(middle[:, k : k + 1], w["conv.1.0.weight"][k : k + 1]) for k in range(8)], axis=1)
    filtered = np.clip(batch_norm(filtered, w, "conv.1.1"), 0, 6)
    expected = x + batch_norm(conv(filtered, w["conv.2.weight"]), w, "conv.3")
    with torch.no_grad():
        assert np.allclose(block(torch.from_numpy(x)).numpy(), expected, atol=1e-12)
