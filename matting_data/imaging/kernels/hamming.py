"""Hamming distances between 256-bit fingerprints, many at a time.

A fingerprint is four 64-bit words, and fingerprints are stored word by word (4×N), so that LLVM counts the differing
bits of several at once. They are looked at in blocks of 32: two words tell of most blocks that nothing in them is near.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

BLOCK = 32
"""Fingerprints that are compared at once; arrays are padded to a multiple of it."""


def _count_bits(_context: Any, _word: Any) -> tuple[Any, Callable[..., Any]]:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


_bits: Any = intrinsic(_count_bits)


@numba.njit(cache=True, nogil=True, inline="always")
def _near_block(a: int, b: int, c: int, d: int, words: NDArray[np.uint64], start: int, distance: int) -> bool:
    """Tell whether any of the 32 fingerprints from `start` on is within `distance` of (a, b, c, d)."""
    near = 0
    for j in range(start, start + BLOCK):
        near += _bits(a ^ words[0, j]) + _bits(b ^ words[1, j]) <= distance
    if not near:
        return False
    near = 0
    for j in range(start, start + BLOCK):
        bits = _bits(a ^ words[0, j]) + _bits(b ^ words[1, j]) + _bits(c ^ words[2, j]) + _bits(d ^ words[3, j])
        near += bits <= distance
    return near > 0


@numba.njit(cache=True, nogil=True)
def first_near(
    queries: NDArray[np.uint64], words: NDArray[np.uint64], count: int, distance: int, found: NDArray[np.int64]
) -> None:
    """Find, for each query, the first of some fingerprints within a distance.

    Parameters
    ----------
    queries : ndarray
        4×Q uint64.
    words : ndarray
        4×N uint64, N a multiple of ``BLOCK``.
    count : int
        How many of `words` count.
    distance : int
        In bits.
    found : ndarray
        Q int64, overwritten: the place of the first that is near, or -1.
    """
    for query in range(queries.shape[1]):
        a, b, c, d = queries[0, query], queries[1, query], queries[2, query], queries[3, query]
        found[query] = -1
        for start in range(0, count, BLOCK):
            if not _near_block(a, b, c, d, words, start, distance):
                continue
            for j in range(start, min(start + BLOCK, count)):
                bits = _bits(a ^ words[0, j]) + _bits(b ^ words[1, j]) + _bits(c ^ words[2, j]) + _bits(d ^ words[3, j])
                if bits <= distance:
                    found[query] = j
                    break
            if found[query] >= 0:
                break


@numba.njit(cache=True, nogil=True)
def keep_first(
    queries: NDArray[np.uint64], kept: NDArray[np.uint64], count: int, distance: int, found: NDArray[np.int64]
) -> int:
    """Append to `kept` each query that is near nothing in it, in order.

    Parameters
    ----------
    queries : ndarray
        4×Q uint64.
    kept : ndarray
        4×N uint64 with room for all queries after the `count` that are there.
    distance : int
        In bits.
    found : ndarray
        Q int64: the result of :func:`first_near` over these `count`; completed: the place in `kept` of the first that
        is near, or of the query itself.

    Returns
    -------
    int
        How many there are in `kept` now.
    """
    before = count
    for query in range(queries.shape[1]):
        if found[query] >= 0:
            continue
        for j in range(before, count):
            bits = 0
            for word in range(4):
                bits += _bits(queries[word, query] ^ kept[word, j])
            if bits <= distance:
                found[query] = j
                break
        if found[query] < 0:
            found[query] = count
            for word in range(4):
                kept[word, count] = queries[word, query]
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def join_near(
    words: NDArray[np.uint64], leader: NDArray[np.int64], common: NDArray[np.int64], start: int, stop: int,
    distance: int, joined: NDArray[np.int64],
) -> int:  # fmt: skip
    """Join the groups of fingerprints ``start`` to ``stop`` with those of earlier ones that are within a distance.

    Parameters
    ----------
    words : ndarray
        4×N uint64, N a multiple of ``BLOCK``.
    leader : ndarray
        N int64, altered: a smaller member of the same group, or the item itself (union-find).
    common : ndarray
        N/``BLOCK`` int64: the leader of a block whose members are all of one group, else -1. Blocks that are of the
        query's group are passed over, so that crowds cost little.
    distance : int
        In bits.
    joined : ndarray
        M×2 int64 with room for a row for each group less than there was; the pairs that joined groups.

    Returns
    -------
    int
        How many rows of `joined` were written.
    """
    count = 0
    for i in range(start, stop):
        a, b, c, d = words[0, i], words[1, i], words[2, i], words[3, i]
        own = _leader_of(leader, i)
        for first in range(0, i, BLOCK):
            block = common[first // BLOCK]
            if block >= 0 and _leader_of(leader, block) == own:
                continue
            if not _near_block(a, b, c, d, words, first, distance):
                continue
            for j in range(first, min(first + BLOCK, i)):
                bits = _bits(a ^ words[0, j]) + _bits(b ^ words[1, j]) + _bits(c ^ words[2, j]) + _bits(d ^ words[3, j])
                if bits <= distance:
                    other = _leader_of(leader, j)
                    if other != own:
                        joined[count, 0], joined[count, 1] = i, j
                        count += 1
                        leader[max(own, other)] = own = min(own, other)
    return count


@numba.njit(cache=True, nogil=True)
def _leader_of(leader: NDArray[np.int64], item: int) -> int:
    while leader[item] != item:
        leader[item] = leader[leader[item]]
        item = leader[item]
    return item


@numba.njit(cache=True)
def merge(leader: NDArray[np.int64], pairs: NDArray[np.int64]) -> None:
    """Join groups by pairs (M×2) of their members; afterwards `leader` holds the first item of each item's group."""
    for row in range(pairs.shape[0]):
        one, other = _leader_of(leader, pairs[row, 0]), _leader_of(leader, pairs[row, 1])
        leader[max(one, other)] = min(one, other)
    for item in range(leader.size):
        leader[item] = _leader_of(leader, item)
