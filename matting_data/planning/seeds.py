"""Randomness that depends on what is made, never on who makes it or when.

Every draw comes from a key of names and numbers, hashed into a counter-based generator. The same key gives the same
numbers in any process, order and machine.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(*key: str | int) -> int:
    """Hash a key of strings and integers to 63 bits (BLAKE2b)."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in key)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*key: str | int) -> np.random.Generator:
    """Return a Philox generator (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011) for a key."""
    return np.random.Generator(np.random.Philox(key=derive_seed(*key)))
