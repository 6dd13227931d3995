"""How well, and how fast, human detectors and combinations tell photographs with a person from those without.

    python -m benchmarks.human_filter --data ../shared/data [--detector SPEC.yaml|FILE.onnx]... [--json] [--fit]

``--data`` holds ``person_filter/labels.csv`` with the columns path (from ``--data``), person (0 or 1) and
label_source. The first table is cross-validated: the joining curve, the thresholds of what is combined, and the
threshold of every row are fitted on other folds than those scored; five folds, stratified by label and source, ten
times. The second is at the recommended thresholds: nothing is fitted there for a detector of one's own, but for the
default detector they were fitted on these very photographs. ``--detector`` adds one's own, alone and combined with the
default. ``--fit`` prints the numbers of ``matting_data/detectors/default.py``, fitted on all photographs.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.cross_validation import (
    OPERATING_POINTS,
    OWN_LOSSES,
    REJECT_LOSS,
    REVIEW_LOSS,
    Figures,
    FixedFigures,
    Flags,
    Floats,
    Losses,
    Scorer,
    at_threshold,
    cross_validated,
    either,
    fit_logistic,
    given,
    learned,
    threshold_losing,
)
from matting_data.configuration import validated
from matting_data.detectors import pose, registry, ssdlite
from matting_data.detectors.bundled_network import Network
from matting_data.detectors.combined import THRESHOLDS as COMBINED
from matting_data.detectors.combined import common_scale
from matting_data.detectors.default import LONG_SIDE, THRESHOLDS, TILE_THRESHOLDS, DefaultDetector, Readings, joined
from matting_data.detectors.detector import Detector, Thresholds
from matting_data.detectors.scaling import reduced_size, resized
from matting_data.detectors.spec import DetectorSpec, WrittenSpec, resolved
from matting_data.detectors.tiling import Tiles, stretched, tile_windows
from matting_data.errors import MattingDataError, UsageError

Image = NDArray[np.uint8]

DEFAULT = "default: all three joined"
TILES = 2
TILE_LOSSES: Losses = (0.02, 0.05)
NOTHING = -50.0
"""Log odds in the place of a look that was not taken."""

CANDIDATES: dict[str, Callable[[dict[str, Floats]], list[Floats]]] = {
    "ssdlite, whole image": lambda r: [r["whole"]],
    "ssdlite, dense": lambda r: [r["dense"]],
    "ssdlite alone, whole and dense": lambda r: [np.maximum(r["whole"], r["dense"])],
    "pose alone": lambda r: [r["pose"]],
    "ssdlite, whole, and pose, joined": lambda r: [r["whole"], r["pose"]],
    DEFAULT: lambda r: [np.maximum(r["whole"], r["dense"]), r["pose"]],
}
LOOKS = {
    "ssdlite, whole image": ("whole",),
    "ssdlite, dense": ("dense",),
    "ssdlite alone, whole and dense": ("whole", "dense"),
    "pose alone": ("pose",),
    "ssdlite, whole, and pose, joined": ("whole", "pose"),
}


@dataclass(frozen=True)
class Photos:
    """Labelled photographs and what the default detector read in them.

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
class Row:
    """One row of the first table: figures and the median wall time of an image in milliseconds."""

    figures: Figures
    milliseconds: float


def read_rows(data: Path, limit: int | None = None) -> list[dict[str, str]]:
    """Return the rows of ``labels.csv``."""
    with (data / "person_filter" / "labels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))[:limit]


def images(data: Path, rows: list[dict[str, str]]) -> Iterator[Image]:
    """Decode the photographs of `rows` one after the other."""
    for row in rows:
        pixels = cv2.imread(str(data / row["path"]), cv2.IMREAD_COLOR)
        if pixels is None:
            raise SystemExit(f"{row['path']} of labels.csv cannot be read below {data}")
        yield np.ascontiguousarray(pixels[:, :, ::-1], dtype=np.uint8)


def read_photos(data: Path, limit: int | None = None) -> Photos:
    """Run the default detector over the labelled photographs of `data`."""
    rows = read_rows(data, limit)
    detector = DefaultDetector()
    detector.readings(np.zeros((480, 640, 3), dtype=np.uint8))
    readings: dict[str, list[float]] = {"whole": [], "dense": [], "pose": []}
    milliseconds = []
    networks = Network(ssdlite.WEIGHTS), Network(pose.WEIGHTS)
    looks = {
        "whole": partial(ssdlite.look_at_whole, networks[0]),
        "dense": partial(ssdlite.look_closer, networks[0]),
        "pose": partial(pose.look_at_whole, networks[1]),
    }
    look_milliseconds: dict[str, list[float]] = {name: [] for name in looks}
    for look in looks.values():
        look(np.zeros((480, 640, 3), dtype=np.uint8))
    for number, image in enumerate(images(data, rows)):
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


def read_tiled(data: Path, tiles: Tiles, limit: int | None = None) -> tuple[Floats, Floats]:
    """Run the default detector over whole photographs and their tiles.

    Returns
    -------
    (ndarray of float64, shape (n, looks, 2), ndarray of float64, shape (n,))
        The features of :data:`DEFAULT`, the whole photograph first, :data:`NOTHING` where there are fewer tiles; and
        the wall time of each photograph in milliseconds.
    """
    detector = DefaultDetector()
    found, milliseconds = [], []
    for image in images(data, read_rows(data, limit)):
        start = time.perf_counter()
        windows = tile_windows((image.shape[0], image.shape[1]), tiles, detector.input_side)
        views = [image, *(image[top : top + side, left : left + side] for top, left, side in windows)]
        seen = [detector.readings(view) for view in views]
        milliseconds.append((time.perf_counter() - start) * 1e3)
        found.append([[max(r.whole, r.dense), r.pose] for r in seen])
    most = max(len(looks) for looks in found)
    return np.asarray([looks + [[NOTHING, NOTHING]] * (most - len(looks)) for looks in found]), np.asarray(milliseconds)


def read_scores(detector: Detector, data: Path, limit: int | None = None) -> tuple[Floats, Floats]:
    """Return a detector's scores of the labelled photographs and its wall times in milliseconds, one at a time."""
    detector.detect(np.zeros((480, 640, 3), dtype=np.uint8))
    scores, milliseconds = [], []
    for image in images(data, read_rows(data, limit)):
        start = time.perf_counter()
        scores.append(round(detector.detect(image).score, 4))
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return np.asarray(scores), np.asarray(milliseconds)


def default_features(photos: Photos) -> Floats:
    """Return the features that the default detector joins, shape (n, 2)."""
    return np.column_stack(CANDIDATES[DEFAULT](photos.readings))


def shipped_scores(looks: Floats) -> Floats:
    """Return the scores that the shipped curve gives to features of shape (n, looks, 2), one for each look."""
    return np.asarray([[joined(Readings(strongest, strongest, pose)) for strongest, pose in photo] for photo in looks])


def shipped_tiled(looks: Floats) -> Floats:
    """Return the scores of the shipped detector with tiles, whose features are `looks`."""
    each = shipped_scores(looks)
    scores = [[photo[0], *(stretched(s, TILE_THRESHOLDS, THRESHOLDS) for s in photo[1:])] for photo in each]
    strongest: Floats = np.asarray(scores).max(axis=1)
    return strongest


def fitted_tiles(tiled: Floats, person: Flags) -> dict[str, float]:
    """Return what a tile must reach so that tiles alone lose TILE_LOSSES, fitted on all photographs."""
    scores = shipped_scores(tiled)[:, 1:].max(axis=1)
    reject, review = (threshold_losing(scores, person, loss) for loss in TILE_LOSSES)
    return {"tile reject": reject, "tile review": review}


def fitted(photos: Photos) -> dict[str, float]:
    """Return the constants of ``matting_data/detectors/default.py``, fitted on all photographs."""
    features = default_features(photos)
    weights = fit_logistic(features, photos.person)
    scores = weights[0] + features @ weights[1:]
    limits = {
        name: 1.0 / (1.0 + math.exp(-threshold_losing(scores, photos.person, loss)))
        for name, loss in (("review", REVIEW_LOSS), ("reject", REJECT_LOSS))
    }
    return {"INTERCEPT": weights[0], "SSDLITE_WEIGHT": weights[1], "POSE_WEIGHT": weights[2], **limits}


def tables(
    photos: Photos, tiled: Floats, tiled_times: Floats, plugins: list[tuple[Detector, Floats, Floats]]
) -> tuple[list[Row], list[FixedFigures]]:
    """Return the rows of both tables; scores and times of tiles and plug-ins come from the functions above."""
    person, rows, fixed = photos.person, [], []

    def add(name: str, scorer: Scorer, milliseconds: float, loss: float = REVIEW_LOSS) -> None:
        rows.append(Row(cross_validated(name, scorer, person, photos.stratum, loss), milliseconds))

    def add_fixed(name: str, scores: Floats, reject: float, review: float) -> None:
        fixed.append(at_threshold(f"{name}, doubtful rejected", scores, person, review))
        fixed.append(at_threshold(f"{name}, doubtful kept", scores, person, reject))

    scorers = {name: learned(np.column_stack(pick(photos.readings)), person) for name, pick in CANDIDATES.items()}
    own_time = float(np.median(photos.milliseconds))
    for name, scorer in scorers.items():
        looks = LOOKS.get(name)
        add(name, scorer, sum(photos.look_milliseconds[look] for look in looks) if looks else own_time)
    add(f"default, reject only ({REJECT_LOSS:.0%})", scorers[DEFAULT], own_time, REJECT_LOSS)
    both: list[tuple[Scorer, Thresholds | Losses]] = [
        (scorers[name], OWN_LOSSES) for name in ("ssdlite alone, whole and dense", "pose alone")
    ]
    add("ssdlite or pose, either rejects", either(both, person), sum(photos.look_milliseconds.values()))
    shipped = shipped_scores(default_features(photos)[:, None])[:, 0]
    add_fixed("default", shipped, THRESHOLDS.reject, THRESHOLDS.review)
    add(f"default, tiles: {TILES}, as sure as the whole", learned(tiled, person), float(np.median(tiled_times)))
    apart: list[tuple[Scorer, Thresholds | Losses]] = [
        (learned(tiled, person, slice(1)), OWN_LOSSES),
        (learned(tiled, person, slice(1, None)), TILE_LOSSES),
    ]
    add(f"default, tiles: {TILES}", either(apart, person), float(np.median(tiled_times)))
    add_fixed(f"default, tiles: {TILES}", shipped_tiled(tiled), THRESHOLDS.reject, THRESHOLDS.review)
    for detector, scores, times in plugins:
        limits = detector.thresholds
        add(detector.name, given(scores), float(np.median(times)))
        add_fixed(detector.name, scores, limits.reject, limits.review)
        name = f"default + {detector.name}"
        parts: list[tuple[Scorer, Thresholds | Losses]] = [(scorers[DEFAULT], OWN_LOSSES), (given(scores), limits)]
        add(name, either(parts, person), own_time + float(np.median(times)))
        pairs = zip(shipped, scores, strict=True)
        together = [max(common_scale(a, THRESHOLDS), common_scale(b, limits)) for a, b in pairs]
        add_fixed(name, np.asarray(together), COMBINED.reject, COMBINED.review)
    return rows, fixed


def plugin(path: Path) -> Detector:
    """Return the detector of an ONNX file, or of a YAML file that specifies one or a list of them."""
    if path.suffix == ".onnx":
        return registry.load(DetectorSpec(kind="onnx", weights=str(path)))
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as YAML ({error}): name a specification or an ONNX file") from None
    spec = validated(WrittenSpec, document, str(path))
    return registry.load(resolved(spec, lambda name: path.parent / Path(name).expanduser()))


def default_data() -> Path:
    """Return where the labelled photographs lie: ``$MATTINGDATA_SHARED``, or beside the repository."""
    beside = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    return Path(os.environ.get("MATTINGDATA_SHARED", beside))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--detector", type=Path, action="append", default=[], help="a specification or an ONNX file")
    parser.add_argument("--limit", type=int, help="only so many photographs, to try things out")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--fit", action="store_true", help="print the constants of default.py as well")
    arguments = parser.parse_args()
    if not (arguments.data / "person_filter" / "labels.csv").is_file():
        raise SystemExit(f"{arguments.data} has no person_filter/labels.csv: pass --data or set MATTINGDATA_SHARED")
    try:
        plugins = [plugin(path) for path in arguments.detector]
        photos = read_photos(arguments.data, arguments.limit)
        tiled, tiled_times = read_tiled(arguments.data, TILES, arguments.limit)
        scored = [(detector, *read_scores(detector, arguments.data, arguments.limit)) for detector in plugins]
    except MattingDataError as error:
        raise SystemExit(str(error)) from None
    rows, fixed = tables(photos, tiled, tiled_times, scored)
    constants = {**fitted(photos), **fitted_tiles(tiled, photos.person)} if arguments.fit else {}
    versions = {detector.name: detector.version for detector in [DefaultDetector(), *plugins]}
    if arguments.json:
        candidates = [{**asdict(row.figures), "ms": row.milliseconds} for row in rows]
        report = {"detectors": versions, "photos": len(photos.person), "candidates": candidates}
        print(json.dumps({**report, "recommended": [asdict(row) for row in fixed], "fitted": constants}))
        return
    print(f"{len(photos.person)} photographs, {photos.person.sum()} with a person; one thread, image decoded")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print_rows(rows)
    print("\nat the recommended thresholds (those of the default were fitted on these photographs)")
    for line in fixed:
        print(
            f"{line.name:44s} {line.recall:.3f} [{line.recall_interval[0]:.3f} {line.recall_interval[1]:.3f}]"
            f"   {line.lost:.3f} [{line.lost_interval[0]:.3f} {line.lost_interval[1]:.3f}]"
        )
    for name, value in constants.items():
        print(f"{name} = {value:.4f}")


def print_rows(rows: list[Row]) -> None:
    """Print the cross-validated table."""
    points = " ".join(f"@{share:.0%}".rjust(5) for share in OPERATING_POINTS)
    print(f"{'':44s}   ms AUC   {points}   recall [95 %] (runs)               clean lost [95 %] (runs)")
    for row, milliseconds in ((row.figures, row.milliseconds) for row in rows):
        at = " ".join(f"{value:.3f}" for value in row.recall_at.values())
        print(
            f"{row.name:44s} {milliseconds:4.0f} {row.auc:.3f} {at}"
            f"   {row.recall:.3f} [{row.recall_interval[0]:.3f} {row.recall_interval[1]:.3f}]"
            f" ({row.recall_range[0]:.3f}-{row.recall_range[1]:.3f}; folds ±{row.recall_fold_deviation:.3f})"
            f"   {row.lost:.3f} [{row.lost_interval[0]:.3f} {row.lost_interval[1]:.3f}]"
            f" ({row.lost_range[0]:.3f}-{row.lost_range[1]:.3f}; folds ±{row.lost_fold_deviation:.3f})"
        )


if __name__ == "__main__":
    main()
