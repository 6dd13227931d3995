"""How well, and how fast, the offline human detector tells photographs with a person from those without.

    python -m benchmarks.human_filter --data ../shared/data [--json] [--fit]

``--data`` holds ``person_filter/labels.csv`` with the columns path (from ``--data``), person (0 or 1) and
label_source. All that is fitted, the joining curve and the thresholds, is fitted on other folds than those scored:
five folds, stratified by label and source, ten times. ``--fit`` prints the numbers of
``matting_data/humans/default.py``, fitted on all photographs.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.humans.default import LONG_SIDE, DefaultDetector
from matting_data.humans.pose import PosePerson
from matting_data.humans.scaling import reduced_size, resized
from matting_data.humans.ssdlite import SsdLite

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FOLDS, REPEATS = 5, 10
REVIEW_LOSS, REJECT_LOSS = 0.15, 0.05
RIDGE = 1e-2
OPERATING_POINTS = (0.05, 0.10, 0.20, 0.30)

CANDIDATES: dict[str, Callable[[dict[str, Floats]], list[Floats]]] = {
    "ssdlite, whole image": lambda r: [r["whole"]],
    "ssdlite, dense": lambda r: [r["dense"]],
    "pose": lambda r: [r["pose"]],
    "ssdlite, whole + dense": lambda r: [np.maximum(r["whole"], r["dense"])],
    "ssdlite, whole, + pose": lambda r: [r["whole"], r["pose"]],
    "default (all three)": lambda r: [np.maximum(r["whole"], r["dense"]), r["pose"]],
}


@dataclass(frozen=True)
class Photos:
    """Labelled photographs and what the detector read in them.

    Parameters
    ----------
    person : ndarray of bool, shape (n,)
    stratum : ndarray of int, shape (n,)
        Label and label source, numbered.
    readings : dict of str to ndarray of float64, shape (n,)
        Log odds of the looks ``whole``, ``dense`` and ``pose``.
    milliseconds : ndarray of float64, shape (n,)
        Wall time of one whole detection on the decoded image.
    look_milliseconds : dict of str to float
        Median wall time of each look on an image already reduced, over every twentieth photograph.
    """

    person: Flags
    stratum: NDArray[np.int64]
    readings: dict[str, Floats]
    milliseconds: Floats
    look_milliseconds: dict[str, float]


@dataclass(frozen=True)
class Figures:
    """Cross-validated figures of one way of scoring.

    Recall is the share of photographs with a person that are rejected, lost that of the clean ones. Intervals are
    Wilson's 95 %, ranges those of the runs, deviations those of the single folds.
    """

    name: str
    auc: float
    recall_at: dict[str, float]
    recall: float
    recall_interval: tuple[float, float]
    recall_range: tuple[float, float]
    recall_fold_deviation: float
    lost: float
    lost_interval: tuple[float, float]
    lost_range: tuple[float, float]
    lost_fold_deviation: float


def read_photos(data: Path, limit: int | None = None) -> Photos:
    """Run the default detector over the labelled photographs of `data`."""
    with (data / "person_filter" / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:limit]
    detector = DefaultDetector()
    detector.readings(np.zeros((480, 640, 3), dtype=np.uint8))
    readings: dict[str, list[float]] = {"whole": [], "dense": [], "pose": []}
    milliseconds = []
    ssdlite, pose = SsdLite(), PosePerson()
    looks = {"whole": ssdlite.whole, "dense": ssdlite.dense, "pose": pose.whole}
    look_milliseconds: dict[str, list[float]] = {name: [] for name in looks}
    for look in looks.values():
        look(np.zeros((480, 640, 3), dtype=np.uint8))
    for number, row in enumerate(rows):
        pixels = cv2.imread(str(data / row["path"]), cv2.IMREAD_COLOR)
        if pixels is None:
            raise SystemExit(f"{row['path']} of labels.csv cannot be read below {data}")
        image = np.ascontiguousarray(pixels[:, :, ::-1], dtype=np.uint8)
        start = time.perf_counter()
        seen = detector.readings(image)
        milliseconds.append((time.perf_counter() - start) * 1e3)
        for name, value in asdict(seen).items():
            readings[name].append(value)
        if number % 20 == 0:
            reduced = resized(image, reduced_size((image.shape[0], image.shape[1]), LONG_SIDE))
            for name, look in looks.items():
                start = time.perf_counter()
                look(reduced)
                look_milliseconds[name].append((time.perf_counter() - start) * 1e3)
    strata = [f"{row['person']} {row['label_source']}" for row in rows]
    return Photos(
        person=np.asarray([row["person"] == "1" for row in rows]),
        stratum=np.unique(strata, return_inverse=True)[1].astype(np.int64),
        readings={name: np.asarray(values) for name, values in readings.items()},
        milliseconds=np.asarray(milliseconds),
        look_milliseconds={name: float(np.median(values)) for name, values in look_milliseconds.items()},
    )


def fit_logistic(features: Floats, person: Flags) -> Floats:
    """Fit a logistic curve by Newton's method with a slight ridge; return the intercept and the weights."""
    design = np.column_stack([np.ones(len(features)), features])
    ridge = RIDGE * np.diag([0.0, *[1.0] * features.shape[1]])
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        odds = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (odds - person) + ridge @ weights
        hessian = (design * (odds * (1 - odds))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            break
    return weights


def threshold_losing(scores: Floats, person: Flags, share: float) -> float:
    """Return the threshold at or above which `share` of the clean photographs lie."""
    return float(np.quantile(scores[~person], 1.0 - share))


def folds(stratum: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return a fold number for every photograph, each stratum dealt out evenly in random order."""
    generator = np.random.default_rng(seed)
    numbers = np.empty(len(stratum), dtype=np.int64)
    dealt = 0
    for value in np.unique(stratum):
        members = generator.permutation(np.flatnonzero(stratum == value))
        numbers[members] = (dealt + np.arange(len(members))) % FOLDS
        dealt += len(members)
    return numbers


def cross_validated(name: str, features: Floats, photos: Photos, loss: float = REVIEW_LOSS) -> Figures:
    """Fit and score on different folds, REPEATS times; `loss` is the share of clean training photographs given up."""
    person = photos.person
    recalls, losts, fold_recalls, fold_losts, curves, areas = [], [], [], [], [], []
    for seed in range(REPEATS):
        fold = folds(photos.stratum, seed)
        rejected = np.zeros(len(person), dtype=bool)
        held_out = np.zeros(len(person))
        for number in range(FOLDS):
            train, test = fold != number, fold == number
            weights = fit_logistic(features[train], person[train])
            scores = weights[0] + features @ weights[1:]
            rejected[test] = scores[test] >= threshold_losing(scores[train], person[train], loss)
            held_out[test] = scores[test]
            fold_recalls.append(rejected[test & person].mean())
            fold_losts.append(rejected[test & ~person].mean())
        recalls.append(rejected[person].mean())
        losts.append(rejected[~person].mean())
        areas.append(area_under_curve(held_out, person))
        curves.append([recall_losing(held_out, person, share) for share in OPERATING_POINTS])
    recall, lost = float(np.mean(recalls)), float(np.mean(losts))
    return Figures(
        name=name,
        auc=float(np.mean(areas)),
        recall_at={f"{share:.2f}": float(v) for share, v in zip(OPERATING_POINTS, np.mean(curves, 0), strict=True)},
        recall=recall,
        recall_interval=wilson(recall, int(person.sum())),
        recall_range=(float(min(recalls)), float(max(recalls))),
        recall_fold_deviation=float(np.std(fold_recalls)),
        lost=lost,
        lost_interval=wilson(lost, int((~person).sum())),
        lost_range=(float(min(losts)), float(max(losts))),
        lost_fold_deviation=float(np.std(fold_losts)),
    )


def recall_losing(scores: Floats, person: Flags, share: float) -> float:
    """Return the recall at the threshold that loses at most `share` of the clean photographs."""
    clean = np.sort(scores[~person])[::-1]
    return float((scores[person] > clean[int(share * len(clean))]).mean())


def area_under_curve(scores: Floats, person: Flags) -> float:
    """Return the chance that a photograph with a person scores above one without, ties counting half."""
    above = scores[person][:, None] - scores[~person][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share observed among `count`."""
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return centre - half, min(1.0, centre + half)


def fitted(photos: Photos) -> dict[str, float]:
    """Return the constants of ``matting_data/humans/default.py``, fitted on all photographs."""
    features = np.column_stack(CANDIDATES["default (all three)"](photos.readings))
    weights = fit_logistic(features, photos.person)
    scores = weights[0] + features @ weights[1:]
    limits = {
        name: 1.0 / (1.0 + math.exp(-threshold_losing(scores, photos.person, loss)))
        for name, loss in (("review", REVIEW_LOSS), ("reject", REJECT_LOSS))
    }
    return {"INTERCEPT": weights[0], "SSDLITE_WEIGHT": weights[1], "POSE_WEIGHT": weights[2], **limits}


def default_data() -> Path:
    """Return where the labelled photographs lie: ``$MATTINGDATA_SHARED``, or beside the repository."""
    beside = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    return Path(os.environ.get("MATTINGDATA_SHARED", beside))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--fit", action="store_true", help="print the constants of default.py as well")
    arguments = parser.parse_args()
    if not (arguments.data / "person_filter" / "labels.csv").is_file():
        raise SystemExit(f"{arguments.data} has no person_filter/labels.csv: pass --data or set MATTINGDATA_SHARED")
    photos = read_photos(arguments.data)
    table = [cross_validated(name, np.column_stack(pick(photos.readings)), photos) for name, pick in CANDIDATES.items()]
    table.append(
        cross_validated(
            f"default, reject only ({REJECT_LOSS:.0%})",
            np.column_stack(CANDIDATES["default (all three)"](photos.readings)),
            photos,
            REJECT_LOSS,
        )
    )
    timing = {
        "median": float(np.median(photos.milliseconds)),
        "p95": float(np.quantile(photos.milliseconds, 0.95)),
        **photos.look_milliseconds,
    }
    constants = fitted(photos) if arguments.fit else {}
    if arguments.json:
        report = {"detector": DefaultDetector().version, "photos": len(photos.person), "ms": timing}
        print(json.dumps({**report, "candidates": [asdict(row) for row in table], "fitted": constants}))
        return
    version = DefaultDetector().version
    print(f"{len(photos.person)} photographs, {photos.person.sum()} with a person; detector {version}")
    print(f"one thread, image decoded: median {timing['median']:.0f} ms, 95 % under {timing['p95']:.0f} ms;", end=" ")
    print(", ".join(f"{name} {value:.0f} ms" for name, value in photos.look_milliseconds.items()))
    points = " ".join(f"@{share:.0%}".rjust(5) for share in OPERATING_POINTS)
    print(f"{'':28s} AUC   {points}   recall [95 %] (runs)               clean lost [95 %] (runs)")
    for row in table:
        at = " ".join(f"{value:.3f}" for value in row.recall_at.values())
        print(
            f"{row.name:28s} {row.auc:.3f} {at}"
            f"   {row.recall:.3f} [{row.recall_interval[0]:.3f} {row.recall_interval[1]:.3f}]"
            f" ({row.recall_range[0]:.3f}-{row.recall_range[1]:.3f}; folds ±{row.recall_fold_deviation:.3f})"
            f"   {row.lost:.3f} [{row.lost_interval[0]:.3f} {row.lost_interval[1]:.3f}]"
            f" ({row.lost_range[0]:.3f}-{row.lost_range[1]:.3f}; folds ±{row.lost_fold_deviation:.3f})"
        )
    for name, value in constants.items():
        print(f"{name} = {value:.4f}")


if __name__ == "__main__":
    main()
