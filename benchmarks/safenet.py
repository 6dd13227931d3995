"""Parameters and time of a step of each SAFE-Net preset, as multiples of the backbone's in the same run.

    python -m benchmarks.safenet [--size 512] [--batch 1] [--repeats 3] [--threads 1] [--device cpu] [--json]

``predict`` is the network without gradient with the preset's refinements, the detector included; ``train`` its loss and
all gradients; ``detector`` the detector's own step where the preset has one. On noise, since time does not depend on
the picture. On a CPU, processor seconds. The best of the repeats counts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch

from matting_data.networks.safenet.initial_weights import build_network, parameter_count
from matting_data.networks.safenet.losses import detector_loss, matting_loss
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.presets import load_config

PRESETS = ("backbone", "sam", "sam_fem_zero", "paper", "control_end_to_end", "unrolled")


def main() -> None:
    """Print one row a preset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", type=int, default=512, help="side of the images, in pixels")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3, help="the best of this many runs counts")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    networks = {name: build_network(load_config(name)).to(device) for name in PRESETS}
    actions = {
        (name, part): action
        for name, network in networks.items()
        for part, action in steps(network, options.size, options.batch, device).items()
    }
    seconds = dict.fromkeys(actions, float("inf"))
    for repeat in range(options.repeats + 1):
        for key, action in actions.items():  # in turn, so that a busy minute is no single row's
            spent = timed(action, device)
            if repeat:  # the first warms up
                seconds[key] = min(seconds[key], spent)
    rows = {
        name: {"parameters": float(parameter_count(network))}
        | {part: value for (owner, part), value in seconds.items() if owner == name}
        for name, network in networks.items()
    }
    if options.json:
        print(json.dumps({"options": vars(options), "rows": rows}, indent=1))
        return
    print(f"{options.size}×{options.size}, batch {options.batch}, {options.threads} threads, {options.device}, seconds")
    print(f"{'':20}{'parameters':>12}{'predict':>16}{'train':>16}{'detector':>10}")
    for name, row in rows.items():
        cells = "".join(f"{row[key]:9.2f} ({row[key] / rows['backbone'][key]:4.1f})" for key in ("predict", "train"))
        print(f"{name:20}{int(row['parameters']):12,}{cells}{row.get('detector', 0):10.2f}")


def steps(network: SafeNet, size: int, batch: int, device: torch.device) -> dict[str, Callable[[], None]]:
    """Return what is timed of one network."""
    noise = torch.Generator().manual_seed(0)
    image = torch.rand(batch, 3, size, size, generator=noise).to(device)
    truth = torch.rand(batch, 1, size, size, generator=noise).to(device)
    unknown = truth > 0.5
    mattes = [truth.flip(2)] * int(network.config.iterations)

    def predict() -> None:
        with torch.inference_mode():
            network(image)

    def train() -> None:
        network.zero_grad(set_to_none=True)
        matting_loss(network(image), truth, unknown).total.backward()

    actions = {"predict": predict, "train": train}
    if (detector := network.detector) is not None and network.config.trains_detector:

        def detect() -> None:
            network.zero_grad(set_to_none=True)
            detector_loss(detector.train(), image, mattes, truth, network.config.flaw_target).backward()
            detector.eval()

        actions["detector"] = detect
    return actions


def timed(action: Callable[[], None], device: torch.device) -> float:
    """Return the seconds one run takes: of the processor where it computes, which other programs do not change."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    started = clock()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - started


if __name__ == "__main__":
    main()
