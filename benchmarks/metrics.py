"""Time of all four metrics on one matte of 1440×1080, in one thread, beside plain SciPy and scikit-image.

    python -m benchmarks.metrics [--repeats 7] [--json]

The matte is a real one where the shared data is at hand (a rendered person elsewhere), its prediction has what
predictions have: blur, noise along the edge, a hole and a false island. A second pair is uniform noise, the worst case,
which no matte comes near. The peer is what one writes from the definitions with ``scipy.ndimage.convolve`` and
``skimage.measure.label``; both must give the same numbers, or nothing is printed. The best of the repeats counts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from benchmarks.inputs import write_foregrounds
from matting_data.imaging.decode import decode, to_alpha8
from matting_data.metrics import connectivity, gradient, mse, sad

SIZE = (1440, 1080)

Matte = NDArray[np.uint8]
Metric = Callable[[NDArray[Any], NDArray[Any]], float]


def main() -> None:
    """Run both and print milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=7, help="the best of this many runs counts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    truth = matte()
    prediction = damaged(truth)
    ours: dict[str, Metric] = {"mse": mse, "sad": sad, "gradient": gradient, "connectivity": connectivity}
    peer: dict[str, Metric] = {
        "mse": plain_mse, "sad": plain_sad, "gradient": plain_gradient, "connectivity": plain_connectivity
    }  # fmt: skip
    for name in ours:
        values = ours[name](prediction, truth), peer[name](prediction, truth)
        if not np.isclose(*values, rtol=1e-9):
            raise SystemExit(f"{name} differs: {values[0]!r} here, {values[1]!r} there")
    noise = np.random.default_rng(1).integers(0, 256, (2, *truth.shape), dtype=np.uint8)
    result = {
        "uint8": times(ours, prediction, truth, options.repeats),
        "float64": times(ours, prediction / 255, truth / 255, options.repeats),
        "uint8 noise": times(ours, noise[0], noise[1], options.repeats),
        "peer": times(peer, prediction, truth, min(options.repeats, 3)),
    }
    if options.json:
        print(json.dumps({"size": SIZE, "milliseconds": result}, indent=1))
        return
    print(f"{SIZE[0]}×{SIZE[1]}, one thread, milliseconds")
    columns = [*ours, "all four"]
    print(f"{'':12}" + "".join(f"{name:>14}" for name in columns))
    for row, spent in result.items():
        print(f"{row:12}" + "".join(f"{spent[name]:14.1f}" for name in columns))
    print(f"the peer takes {result['peer']['all four'] / result['uint8']['all four']:.0f} times as long")


def matte() -> Matte:
    """Return a person's alpha at the benchmark's size."""
    with tempfile.TemporaryDirectory() as folder:
        write_foregrounds(Path(folder) / "people", SIZE, 1)
        return to_alpha8(decode(next((Path(folder) / "people" / "alpha").iterdir()).read_bytes()))


def damaged(truth: Matte) -> Matte:
    """Return what a network might predict for it."""
    rng = np.random.default_rng(0)
    soft = cv2.GaussianBlur(truth, (0, 0), 3.0).astype(np.int64)
    edge = (soft > 0) & (soft < 255)
    soft[edge] += rng.integers(-40, 41, np.count_nonzero(edge))
    soft[500:540, 700:740] = 90
    soft[20:60, 20:60] = 200
    return np.clip(soft, 0, 255).astype(np.uint8)


def plain_mse(p: NDArray[Any], g: NDArray[Any]) -> float:
    """Mean of the squared difference."""
    return float(((p / 255.0 - g / 255.0) ** 2).mean())


def plain_sad(p: NDArray[Any], g: NDArray[Any]) -> float:
    """Sum of the absolute difference."""
    return float(np.abs(p / 255.0 - g / 255.0).sum())


def plain_gradient(p: NDArray[Any], g: NDArray[Any]) -> float:
    """Gradient error with two-dimensional kernels."""
    place = np.arange(-4, 5)
    density = np.exp(-(place**2) / (2 * 1.4**2))
    kernel = np.outer(density, -place * density)
    kernel /= np.sqrt((kernel**2).sum())
    lengths = []
    for m in (p, g):
        values = m.astype(np.float64)
        values = (values - values.min()) / (values.max() - values.min())
        x, y = (ndimage.convolve(values, k, mode="nearest") for k in (kernel, kernel.T))
        lengths.append(np.sqrt(x**2 + y**2))
    return float(((lengths[0] - lengths[1]) ** 2).sum())


def plain_connectivity(p: NDArray[Any], g: NDArray[Any]) -> float:
    """Connectivity error with one labelling a threshold."""
    a, b = p / 255.0, g / 255.0
    level = np.full(a.shape, -1.0)
    for i in range(1, 11):
        labels = measure.label((a >= i / 10) & (b >= i / 10), connectivity=1)
        areas = np.bincount(labels.ravel())
        areas[0] = 0
        omega = labels == areas.argmax() if areas.any() else np.zeros(a.shape, bool)
        level[(level == -1) & ~omega] = (i - 1) / 10
    level[level == -1] = 1
    d, e = a - level, b - level
    return float(np.abs(d * (d >= 0.15) - e * (e >= 0.15)).sum())


def times(metrics: dict[str, Metric], p: NDArray[Any], g: NDArray[Any], repeats: int) -> dict[str, float]:
    """Return the best milliseconds of each metric, and of all in a row."""
    for metric in metrics.values():
        metric(p, g)
    runs = []
    for _ in range(repeats):
        spent = {}
        for name, metric in metrics.items():
            started = time.perf_counter()
            metric(p, g)
            spent[name] = (time.perf_counter() - started) * 1e3
        runs.append({**spent, "all four": sum(spent.values())})
    return {name: min(run[name] for run in runs) for name in runs[0]}


if __name__ == "__main__":
    main()
