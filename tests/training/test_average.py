from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from matting_data.networks.safenet.initial_weights import build_network  # noqa: E402
from matting_data.networks.weights import read_checkpoint, state_sha256  # noqa: E402
from matting_data.training.checkpoint import checkpoints  # noqa: E402
from matting_data.training.ema import Average  # noqa: E402
from tests.support.training_runs import run_here, tiny  # noqa: E402


def test_weights_are_averaged_and_statistics_copied() -> None:
    network = build_network(tiny().network, 1)
    average = Average(network, 0.3)
    expected = network.head.conv.weight.detach().clone()
    for step in range(4):
        with torch.no_grad():
            network.head.conv.weight.fill_(float(step))
            network.decoder.blocks[0][0][1].running_mean.fill_(float(step))
        average.update(network)
        decay = min(0.3, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    torch.testing.assert_close(average.network.head.conv.weight, expected)
    assert float(average.network.decoder.blocks[0][0][1].running_mean.mean()) == 3.0
    assert not average.network.training and not average.network.head.conv.weight.requires_grad


def test_the_average_is_what_a_run_keeps(dataset: Path, tmp_path: Path) -> None:
    result = run_here(dataset, tmp_path / "run", "ema=0.9", "validation.share=0")
    last = checkpoints(tmp_path / "run")[-1]
    average, weights = (read_checkpoint(last / f"{name}.safetensors")[0] for name in ("average", "network"))
    assert result.sha256 == state_sha256(average) != state_sha256(weights)
