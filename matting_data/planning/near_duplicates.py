"""Near-duplicates by fingerprint, exactly: every pair that could matter is compared.

Indices for Hamming space (multi-index hashing, faiss' IndexBinaryMultiHash) are faster while fingerprints are spread
evenly, and degrade to visiting each pair through hash tables where they crowd, as plain backdrops and frames of a film
do. Comparing in order costs about a nanosecond a pair, whatever the fingerprints are (``benchmarks.near_duplicates``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.kernels.hamming import BLOCK, first_near, join_near, keep_first, merge
from matting_data.running.executor import default_workers

_BITS = 256

_ROWS = 64 * BLOCK
"""Fingerprints that one thread compares with all earlier ones before the others hear of it."""


def duplicate_of(hashes: Sequence[str], distance: int) -> list[int | None]:
    """For each hash, find the earlier kept one it repeats.

    The first of several near-duplicates is kept; later ones point to the first kept hash within `distance`.

    Parameters
    ----------
    hashes : sequence of str
        64 hex digits each, in the order of precedence.
    distance : int
        Largest number of differing bits that counts as a duplicate, 0 to 256.

    Returns
    -------
    list
        Index of the kept original, or None where the entry itself is kept.
    """
    words = _words(hashes, distance)
    kept = np.zeros_like(words)
    members: list[int] = []
    originals: list[int | None] = []
    with ThreadPoolExecutor(default_workers()) as threads:
        for start in range(0, len(hashes), _ROWS):
            rows = words[:, start : min(start + _ROWS, len(hashes))]
            found = np.empty(rows.shape[1], np.int64)
            count = len(members)
            parts = [slice(at, at + BLOCK) for at in range(0, len(found), BLOCK)]
            list(threads.map(_look_up(rows, kept, count, distance, found), parts))
            keep_first(rows, kept, count, distance, found)
            for index, place in enumerate(found.tolist(), start):
                if place == len(members):
                    members.append(index)
                    originals.append(None)
                else:
                    originals.append(members[place])
    return originals


def groups(hashes: Sequence[str], distance: int) -> list[int]:
    """Number each hash by its group: hashes within `distance` bits of each other, directly or through others.

    Returns
    -------
    list of int
        For each hash the smallest index of its group.
    """
    if distance == 0:
        first: dict[str, int] = {}
        return [first.setdefault(fingerprint, index) for index, fingerprint in enumerate(hashes)]
    words = _words(hashes, distance)
    leader = np.arange(words.shape[1])
    workers = default_workers()
    with ThreadPoolExecutor(workers) as threads:
        for start in range(0, len(hashes), _ROWS * workers):
            stop = min(start + _ROWS * workers, len(hashes))
            parts = [(at, min(at + _ROWS, stop)) for at in range(start, stop, _ROWS)]
            for pairs in list(threads.map(_join(words, leader, distance), parts)):
                merge(leader, pairs)
    return [int(index) for index in leader[: len(hashes)]]


def connected(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Find the groups that pairs of `count` items join: the index of the first item of each item's group."""
    leader = np.arange(count)
    merge(leader, np.array([*pairs], np.int64).reshape(-1, 2))
    return [int(index) for index in leader]


def _look_up(
    rows: NDArray[np.uint64], kept: NDArray[np.uint64], count: int, distance: int, found: NDArray[np.int64]
) -> Callable[[slice], None]:
    return lambda part: first_near(rows[:, part], kept, count, distance, found[part])


def _join(
    words: NDArray[np.uint64], leader: NDArray[np.int64], distance: int
) -> Callable[[tuple[int, int]], NDArray[np.int64]]:
    """Make the task of a thread, which gives the pairs that joined groups in a copy of `leader`."""
    blocks = leader.reshape(-1, BLOCK)
    common = np.where((blocks == blocks[:, :1]).all(axis=1), blocks[:, 0], -1)

    def task(part: tuple[int, int]) -> NDArray[np.int64]:
        start, stop = part
        joined = np.empty((stop, 2), np.int64)
        count = join_near(words, leader.copy(), common, start, stop, distance, joined)
        return joined[:count].copy()

    return task


def _words(hashes: Sequence[str], distance: int) -> NDArray[np.uint64]:
    """Arrange fingerprints word by word (4×N), padded to whole blocks."""
    if not 0 <= distance <= _BITS:
        raise ValueError(f"distance {distance} is outside 0 to {_BITS}")
    padded = np.zeros((4, -(-len(hashes) // BLOCK) * BLOCK), np.uint64)
    padded[:, : len(hashes)] = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(-1, 4).T
    return padded
