"""Scoring one prediction: reading it, making it comparable as asked, and turning what is wrong with it into a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput, UsageError
from matting_data.evaluation.conventions import convention
from matting_data.evaluation.test_sets import Item, matte_of
from matting_data.metrics.absolute import absolute_sum, squared_sum
from matting_data.metrics.connectivity import ConnectivityRule, connectivity_sum
from matting_data.metrics.gradient import gradient_sum, reference_filter
from matting_data.metrics.mattes import compose, pair, size_text, unknown
from matting_data.sources.inputs import read_input

ZERO_AND_ONE, EIGHT_IN_SIXTEEN = "0 and 1", "8 bits in 16"
"""Notes on mattes that were likely saved without being stretched to the range of their type."""

METRICS = ("mse", "mad", "sad", "gradient", "connectivity")


@dataclass(frozen=True)
class ScoringOptions:
    """How predictions are scored.

    Attributes
    ----------
    region : {"whole", "unknown"}
        The pixels that count.
    paste : bool
        Set the trimap's known pixels in the prediction first.
    resize : bool
        Bring a prediction of another size to the truth's; else it fails.
    missing : {"fail", "black"}
        Whether a missing prediction fails, or is scored as all background.
    like : str
        Name of a convention that decides everything but the last two; empty for our own.
    """

    region: Literal["whole", "unknown"] = "whole"
    paste: bool = False
    resize: bool = False
    missing: Literal["fail", "black"] = "fail"
    like: str = ""


@dataclass(frozen=True)
class ImageScore:
    """One image, scored or not.

    Attributes
    ----------
    key, subset, foreground, background, source : str
        As the item has them.
    width, height, pixels : int
        Size of the truth and the number of its pixels that count; 0 where it was not scored.
    values : mapping
        Raw values of ``METRICS`` (means for mse and mad, sums for the others), or those of a convention in its scale;
        empty where it was not scored.
    reason, detail : str
        Why it was not scored: ``missing``, ``size``, ``unknown_region``, ``no_trimap``, ``no_truth``, or what decoding
        found.
    note : str
        What was done to a prediction before it was scored, or is odd about it: ``resized``, ``black``, ``0 and 1``
        (no code is larger than 1, though that of white is 255 or 65535), ``8 bits in 16`` (none is larger than 255,
        though that of white is 65535); ``truth of`` before the last two where it is the truth that is odd.
    """

    key: str
    subset: str = ""
    foreground: str = ""
    background: str = ""
    source: str = ""
    width: int = 0
    height: int = 0
    pixels: int = 0
    values: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""
    note: str = ""


def score_image(job: tuple[Item, Path | None], options: ScoringOptions) -> ImageScore:
    """Score an item's prediction (None: there is none); whatever is wrong with it becomes a reason."""
    item, path = job
    try:
        return ImageScore(**item.about, **_scored(item, path, options))
    except RejectedInput as error:
        return ImageScore(**item.about, reason=error.reason, detail=error.detail)


def _scored(item: Item, path: Path | None, options: ScoringOptions) -> dict[str, Any]:
    like = convention(options.like) if options.like else None
    counts_trimap = like.uses_trimap if like else options.paste or options.region == "unknown"
    planes = item.read("alpha", "trimap") if counts_trimap else item.read("alpha")
    truth, trimap = planes.get("alpha"), planes.get("trimap")
    if truth is None:
        raise RejectedInput("no_truth", "there is no matte of this name to compare with")
    if counts_trimap and trimap is None and (like is None or like.without_trimap == "refuse"):
        raise RejectedInput("no_trimap", "there is no trimap of this name")
    if trimap is not None and trimap.shape != truth.shape:
        raise RejectedInput("size", f"the trimap is {size_text(trimap)} and the truth {size_text(truth)}")
    prediction, note = _prediction(path, truth, options)
    height, width = truth.shape
    odd = unstretched(truth)
    size = {"width": width, "height": height, "note": ", ".join(filter(None, (note, odd and f"truth of {odd}")))}
    if like:
        try:
            values = like.score(prediction, truth, trimap)
        except UsageError as error:
            raise RejectedInput("unknown_region", str(error)) from None
        return {**size, "pixels": truth.size, "values": values}
    if options.paste and trimap is not None:
        prediction = compose(prediction, trimap)
    region = unknown(trimap) if options.region == "unknown" and trimap is not None else None
    if region is not None and not region.any():
        raise RejectedInput("unknown_region", "the trimap has no unknown pixel")
    values, pixels = raw_values(prediction, truth, region)
    return {**size, "pixels": pixels, "values": values}


def _prediction(path: Path | None, truth: NDArray[Any], options: ScoringOptions) -> tuple[NDArray[Any], str]:
    if path is None:
        if options.missing == "black":
            return np.zeros(truth.shape, np.uint8), "black"
        raise RejectedInput("missing", "there is no prediction of this name: name it as its image")
    prediction: NDArray[Any] = matte_of(read_input(path))
    note = unstretched(prediction)
    if prediction.shape == truth.shape:
        return prediction, note
    sizes = f"the prediction is {size_text(prediction)} and the truth {size_text(truth)}"
    if not options.resize:
        raise RejectedInput("size", f"{sizes}: give --resize where it was made of a scaled image")
    if not same_aspect(prediction.shape, truth.shape):
        raise RejectedInput("size", f"{sizes}: --resize scales, but keeps the aspect ratio; undo a crop or a padding")
    return resized(prediction, (truth.shape[1], truth.shape[0])), f"resized, {note}" if note else "resized"


def unstretched(matte: NDArray[Any]) -> str:
    """Name the range of integer codes that were likely not stretched to that of their type; empty for others."""
    largest = int(matte.max())
    if largest == 1:
        return ZERO_AND_ONE
    return EIGHT_IN_SIXTEEN if matte.dtype == np.uint16 and 1 < largest <= 255 else ""


def same_aspect(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tell whether one size is the other one scaled, each side rounded either way to whole pixels."""
    factors = [((side - 1) / whole, (side + 1) / whole) for side, whole in zip(one[:2], other[:2], strict=True)]
    return max(low for low, _ in factors) <= min(high for _, high in factors)


def raw_values(
    prediction: NDArray[Any],
    truth: NDArray[Any],
    region: NDArray[np.bool_] | None = None,
    metrics: Sequence[str] = METRICS,
) -> tuple[dict[str, float], int]:
    """Compute metrics, unscaled, and count the pixels that they cover; the mattes are checked once for all metrics."""
    both = pair(prediction, truth, region)
    absolute = absolute_sum(both)
    values = {"mse": squared_sum(both) / both.pixels, "mad": absolute / both.pixels, "sad": absolute}
    if "gradient" in metrics:
        values["gradient"] = gradient_sum(both, reference_filter(), scaled=True)
    if "connectivity" in metrics:
        values["connectivity"] = connectivity_sum(both, ConnectivityRule())
    return {name: values[name] for name in metrics}, both.pixels


def resized(matte: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Bring a matte to (width, height): by area where it shrinks both ways, else bilinearly."""
    shrinks = size[0] <= matte.shape[1] and size[1] <= matte.shape[0]
    return np.asarray(cv2.resize(matte, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))
