"""Metrics limited to a band around the truth's boundary, where mattes differ and most pixels do not lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from matting_data.errors import UsageError
from matting_data.metrics.mattes import Region, pair

Metric = Callable[[ArrayLike, ArrayLike, ArrayLike | None], float]


def boundary(truth: ArrayLike, radius: float) -> Region:
    """Mark the pixels within `radius` of the truth's boundary.

    The boundary is every soft pixel (0 < α < 1), and both pixels of every horizontal or vertical neighbourhood across
    which α passes ½, so that a binary matte has one too.

    Parameters
    ----------
    truth : array_like
        H×W matte: uint8, uint16, or floating point in [0, 1].
    radius : float
        Euclidean distance in pixels, at least 0; distances equal to it count as within.

    Returns
    -------
    ndarray
        H×W bool with at least one True.

    Raises
    ------
    UsageError
        A negative radius, an unusable matte, or one that is 0 or 1 everywhere and has no boundary.
    """
    if not radius >= 0:
        raise UsageError(f"the radius is {radius}: give a distance in pixels, 0 or more")
    both = pair(truth, truth)
    matte: NDArray[Any] = both.truth
    top = both.top or 1
    edge: Region = (matte > 0) & (matte < top)
    inside = matte >= top / 2
    across, down = inside[:, 1:] != inside[:, :-1], inside[1:] != inside[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    if not edge.any():
        raise UsageError(
            f"the truth is {matte.flat[0] / top:g} everywhere and has no boundary: score the whole image instead"
        )
    distance = cv2.distanceTransform((~edge).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # squared distances are integers: a threshold between two of them is exact whatever the transform's last digits
    within: Region = np.asarray(distance, np.float64) <= np.sqrt(np.floor(radius * radius + 1e-9) + 0.5)
    return within


def at_boundary(metric: Metric, prediction: ArrayLike, truth: ArrayLike, radius: float) -> float:
    """Compute a metric over the pixels within `radius` of the truth's boundary.

    Parameters
    ----------
    metric : callable
        ``mse``, ``mad``, ``sad``, ``gradient`` or ``connectivity``. The last two filter and connect over the whole
        image and sum over the band.
    prediction, truth : array_like
        H×W mattes, as the metric takes them.
    radius : float
        As for :func:`boundary`.

    Raises
    ------
    UsageError
        What :func:`boundary` and the metric refuse.
    """
    return metric(prediction, truth, boundary(truth, radius))
