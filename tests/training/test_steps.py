from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import matting_data  # noqa: E402
from matting_data.errors import UsageError  # noqa: E402
from matting_data.networks.cuda_memory import is_out_of_memory  # noqa: E402
from matting_data.networks.safenet.initial_weights import build_network  # noqa: E402
from matting_data.networks.safenet.network import SafeNet  # noqa: E402
from matting_data.training.parallel import World  # noqa: E402
from matting_data.training.run_folder import read_rows  # noqa: E402
from matting_data.training.steps import Stepper  # noqa: E402
from matting_data.training.training_data import Batches, split_run  # noqa: E402
from tests.support.training_runs import run_here, tiny  # noqa: E402


def test_parts_of_a_batch_add_up_to_the_step_of_the_whole(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for batch norms, which see a part each: here they keep their statistics."""
    monkeypatch.setattr(Stepper, "set_mode", lambda self: self.network.eval())
    states, reports = [], []
    for parts in (1, 2, 4):
        config = tiny(f"accumulate={parts}", "network.flaw_map=zeros", "matting.kind=sgd", "matting.rate=0.1")
        data = split_run(matting_data.open(dataset), config)
        batch = next(iter(Batches(data.train, config, 0, 1).loader))
        network = build_network(config.network, 1).eval()
        reports.append(Stepper(network, config, 10, World(0, 1, torch.device("cpu"))).step(batch, 0).values)
        states.append(network.state_dict())
    start = build_network(config.network, 1).state_dict()
    assert max(float((states[0][name] - start[name]).abs().max()) for name in start) > 1e-3
    for state, report in zip(states[1:], reports[1:], strict=True):
        assert report == pytest.approx(reports[0], rel=1e-4)
        for name, tensor in state.items():
            torch.testing.assert_close(tensor, states[0][name], rtol=1e-4, atol=1e-6, msg=name)


def test_the_processors_own_words_for_too_little_memory_are_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory")) and is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes differ")) and not is_out_of_memory(ValueError("not enough memory"))


def compiled_by(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks be compiled by something faster than the default, which calls a C++ compiler for minutes."""
    torch._dynamo.reset()
    monkeypatch.setattr(SafeNet, "compile", lambda self: torch.nn.Module.compile(self, backend=backend))


def test_a_compiled_network_takes_the_same_steps(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    run_here(dataset, tmp_path / "plain", "steps=3", "validation.every=1")
    compiled_by(backend, monkeypatch)
    run_here(dataset, tmp_path / "compiled", "steps=3", "validation.every=1", "compile=true")
    assert len(graphs) == 1  # one graph, of training; nothing for the looks in evaluation mode
    plain, compiled = (read_rows(tmp_path / run / "metrics.jsonl") for run in ("plain", "compiled"))
    assert [row["loss"] for row in compiled] == pytest.approx([row["loss"] for row in plain], rel=1e-4)
    looks = [json.loads((tmp_path / run / "result.json").read_text())["watched"] for run in ("plain", "compiled")]
    assert looks[1][2] == pytest.approx(looks[0][2], rel=1e-3)


def test_a_compiler_that_fails_is_a_sentence(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no working C++ compiler\nand much more")

    compiled_by(backend, monkeypatch)
    with pytest.raises(UsageError) as caught:
        run_here(dataset, tmp_path / "run", "compile=true")
    assert str(caught.value) == (
        "torch.compile fails here (no working C++ compiler): set compile to false, or install what it lacks"
    )
