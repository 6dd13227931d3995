"""Intervals for means, by resampling people rather than pictures.

Composites of one person share its hair and its mistakes; resampling them one by one would promise an interval far too
narrow. Whole people are drawn, with all their composites, and the percentiles of the resulting means are given.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


def intervals(
    values: NDArray[np.float64], clusters: Sequence[str], name: str, seed: int = 0, resamples: int = 2000
) -> list[tuple[float, float] | None]:
    """Compute the percentile bootstrap interval (95 %) of the mean of each column.

    Parameters
    ----------
    values : ndarray
        (images, metrics) float64.
    clusters : sequence of str
        For each image, what it is resampled with: its foreground, or itself.
    name : str
        Of the group; together with `seed` it decides the draws, so that a group's interval does not depend on which
        other groups are in the table.
    seed, resamples : int
        Same seed, same intervals.

    Returns
    -------
    list of (float, float) or None
        None for all columns where there are fewer than two clusters, of which no spread can be learned.
    """
    names = {cluster: number for number, cluster in enumerate(sorted(set(clusters)))}
    count = len(names)
    if count < 2:
        return [None] * values.shape[1]
    member = np.array([names[cluster] for cluster in clusters])
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, member, values)
    sizes = np.bincount(member, minlength=count)
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    means = (drawn @ sums) / (drawn @ sizes)[:, None]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
