"""Damage as disks and networks do it: bits flipped, bytes replaced, files cut, parts repeated or lost."""

from __future__ import annotations

import numpy as np


def mutated(content: bytes, region: range, seed: int) -> bytes:
    """Return the content with one fault that begins in a region, another for each seed; never the content itself."""
    rng = np.random.default_rng([seed, len(content), region.start])
    place = int(rng.integers(region.start, region.stop))
    length = int(min(rng.choice([1, 2, 8, 64, 4096]), len(content) - place))
    kinds = ("flip", "flip", "zero", "noise", "cut", "lose", "repeat", "move")
    for kind in rng.permutation(kinds):
        damaged = bytearray(content)
        if kind == "flip":
            damaged[place] ^= 1 << int(rng.integers(8))
        elif kind == "zero":
            damaged[place : place + length] = bytes(length)
        elif kind == "noise":
            damaged[place : place + length] = rng.bytes(length)
        elif kind == "cut":
            del damaged[place:]
        elif kind == "lose":
            del damaged[place : place + length]
        elif kind == "repeat":
            damaged[place:place] = damaged[place : place + length]
        else:
            source = int(rng.integers(len(content) - length + 1))
            damaged[place : place + length] = content[source : source + length]
        if damaged != content:
            return bytes(damaged)
    raise AssertionError("no fault changes the content")
