"""Errors of sequences: how much a matte flickers where the truth does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matting_data.errors import UsageError
from matting_data.metrics.mattes import Pair, pair


def dtssd(
    predictions: Sequence[ArrayLike] | NDArray[np.generic],
    truths: Sequence[ArrayLike] | NDArray[np.generic],
    regions: Sequence[ArrayLike] | NDArray[np.bool_] | None = None,
) -> float:
    """Mean over all transitions of √(Σ ((p_t − p_{t−1}) − (g_t − g_{t−1}))² / number of pixels that count).

    Parameters
    ----------
    predictions, truths : sequence of array_like, or T×H×W array
        At least two mattes each, all of one size: uint8, uint16, or floating point in [0, 1].
    regions : sequence of array_like of bool, optional
        One H×W region a frame; a transition counts the pixels of its earlier frame's. All by default.

    Returns
    -------
    float
        In [0, 2]. An error that stays the same from frame to frame adds nothing.

    Raises
    ------
    UsageError
        Fewer than two frames, unequal numbers of frames, frames of unequal sizes, and what the other metrics refuse.

    Notes
    -----
    Erofeev et al., Perceptually motivated benchmark for video matting, BMVC 2015. Papers print the result times 100.
    RobustVideoMatting's script counts a 0 for the first frame as well, so that its mean over T frames is (T − 1)/T of
    this one.
    """
    lengths = {len(predictions), len(truths)} | ({len(regions)} if regions is not None else set())
    if len(lengths) > 1:
        raise UsageError(
            f"there are {len(predictions)} predictions for {len(truths)} truths"
            + (f" and {len(regions)} regions" if regions is not None else "")
            + ": give one of each a frame"
        )
    if len(predictions) < 2:
        raise UsageError(f"a sequence of {len(predictions)} frames has no transition: give at least two")
    frames: Iterable[Pair] = (
        pair(prediction, truth, None if regions is None else regions[t])
        for t, (prediction, truth) in enumerate(zip(predictions, truths, strict=True))
    )
    return float(np.mean([_transition(earlier, later) for earlier, later in pairwise(frames)]))


def _transition(earlier: Pair, later: Pair) -> float:
    if earlier.prediction.shape != later.prediction.shape:
        raise UsageError(
            f"frames of {earlier.prediction.shape} and {later.prediction.shape} follow each other: "
            "a sequence has one size"
        )
    error = (_error(later) - _error(earlier)) ** 2
    total = error[earlier.region].sum() if earlier.region.size else error.sum()
    return float(np.sqrt(total / earlier.pixels))


def _error(both: Pair) -> NDArray[np.float64]:
    """Compute p − g; the difference of two of these is that of the two changes."""
    return (both.prediction.astype(np.float64) - both.truth.astype(np.float64)) / (both.top or 1)
