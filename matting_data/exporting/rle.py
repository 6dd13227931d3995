"""COCO's run-length encoding of binary masks (pycocotools, ``maskApi.c``): runs down the columns, background first.

The compressed form is a string of ASCII characters from 48 on, five bits each and a bit that says that more follow;
from the fourth run on, a run is stored as the difference to the one two before.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray


class Rle(TypedDict):
    """A mask as COCO's JSON holds it: `size` is [height, width]."""

    size: list[int]
    counts: str


def encode_mask(mask: NDArray[np.bool_]) -> Rle:
    """Encode an H×W mask."""
    return {"size": list(mask.shape), "counts": compress(runs(mask))}


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """Measure the lengths of the runs of an H×W mask in column order; the first, perhaps 0, is of background."""
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    start = [0] if flat.size and flat[0] else []
    return [*start, *np.diff([0, *edges.tolist(), flat.size]).tolist()]


def compress(lengths: list[int]) -> str:
    """Encode run lengths as COCO's compressed string."""
    characters = []
    for position, length in enumerate(lengths):
        value = length - lengths[position - 2] if position > 2 else length
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            characters.append(chr(48 + (bits | 0x20 if more else bits)))
    return "".join(characters)
