from __future__ import annotations

import copy
import pickle
import sys

import numpy as np
import pytest

from matting_data.errors import MissingExtraError, UsageError
from matting_data.evaluation.torch_metrics import MattingMetrics
from matting_data.metrics import connectivity, gradient, mad, mse, sad


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"torch is not installed: run pip install 'mattingdata\[torch\]'"):
        MattingMetrics()


def batch(seed: int, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((count, 1, 12, 16)), rng.random((count, 1, 12, 16))


def test_means_over_batches_are_those_over_images() -> None:
    torch = pytest.importorskip("torch")
    metrics = MattingMetrics(prefix="val/")
    expected: dict[str, list[float]] = {name: [] for name in ("mse", "mad", "sad", "gradient", "connectivity")}
    for seed, count in ((0, 3), (1, 1)):  # the last batch is smaller: a mean of batch means would be wrong
        p, g = batch(seed, count)
        tensor = torch.tensor(p, requires_grad=True)
        metrics.update(tensor, torch.tensor(g))
        for one, other in zip(p[:, 0], g[:, 0], strict=True):
            for metric in (mse, mad, sad, gradient, connectivity):
                expected[metric.__name__].append(metric(one, other))
    result = metrics.compute()
    assert all(value.dtype == torch.float64 and value.shape == () for value in result.values())
    assert {name: value.item() for name, value in result.items()} == pytest.approx(
        {f"val/{name}": np.mean(values) for name, values in expected.items()}, rel=1e-12
    )
    metrics.reset()
    with pytest.raises(UsageError, match="no image was taken"):
        metrics.compute()


def test_calling_returns_the_batch_and_keeps_it() -> None:
    torch = pytest.importorskip("torch")
    metrics = MattingMetrics(("sad",))
    first, second = (tuple(map(torch.tensor, batch(seed))) for seed in (0, 1))
    alone = metrics(*first)["sad"].item()
    assert metrics(*second)["sad"].item() != alone
    both = metrics.compute()["sad"].item()
    metrics.reset()
    metrics.update(*second)
    assert both == pytest.approx((alone + metrics.compute()["sad"].item()) / 2, rel=1e-12)


def test_shapes_and_types() -> None:
    torch = pytest.importorskip("torch")
    p, g = batch(2, 2)
    values = []
    for shape in ((2, 1, 12, 16), (2, 12, 16)):
        metrics = MattingMetrics(("mse",))
        metrics.update(torch.tensor(p).reshape(shape), torch.tensor(g).reshape(shape))
        values.append(metrics.compute()["mse"].item())
    assert values[0] == values[1]
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-3)):
        metrics = MattingMetrics(("mse",))
        metrics.update(torch.tensor(p).to(dtype), torch.tensor(g).to(dtype))
        assert metrics.compute()["mse"].item() == pytest.approx(values[0], rel=tolerance)
    region = torch.zeros(2, 12, 16, dtype=torch.bool)
    region[:, 3:5] = True
    metrics = MattingMetrics(("sad",))
    metrics.update(torch.tensor(p), torch.tensor(g), region)
    assert metrics.compute()["sad"].item() == pytest.approx(np.abs(p - g)[:, 0, 3:5].sum() / 2, rel=1e-12)


def test_mistakes() -> None:
    torch = pytest.importorskip("torch")
    p, g = map(torch.tensor, batch(3))
    metrics = MattingMetrics()
    for arguments, words in (
        ((p[:2], g), "2 predictions for 3 truths"),
        ((p, g, torch.ones(2, 12, 16, dtype=torch.bool)), "2 regions for 3 truths"),
        ((p.repeat(1, 3, 1, 1), g), "pass N×1×H×W"),
        ((p * torch.nan, g), "NaN"),
        ((p, g, torch.zeros(3, 12, 16, dtype=torch.bool)), "the region is empty"),
    ):
        with pytest.raises(UsageError, match=words):
            metrics.update(*arguments)
    with pytest.raises(UsageError, match="no image was taken"):  # what was refused left nothing behind
        metrics.compute()
    with pytest.raises(UsageError, match="no metric 'sadd'; did you mean 'sad'"):
        MattingMetrics(("sadd",))


def _process(rank: int, port: int, queue) -> None:
    import os

    import torch

    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    metrics = MattingMetrics(("sad", "mse"))
    p, g = batch(rank, 1 + rank)
    metrics.update(p, g)
    queue.put({name: value.item() for name, value in metrics.compute().items()})
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_of_a_distributed_run_are_joined() -> None:
    torch = pytest.importorskip("torch")
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = torch.multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    processes = [context.Process(target=_process, args=(rank, port, queue)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    results = [queue.get(), queue.get()]
    alone = MattingMetrics(("sad", "mse"))
    for rank in range(2):
        alone.update(*batch(rank, 1 + rank))
    expected = {name: value.item() for name, value in alone.compute().items()}
    assert results[0] == results[1] == pytest.approx(expected, rel=1e-12)


def test_metrics_are_copied_and_pickled_with_what_they_took() -> None:
    torch = pytest.importorskip("torch")
    metrics = MattingMetrics(("sad", "mse"), prefix="val/")
    metrics.update(*batch(4))
    expected = metrics.compute()
    module = torch.nn.Linear(1, 1)
    module.metrics = metrics
    averaged = torch.optim.swa_utils.AveragedModel(module).module.metrics
    for twin in (copy.deepcopy(metrics), pickle.loads(pickle.dumps(metrics)), averaged):
        assert twin.compute() == expected
        twin.update(*batch(5))
        assert twin.compute() != expected and metrics.compute() == expected
