"""Randomness that depends on what is made, never on who makes it or when.

Every draw comes from a key of names and numbers, hashed into a counter-based generator. The same key gives the same
numbers in any process, order and machine.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike, NDArray


def derive_seed(*key: str | int) -> int:
    """Hash a key of strings and integers to 63 bits (BLAKE2b)."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in key)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*key: str | int) -> np.random.Generator:
    """Build a Philox generator (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011) for a key."""
    bits = np.random.Philox(_Key(derive_seed(*key)))  # type: ignore[arg-type]  # any ISeedSequence will do
    return np.random.Generator(bits)


def spread(keys: Sequence[str], groups: Sequence[str], count: int, *salt: str | int) -> list[int]:
    """Choose `count` places by a hash of `salt` and their key, one of every group before a second of any."""
    taken: Counter[str] = Counter()
    ranked = []
    for number, place in enumerate(sorted(range(len(keys)), key=lambda place: derive_seed(*salt, keys[place]))):
        ranked.append((taken[groups[place]], number, place))
        taken[groups[place]] += 1
    return [place for _, _, place in sorted(ranked)[:count]]


class _Key(ISeedSequence):
    """Hands Philox its key: ``Philox(key=...)`` gives the same stream, but first asks the system for randomness."""

    def __init__(self, key: int) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint32) -> NDArray[np.uint32 | np.uint64]:
        """Supply the two 64-bit words that Philox asks for."""
        return np.array([self._key, 0], np.uint64)
