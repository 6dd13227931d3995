"""The largest connected component at each of ten thresholds, in one pass over runs of equal level.

Mattes are mostly flat: a row falls into few runs of pixels that pass the same thresholds. Runs are joined from the
highest threshold down, so that one union-find serves all ten, and a component's size only ever grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

LEVELS = 10
"""Thresholds above 0: 0.1, 0.2, ..., 1.0."""


@dataclass(frozen=True)
class LargestRule:
    """Which component is taken as the largest one of a threshold.

    Attributes
    ----------
    by_column : bool
        Among equally large components, take the one whose first pixel comes first column by column (as MATLAB
        stores images); else row by row (as ports in Python do).
    count_outside : bool
        The pixels below the threshold, connected or not, take part as one more component and win ties: what counting
        label 0 comes to.
    skip_empty : bool
        A threshold that nothing passes is left out, so that what passed all others counts as passing all; else
        nothing passes it.
    """

    by_column: bool = True
    count_outside: bool = False
    skip_empty: bool = False


@dataclass(frozen=True)
class Runs:
    """An image as runs of equal level.

    Attributes
    ----------
    first : ndarray
        (rows + 1,) int32; the runs of row y are ``first[y]`` to ``first[y + 1] - 1``.
    start : ndarray
        (runs,) int32; leftmost column of each.
    level : ndarray
        (runs,) uint8, 0 to 10: how many thresholds its pixels pass.
    """

    first: NDArray[np.int32]
    start: NDArray[np.int32]
    level: NDArray[np.uint8]


def runs_of(levels: NDArray[np.uint8]) -> Runs:
    """Cut an H×W image of levels into runs."""
    first = _count_runs(levels)
    start, level = np.empty(first[-1], np.int32), np.empty(first[-1], np.uint8)
    _fill_runs(levels, first, start, level)
    return Runs(first, start, level)


def depths(runs: Runs, width: int, rule: LargestRule) -> NDArray[np.uint8]:
    """Count for each run how many thresholds, from the lowest up, have it in their largest component.

    Parameters
    ----------
    runs : Runs
        Of one image.
    width : int
        Its columns.
    rule : LargestRule
        What counts as the largest.

    Returns
    -------
    ndarray
        (runs,) uint8, 0 to 10.
    """
    one, other, places = _edges(runs.first, runs.start, runs.level, width)
    area, rank = _areas(runs.first, runs.start, width, rule.by_column)
    order = np.argsort(LEVELS - runs.level, kind="stable").astype(np.int32)  # from the highest level down
    ends = np.bincount(runs.level, minlength=LEVELS + 2)[::-1].cumsum()[::-1]  # runs at each level or above it
    passed = _members(order, ends, area, rank, (one, other), places, rule.count_outside) >> 1
    depth: NDArray[np.uint8] = np.bitwise_count(
        (~passed & (passed + 1)) - 1
    )  # the ones before the first zero, from the lowest bit up
    if rule.skip_empty:
        # a run that passes every threshold that any pixel passes
        highest = runs.level.max()
        depth[depth == highest] = LEVELS
    return depth


@numba.njit(cache=True)
def _count_runs(levels: NDArray[np.uint8]) -> NDArray[np.int32]:
    height, width = levels.shape
    first = np.zeros(height + 1, np.int32)
    for y in range(height):
        line = levels[y]
        changes = 0
        for x in range(1, width):
            changes += line[x] != line[x - 1]
        first[y + 1] = first[y] + changes + 1
    return first


@numba.njit(cache=True)
def _fill_runs(
    levels: NDArray[np.uint8], first: NDArray[np.int32], start: NDArray[np.int32], level: NDArray[np.uint8]
) -> None:
    height, width = levels.shape
    for y in range(height):
        line = levels[y]
        run = first[y]
        start[run], level[run] = 0, line[0]
        if first[y + 1] == run + 1:
            continue
        for x in range(1, width):
            if line[x] != line[x - 1]:
                run += 1
                start[run], level[run] = x, line[x]


@numba.njit(cache=True)
def _edges(
    first: NDArray[np.int32], start: NDArray[np.int32], level: NDArray[np.uint8], width: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """List pairs of touching runs, sorted by the highest threshold that both pass, and where each level begins."""
    places = np.zeros(LEVELS + 2, np.int64)
    edges = np.empty(0, np.int32), np.empty(0, np.int32)
    for filling in (False, True):
        if filling:
            places[1:] = np.cumsum(places[:-1])  # counts become beginnings
            places[0] = 0
            edges = np.empty(places[-1], np.int32), np.empty(places[-1], np.int32)
            at = places.copy()
        else:
            at = np.zeros(LEVELS + 2, np.int64)
        for y in range(first.size - 1):
            for run in range(first[y] + 1, first[y + 1]):
                _note(run - 1, run, level, places, at, edges, filling)
            if y == 0:
                continue
            above, below = first[y - 1], first[y]
            while below < first[y + 1]:
                _note(above, below, level, places, at, edges, filling)
                above_end = start[above + 1] if above + 1 < first[y] else width
                below_end = start[below + 1] if below + 1 < first[y + 1] else width
                if above_end <= below_end:
                    above += 1
                if below_end <= above_end:
                    below += 1
    return *edges, places


@numba.njit(cache=True)
def _note(
    a: int,
    b: int,
    level: NDArray[np.uint8],
    places: NDArray[np.int64],
    at: NDArray[np.int64],
    edges: tuple[NDArray[np.int32], NDArray[np.int32]],
    filling: bool,
) -> None:
    shared = min(level[a], level[b])
    if shared == 0:
        return
    if filling:
        edges[0][at[shared]], edges[1][at[shared]] = a, b
        at[shared] += 1
    else:
        places[shared] += 1


@numba.njit(cache=True)
def _root(parent: NDArray[np.int32], run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@numba.njit(cache=True)
def _areas(
    first: NDArray[np.int32], start: NDArray[np.int32], width: int, by_column: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Measure each run's length and the place of its first pixel in the order that settles ties."""
    area, rank = np.empty(start.size, np.int64), np.empty(start.size, np.int64)
    height = first.size - 1
    for y in range(height):
        for run in range(first[y], first[y + 1]):
            end = start[run + 1] if run + 1 < first[y + 1] else width
            area[run] = end - start[run]
            rank[run] = start[run] * height + y if by_column else y * width + start[run]
    return area, rank


@numba.njit(cache=True)
def _members(
    order: NDArray[np.int32],
    ends: NDArray[np.int64],
    area: NDArray[np.int64],
    rank: NDArray[np.int64],
    edges: tuple[NDArray[np.int32], NDArray[np.int32]],
    places: NDArray[np.int64],
    count_outside: bool,
) -> NDArray[np.uint16]:
    """Compute for each run a word whose bit i tells whether it lies in the largest component of threshold i."""
    parent = np.arange(order.size).astype(np.int32)
    member = np.zeros(order.size, np.uint16)
    outside = area.sum()
    best = -1
    for threshold in range(LEVELS, 0, -1):
        new = order[ends[threshold + 1] : ends[threshold]]
        for run in new:
            outside -= area[run]
        for edge in range(places[threshold], places[threshold + 1]):
            a, b = _root(parent, edges[0][edge]), _root(parent, edges[1][edge])
            if a != b:
                if area[a] < area[b]:
                    a, b = b, a
                parent[b] = a
                area[a] += area[b]
                rank[a] = min(rank[a], rank[b])
        if best >= 0:
            best = _root(parent, best)
        # only a component that gained a run of exactly this level can have outgrown the largest one
        for run in new:
            root = _root(parent, run)
            if best < 0 or area[root] > area[best] or (area[root] == area[best] and rank[root] < rank[best]):
                best = root
        bit = np.uint16(1 << threshold)
        if count_outside and (best < 0 or outside >= area[best]):
            for run in order[ends[threshold] :]:
                member[run] |= bit
        elif best >= 0:
            for run in order[: ends[threshold]]:
                if _root(parent, run) == best:
                    member[run] |= bit
    return member
