"""The rows of the paper's Table 4 and the controls beside it, on the same data, seeds and budget.

    python -m benchmarks.ablations --data DIR --out DIR [--preset tiny] [--steps 120] [--seeds 3] [--set KEY=VALUE ...]

Each row is trained once for each seed; a run that is there is kept, so that the same command continues. Refinements
are chosen on people held out of the training split; test images are scored at their own size, the network seeing them
at the short side of the crops. Printed are means over seeds and, for each seed, the ratio to the backbone of that seed:
mean and 95 % interval (Student's t). The paper's ratios of its full model, from one run each: MSE 0.70, SAD 0.65. What
refinements do to their own network's initial matte is the ratio of MADs on the people held out, after as many
refinements as were trained, whatever the number chosen.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

import matting_data
from matting_data.evaluation.scoring import raw_values
from matting_data.evaluation.test_sets import Item, open_test_set
from matting_data.networks.safenet.any_size import predict
from matting_data.networks.safenet.initial_weights import parameter_count
from matting_data.networks.safenet.presets import load_config as load_network_config
from matting_data.predicting.trained_network import open_trained
from matting_data.publishing.markdown import table
from matting_data.storage.atomic import write_bytes
from matting_data.training.config_file import load_config
from matting_data.training.parallel import world
from matting_data.training.run_folder import RESULT, read_json, read_rows
from matting_data.training.train import train

ROWS = ("backbone", "sam", "sam_fem_zero", "control_untrained", "control_end_to_end", "sam_fem", "unrolled")
METRICS = ("mse", "sad")
SCORES = "test.json"
PAPER = {"sam_fem": {"mse": 0.70, "sad": 0.65}}
_WIDTHS = ("width", "flaw_width", "detector_width", "reduced_width", "decoder_widths", "stride")


def main() -> None:
    """Train what is missing, score it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", default="tiny", help="of training; its widths are every row's")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    options = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {row: [] for row in options.rows}
    items = open_test_set(options.data).items
    for seed in range(options.seeds):
        for row in options.rows:
            result = one(row, seed, options, items)
            results[row].append(result)
            print(f"seed {seed} {row}: {json.dumps(result)}", flush=True)
        write_bytes(options.out / "ablations.json", (json.dumps(results, indent=1) + "\n").encode())
        if "backbone" in results:
            write_bytes(options.out / "ablations.md", (rendered(results) + "\n").encode())
    if "backbone" in results:
        print(rendered(results))


def one(row: str, seed: int, options: argparse.Namespace, items: Sequence[Item]) -> dict[str, float]:
    """Return errors of one row trained with one seed, on the test set and on people held out, and what it took."""
    out = options.out / f"{row}-{seed}"
    if not (out / SCORES).is_file():
        write_bytes(out / SCORES, json.dumps(trained_and_scored(row, seed, out, options, items)).encode())
    result = {name: float(value) for name, value in read_json(out / SCORES).items()}
    errors = read_json(out / RESULT)["held_out_mad"]
    first, last = (errors[0], errors[load_network_config(row).iterations]) if errors else (None, None)
    return {**result, "refined": math.nan if first is None or last is None else last / first}


def trained_and_scored(
    row: str, seed: int, out: Path, options: argparse.Namespace, items: Sequence[Item]
) -> dict[str, float]:
    """Train one row with one seed in the folder `out`, and return its errors on the test set, and what it took."""
    base = load_config(options.preset).network
    widths = {name: getattr(base, name) for name in _WIDTHS}
    network = json.dumps({"preset": row, **widths})
    overrides = [f"network={network}", f"steps={options.steps}", f"seed={seed}", *options.overrides]
    with world(options.device) as here:
        train(load_config(options.preset, overrides), matting_data.open(options.data), out, here, resume=True)
    trained = open_trained(out, options.device)
    sums = dict.fromkeys(METRICS, 0.0)
    for item in items:
        planes = item.read("image", "alpha")
        count = trained.refinements
        matte = predict(trained.network, planes["image"], iterations=count, short_side=trained.short_side).mattes[-1]
        for name, value in raw_values(matte, planes["alpha"], None, METRICS)[0].items():
            sums[name] += value / len(items)
    logged = read_rows(out / "metrics.jsonl")
    seconds = float(np.mean([sum(v for k, v in entry.items() if k.startswith("seconds_")) for entry in logged]))
    return {
        **sums,
        "refinements": float(trained.refinements),
        "parameters": float(parameter_count(trained.network)),
        "seconds_a_step": seconds,
    }


def rendered(results: dict[str, list[dict[str, float]]]) -> str:
    """Return the table."""
    header = [
        "row",
        "parameters",
        "refinements",
        "MSE",
        "SAD/1e3",
        "MSE / backbone",
        "SAD / backbone",
        "paper",
        "refined / initial",
    ]
    lines = []
    for row, runs in results.items():
        if not runs:
            continue
        means = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
        ratios = ["1", "1"] if row == "backbone" else []
        for metric in () if row == "backbone" else METRICS:
            pairs = zip(runs, results["backbone"], strict=False)
            ratios.append(interval([run[metric] / floor[metric] for run, floor in pairs]))
        paper = ", ".join(f"{metric.upper()} {value:.2f}" for metric, value in PAPER.get(row, {}).items())
        chosen = ", ".join(f"{run['refinements']:.0f}" for run in runs)
        refined = interval([run["refined"] for run in runs]) if row != "backbone" else ""
        lines.append([row, f"{means['parameters']:,.0f}", chosen, f"{means['mse']:.4f}", f"{means['sad'] / 1e3:.2f}",
                      *ratios, paper, refined])  # fmt: skip
    return table(header, lines, 1)


def interval(values: Sequence[float]) -> str:
    """Return mean and 95 % interval of a few values; the mean alone for one."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.2f}"
    reach = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return f"{mean:.2f} [{mean - reach:.2f}–{mean + reach:.2f}]"


if __name__ == "__main__":
    main()
