"""Parameters and time of a step of each SAFE-Net preset, as multiples of the backbone's in the same run.

    python -m benchmarks.safenet [--size 512] [--batch 1] [--repeats 3] [--threads 2] [--device cpu] [--json]

``predict`` is the network without gradient with the preset's refinements, the detector included; ``train`` its loss and
all gradients; ``detector`` the detector's own step where the preset has one. On noise, since time does not depend on
the picture. The best of the repeats counts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch

from matting_data.networks.safenet.build import build_network, parameter_count
from matting_data.networks.safenet.losses import detector_loss, matting_loss
from matting_data.networks.safenet.presets import load_config

PRESETS = ("backbone", "sam", "sam_fem_zero", "paper", "control_end_to_end", "unrolled")


def main() -> None:
    """Print one row a preset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", type=int, default=512, help="side of the images, in pixels")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3, help="the best of this many runs counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    heading = f"{options.size}×{options.size}, batch {options.batch}, {options.threads} threads, {options.device}"
    if not options.json:
        print(f"{heading}, seconds\n{'':20}{'parameters':>12}{'predict':>16}{'train':>16}{'detector':>10}")
    rows: dict[str, dict[str, float]] = {}
    for name in PRESETS:
        row = measured(name, options.size, options.batch, options.repeats, torch.device(options.device))
        rows[name] = row
        if not options.json:
            floor = rows["backbone"]
            cells = "".join(f"{row[key]:9.2f} ({row[key] / floor[key]:4.1f})" for key in ("predict", "train"))
            print(f"{name:20}{int(row['parameters']):12,}{cells}{row['detector']:10.2f}", flush=True)
    if options.json:
        print(json.dumps({"options": vars(options), "rows": rows}, indent=1))


def measured(name: str, size: int, batch: int, repeats: int, device: torch.device) -> dict[str, float]:
    """Return parameters and seconds of one preset."""
    network = build_network(load_config(name)).to(device)
    noise = torch.Generator().manual_seed(0)
    image = torch.rand(batch, 3, size, size, generator=noise).to(device)
    truth = torch.rand(batch, 1, size, size, generator=noise).to(device)
    unknown = truth > 0.5

    def predict() -> None:
        with torch.inference_mode():
            network(image)

    def train() -> None:
        network.zero_grad(set_to_none=True)
        matting_loss(network(image), truth, unknown).total.backward()

    row = {"parameters": float(parameter_count(network)), "detector": 0.0}
    row["predict"] = best(predict, repeats, device)
    row["train"] = best(train, repeats, device)
    if network.config.trains_detector:
        output = network(image)
        mattes = [each.detach() for each in (output.initial, *output.mattes[:-1])]
        detector = network.detector.train()

        def step() -> None:
            detector.zero_grad(set_to_none=True)
            detector_loss(detector, image, mattes, truth, network.config.flaw_target).backward()

        row["detector"] = best(step, repeats, device)
    return row


def best(action: Callable[[], None], repeats: int, device: torch.device) -> float:
    """Return the seconds of the fastest of `repeats` runs, after one to warm up."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


if __name__ == "__main__":
    main()
