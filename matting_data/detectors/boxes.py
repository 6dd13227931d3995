"""Rectangles: overlap and non-maximum suppression, pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from matting_data.records.checked import HumanBox

MAX_BOXES = 20
MAX_BOX_OVERLAP = 0.5


def overlap(one: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the intersection over union of one rectangle with each of many.

    Parameters
    ----------
    one : ndarray of float32, shape (4,)
        x0, y0, x1, y1.
    others : ndarray of float32, shape (n, 4)

    Returns
    -------
    ndarray of float32, shape (n,)
        In [0, 1]; 0 where both rectangles are empty.
    """
    low = np.maximum(one[:2], others[:, :2])
    high = np.minimum(one[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=1)
    union = np.prod(one[2:] - one[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    result: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result


def suppressed(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], max_overlap: float, limit: int
) -> NDArray[np.int64]:
    """Greedy non-maximum suppression.

    Parameters
    ----------
    boxes : ndarray of float32, shape (n, 4)
        x0, y0, x1, y1.
    scores : ndarray of float32, shape (n,)
    max_overlap : float
        A box that overlaps a stronger kept one by more than this is dropped.
    limit : int
        At most so many boxes are kept.

    Returns
    -------
    ndarray of int64, shape (k,)
        Indices of the kept boxes, strongest first; of equals the first in the input comes first.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size and len(kept) < limit:
        best = int(order[0])
        kept.append(best)
        rest = order[1:]
        order = rest[overlap(boxes[best], boxes[rest]) <= max_overlap]
    return np.asarray(kept, dtype=np.int64)


def merged(boxes: Sequence[HumanBox]) -> tuple[HumanBox, ...]:
    """Merge the boxes of several looks at one image.

    Parameters
    ----------
    boxes : sequence of HumanBox

    Returns
    -------
    tuple of HumanBox
        At most :data:`MAX_BOXES`, strongest first, none overlapping a stronger one by more than
        :data:`MAX_BOX_OVERLAP`.
    """
    corners = np.asarray([[box.x0, box.y0, box.x1, box.y1] for box in boxes], dtype=np.float32).reshape(-1, 4)
    scores = np.asarray([box.score for box in boxes], dtype=np.float32)
    return tuple(boxes[i] for i in suppressed(corners, scores, MAX_BOX_OVERLAP, MAX_BOXES))
