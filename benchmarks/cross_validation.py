"""Figures of a detector by cross-validation: whatever is fitted is fitted on other photographs than those scored."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.combined import common_scale
from matting_data.detectors.detector import Thresholds

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Scorer = Callable[[Flags], Floats]
"""From the photographs that may be learned from to the scores of all."""

Losses = tuple[float, float]
"""Shares of the clean photographs given up at the reject and at the review threshold."""

FOLDS, REPEATS = 5, 10
REVIEW_LOSS, REJECT_LOSS = 0.15, 0.05
OWN_LOSSES: Losses = (REJECT_LOSS, REVIEW_LOSS)
RIDGE = 1e-2
OPERATING_POINTS = (0.05, 0.10, 0.20, 0.30)


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


@dataclass(frozen=True)
class FixedFigures:
    """Figures at thresholds that stand before any photograph is looked at; intervals are Wilson's 95 %."""

    name: str
    threshold: float
    recall: float
    recall_interval: tuple[float, float]
    lost: float
    lost_interval: tuple[float, float]


def learned(features: Floats, person: Flags, counted: slice = slice(None)) -> Scorer:
    """Return the scorer that fits a logistic curve over features of shape (n, k), or of several looks (n, looks, k).

    With several looks the curve is fitted on the first, the whole image, and the strongest of those `counted` counts.
    """
    looks = features if features.ndim == 3 else features[:, None]

    def score(train: Flags) -> Floats:
        weights = fit_logistic(looks[train, 0], person[train])
        strongest: Floats = (weights[0] + looks[:, counted] @ weights[1:]).max(axis=1)
        shares: Floats = 1.0 / (1.0 + np.exp(-np.clip(strongest, -60, 60)))
        return shares

    return score


def given(scores: Floats) -> Scorer:
    """Return the scorer that learns nothing."""
    return lambda train: scores


def either(parts: Sequence[tuple[Scorer, Thresholds | Losses]], person: Flags) -> Scorer:
    """Return the scorer of a combination, as :class:`matting_data.detectors.combined.CombinedDetector` makes it.

    Parts with losses instead of thresholds get those that lose so much of the clean photographs learned from.
    """

    def score(train: Flags) -> Floats:
        columns = []
        for scorer, thresholds in parts:
            scores = scorer(train)
            if isinstance(thresholds, Thresholds):
                limits = thresholds
            else:
                limits = Thresholds(*(threshold_losing(scores[train], person[train], loss) for loss in thresholds))
            columns.append([common_scale(float(value), limits) for value in scores])
        strongest: Floats = np.asarray(columns).max(axis=0)
        return strongest

    return score


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


def cross_validated(
    name: str, scorer: Scorer, person: Flags, stratum: NDArray[np.int64], loss: float = REVIEW_LOSS
) -> Figures:
    """Fit and score on different folds, REPEATS times; `loss` is the share of clean training photographs given up."""
    recalls, losts, fold_recalls, fold_losts, curves, areas = [], [], [], [], [], []
    for seed in range(REPEATS):
        fold = folds(stratum, seed)
        rejected = np.zeros(len(person), dtype=bool)
        held_out = np.zeros(len(person))
        for number in range(FOLDS):
            train, test = fold != number, fold == number
            scores = scorer(train)
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


def at_threshold(name: str, scores: Floats, person: Flags, threshold: float) -> FixedFigures:
    """Return the figures of rejecting from a given threshold on."""
    recall, lost = float((scores[person] >= threshold).mean()), float((scores[~person] >= threshold).mean())
    intervals = wilson(recall, int(person.sum())), wilson(lost, int((~person).sum()))
    return FixedFigures(name, threshold, recall, intervals[0], lost, intervals[1])


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
