"""Runs whose encoder starts from weights with torchvision's names, as published files hold them, or cannot."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from matting_data.errors import MissingExtraError, UsageError  # noqa: E402
from matting_data.networks import weights  # noqa: E402
from matting_data.networks.weights import load_network  # noqa: E402
from tests.support.misbehaving_server import Server, good, running  # noqa: E402
from tests.support.mobilenet_v2 import MobileNetV2  # noqa: E402
from tests.support.training_runs import run_here, start  # noqa: E402

KEPT = ("matting.encoder_factor=0", "batch_norm=freeze_encoder", "steps=2", "validation.share=0")
"""The encoder's weights stay what they were at first."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    with running() as server:
        yield server


def published(changes: dict[str, Any] | None = None) -> tuple[MobileNetV2, bytes]:
    """Return a classifier of random weights, and the file of it with some entries changed."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        classifier = MobileNetV2()
    stream = io.BytesIO()
    torch.save({**classifier.state_dict(), **(changes or {})}, stream)
    return classifier, stream.getvalue()


def encoder_of(run: Path) -> dict[str, Any]:
    return {name: each for name, each in load_network(run).encoder.features.state_dict().items() if "num" not in name}


def same(run: Path, classifier: MobileNetV2) -> bool:
    theirs = classifier.features.state_dict()
    return all(torch.equal(each, theirs[name]) for name, each in encoder_of(run).items())


def test_imagenet_is_fetched_once_and_is_what_the_encoder_starts_from(
    dataset: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, content = published()
    path = f"/mobilenet_v2-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    monkeypatch.setattr(weights, "IMAGENET", server.at(path, good(content, kind="application/octet-stream")))
    for run in ("one", "two"):
        result = run_here(dataset, tmp_path / run, *KEPT, "encoder=imagenet")
        assert same(result.network, classifier)
    assert server.count(path) == 1
    file = tmp_path / "hub" / "hub" / "checkpoints" / path[1:]
    assert file.read_bytes() == content
    assert same(run_here(dataset, tmp_path / "three", *KEPT, f"encoder={file}").network, classifier)


def test_a_file_that_does_not_fit_is_one_sentence_and_leaves_no_run(dataset: Path, tmp_path: Path) -> None:
    _, content = published({"features.2.conv.0.0.weight": torch.zeros(3, 3)})
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    process = start(dataset, tmp_path / "run", f"encoder={path}")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2 and errors.count("\n") == 1, errors
    assert "features.2.conv.0.0.weight has the shape (3, 3), not (96, 16, 1, 1)" in errors
    assert not (tmp_path / "run").exists()


def test_an_address_that_does_not_answer(dataset: Path, tmp_path: Path, server: Server) -> None:
    with pytest.raises(UsageError, match=r"cannot fetch .*/gone\.pth .* or start from 'random'"):
        run_here(dataset, tmp_path / "run", f"encoder={server.at('/gone.pth')}")
    assert not (tmp_path / "run").exists()


def test_without_safetensors_no_run_starts(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtraError, match=r"safetensors is not installed: .*\[torch\]"):
        run_here(dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
