"""Where a matte is unknown to the loss: a band around everything soft, of random width, as MODNet's authors train."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from matting_data.errors import UsageError

_SOLID = 0.9


def draw_windows(size: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the sides of the dilation and the erosion window, separately: 20 to 40 pixels for crops of 512.

    Parameters
    ----------
    size : int
        Side of the crop, in pixels.
    rng : Generator
        From :func:`matting_data.seeds.generator`.
    """
    factor = max(1, size // 256)
    return factor * int(rng.integers(10, 21)), factor * int(rng.integers(10, 21))


def unknown_area(alpha: Tensor, dilate: int, erode: int) -> Tensor:
    """Mark the pixels that are neither surely background nor surely foreground.

    Background is what lies further than a `dilate`-sided square from any alpha > 0, foreground what lies with a whole
    `erode`-sided square in alpha ≥ 0.9.

    Parameters
    ----------
    alpha : Tensor
        B×1×H×W in [0, 1].
    dilate, erode : int
        Sides in pixels.

    Returns
    -------
    Tensor
        B×1×H×W bool.
    """
    touched = (alpha > 0).float()
    hollow = (alpha < _SOLID).float()
    return (_dilated(touched, dilate) > 0) & (_dilated(hollow, erode) > 0)


def unknown_of_trimap(trimap: Tensor) -> Tensor:
    """Mark the unknown pixels of a trimap.

    Parameters
    ----------
    trimap : Tensor
        uint8 of 0, 128 and 255, any shape.

    Returns
    -------
    Tensor
        bool, same shape.

    Raises
    ------
    UsageError
        Another type or another value.
    """
    if trimap.dtype != torch.uint8:
        raise UsageError(f"the trimap has the type {trimap.dtype}: give uint8 of 0, 128 and 255")
    strange = trimap[(trimap != 0) & (trimap != 128) & (trimap != 255)]
    if strange.numel():
        raise UsageError(f"the trimap holds the value {int(strange[0])}: only 0, 128 and 255 mean something")
    return trimap == 128


def _dilated(mask: Tensor, side: int) -> Tensor:
    before, after = side // 2, (side - 1) // 2
    return functional.max_pool2d(functional.pad(mask, (before, after, before, after)), side, 1)
