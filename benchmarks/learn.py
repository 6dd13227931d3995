"""Whether the whole of it learns: eight samples of a dataset, seen again and again, until their mattes are right.

    python -m benchmarks.learn --out DIR [--data DATASET] [--steps 150] [--device cpu]

Without ``--data`` the bundled sample is built first. The narrow network of the preset ``tiny`` sees the same crop of
each sample every time. Printed are MAD and MSE after every refinement, in evaluation mode, and ``curve.png`` is drawn.
The floor is a matte of the mean of each truth. The same command continues.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np

import matting_data
from matting_data.building.build import build
from matting_data.recipes.recipe_file import load
from matting_data.storage.atomic import write_bytes
from matting_data.training.config_file import load_config
from matting_data.training.parallel import world
from matting_data.training.run_folder import WATCHED, read_rows
from matting_data.training.train import train
from matting_data.training.training_data import split_run, watched_crops

SETTINGS = ("data.limit=8", "data.augmentation=fixed", "validation.share=0", "validation.every=10", "saving.every=60",
            "matting.rate=0.004", "matting.schedule=cosine")  # fmt: skip


def main() -> None:
    """Train, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    data = options.data or options.out / "sample"
    if not options.data:
        build(load(None), data, 1)
    config = load_config("tiny", [*SETTINGS, f"steps={options.steps}"])
    dataset = matting_data.open(data)
    with world(options.device) as here:
        train(config, dataset, options.out / "run", here, resume=True, say=print)
    truths = [
        each["alpha"].numpy() / 255 for each in watched_crops(split_run(dataset, config).watched, config.data.crop)
    ]
    floor = float(np.mean([np.abs(truth - truth.mean()).mean() for truth in truths]))
    rows = read_rows(options.out / "run" / WATCHED)
    print(f"mean of each truth: MAD {floor:.4f}")
    for row in rows:
        errors = [f"{row[f'mad_{count}']:.4f}" for count in range(6)]
        print(f"step {row['step']:4}: MAD {' '.join(errors)} after 0 to 5 refinements")
    write_bytes(
        options.out / "curve.png", drawn(rows, f"{dataset.name}, 8 samples, {config.data.crop}×{config.data.crop}")
    )


def drawn(rows: list[dict[str, Any]], title: str) -> bytes:
    """Return the curves of the initial matte and of three refinements as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    steps = [row["step"] for row in rows]
    for count, colour in enumerate(("#999999", "#4878a8", "#6aa84f", "#d9822b")):
        label = "initial matte" if not count else f"refinements: {count}"
        axis.plot(steps, [row[f"mad_{count}"] for row in rows], color=colour, label=label, linewidth=1.2)
    axis.axhline(0.02, color="#cccccc", linewidth=0.8)
    axis.set_yscale("log")
    axis.set_xlabel("step")
    axis.set_ylabel("MAD, evaluation mode")
    axis.set_title(title, fontsize=9)
    axis.legend(fontsize=7, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})
    return buffer.getvalue()


if __name__ == "__main__":
    main()
