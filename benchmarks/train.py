"""Where the time of a training step goes, and the share of it that waits for data.

    python -m benchmarks.train --data DIR [--preset unrolled] [--steps 10] [--device auto] [--set KEY=VALUE]
        [--peak TFLOPS] [--json]

Steps are those of ``mattingdata train``: shards are read, decoded, cropped and augmented by ``data.workers`` processes
while the network computes. The floor is the same steps on one batch that stays in memory. The first two steps, which
start processes and allocate memory, do not count.

Operations of a step are those of its convolutions and products, forward and backward, the detector's own step and what
``checkpoint_steps`` computes again included. The peak that they are a share of is given by ``--peak``, or measured: a
large product of matrices in the same precision on the same device.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import matting_data
from matting_data.networks.safenet.initial_weights import build_network
from matting_data.training.config import TrainConfig
from matting_data.training.config_file import load_config
from matting_data.training.parallel import World, world
from matting_data.training.steps import Stepper
from matting_data.training.training_data import Batches, split_run

_WARM_UP = 2


def main() -> None:
    """Print one row a part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", required=True)
    parser.add_argument("--preset", default="unrolled")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--peak", type=float, default=0.0, help="of the device, in 10^12 operations a second")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    config = load_config(options.preset, options.overrides)
    with world(options.device) as here:
        result = measured(config, options.data, options.steps, here, options.peak)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    size = f"{config.data.crop}×{config.data.crop}, batch {config.batch}, {config.precision}, {here.device}"
    loading = f"{config.data.workers} loading processes, {torch.get_num_threads()} threads"
    print(f"{size}, {loading}; medians of {options.steps} steps")
    total = result["total"]
    for name, seconds in result["parts"].items():
        print(f"{name:12}{seconds:10.3f} s{100 * seconds / total:8.1f} %")
    print(f"{'step':12}{total:10.3f} s    {config.batch / total:.2f} samples/s")
    print(f"without loading {result['floor']:.3f} s: a step takes {total / result['floor']:.2f} times that")
    speed, peak = result["operations"] / total / 1e12, result["peak"]
    print(
        f"{result['operations'] / 1e12:.3f} TFLOP a step, {speed:.3f} TFLOP/s: {100 * speed / peak:.1f} % of {peak:.3f}"
    )


def measured(config: TrainConfig, location: str, steps: int, here: World, peak: float = 0.0) -> dict[str, Any]:
    """Return seconds of each part of a step, of the whole, and of the floor, medians; operations, and the peak."""
    data = split_run(matting_data.open(location), config)
    batches = Batches(data.train, config, here.rank, here.size, here.device.type == "cuda")
    endless = itertools.chain.from_iterable(itertools.repeat(batches.loader))
    parts, total = timed(config, endless, steps, here)
    batch = next(iter(batches.loader))
    _, floor = timed(config, itertools.repeat(batch), steps, here)
    return {
        "parts": parts,
        "total": total,
        "floor": floor,
        "loader_bound": parts["data"] / total,
        "operations": operations(config, batch, here),
        "peak": peak or product_speed(here.device, config.precision),
    }


def operations(config: TrainConfig, batch: dict[str, Any], here: World) -> int:
    """Return multiplications and additions of one step of this process."""
    stepper = prepared(dataclasses.replace(config, compile=False), 1, here)
    with FlopCounterMode(display=False) as counter:
        stepper.step(batch, 0)
    return int(counter.get_total_flops())


def product_speed(device: torch.device, precision: str) -> float:
    """Return how fast a product of two large matrices is, in 10^12 operations a second; the best of ten."""
    side = 8192 if device.type == "cuda" else 1024
    matrix = torch.rand(side, side, device=device, dtype=getattr(torch, precision))
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        matrix @ matrix
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best / 1e12


def timed(
    config: TrainConfig, batches: Iterable[dict[str, Any]], steps: int, here: World
) -> tuple[dict[str, float], float]:
    """Return the medians of the parts of `steps` steps, and of their sums."""
    stepper = prepared(config, steps + _WARM_UP, here)
    rows: list[dict[str, float]] = []
    iterator = iter(batches)
    for number in range(steps + _WARM_UP):
        started = time.perf_counter()
        batch = next(iterator)
        waited = time.perf_counter() - started
        rows.append({"data": waited, **stepper.step(batch, number).seconds})
    rows = rows[_WARM_UP:]
    medians = {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
    return medians, float(np.median([sum(row.values()) for row in rows]))


def prepared(config: TrainConfig, steps: int, here: World) -> Stepper:
    """Return what steps a new network as a run would."""
    network = build_network(config.network, config.seed).to(here.device)
    if config.channels_last:
        network = network.to(memory_format=torch.channels_last)
    network.checkpoint_steps = config.checkpoint_steps
    return Stepper(network, config, steps, here, synchronise=True)


if __name__ == "__main__":
    main()
