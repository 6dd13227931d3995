"""How many refinements a network should take: the fewest that come near the smallest error on people held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput
from matting_data.evaluation.scoring import raw_values
from matting_data.evaluation.test_sets import Item
from matting_data.networks.safenet.any_size import predict
from matting_data.networks.safenet.network import SafeNet

_WITHIN = 1.005
"""Of the smallest error: what counts as near."""


def held_out_errors(
    network: SafeNet, items: Sequence[Item], count: int, short_side: int, metric: str = "mad"
) -> list[float]:
    """Measure a network's mean error after 0 to `count` refinements at ``short_side``, to choose the stop rule by.

    It is infinite where any matte after so many refinements is not finite.

    Parameters
    ----------
    network : SafeNet
    items : sequence of Item
        Of people held out of the training split.
    count, short_side : int
    metric : str
        A mean: ``mad`` or ``mse``.
    """
    errors = np.zeros(count + 1)
    for item in items:
        image, truth = image_and_truth(item)
        mattes = predict(network, image, iterations=count, short_side=short_side).mattes
        errors += [
            raw_values(matte, truth, None, (metric,))[0][metric] if np.isfinite(matte).all() else np.inf
            for matte in mattes
        ]
    return [float(error) for error in errors / max(1, len(items))]


def choose_refinements(errors: Sequence[float]) -> int:
    """Choose the fewest refinements whose error is within half a percent of the smallest.

    Parameters
    ----------
    errors : sequence of float
        Mean errors on validation data after 0, 1, 2, ... refinements.
    """
    smallest = min(errors)
    return next(count for count, error in enumerate(errors) if error <= smallest * _WITHIN)


def image_and_truth(item: Item) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Read the image H×W×3 and the true alpha H×W of an item; RejectedInput where one is missing or sizes differ."""
    image, truth = item.need("image", "alpha")
    if image.shape[:2] != truth.shape:
        raise RejectedInput("size", f"the image is {image.shape[1]}×{image.shape[0]}, its matte is not")
    return image, truth
