"""Mattes for images of any size: scaled near the size of the training crops, refined, scaled back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matting_data.errors import RejectedInput, UsageError
from matting_data.networks.cuda_memory import is_out_of_memory
from matting_data.networks.safenet.flaw_detector import SMALLEST
from matting_data.networks.safenet.network import SafeNet, evaluating
from matting_data.networks.safenet.padding import MULTIPLE

Size = Literal["short_side", "native"]

_LONGEST = 4
"""Times the short side: a strip of a few rows would be enlarged beyond any memory."""


class TooLarge(UsageError):
    """The device's memory is too small for an image, or for a batch of them."""


class Mattes(NamedTuple):
    """What was predicted for one image, at its own size.

    Attributes
    ----------
    mattes : list of ndarray
        α⁰ to α^T, H×W float32 in [0, 1]; the last is the result. One that is not finite everywhere is NaN everywhere;
        :meth:`require_finite` refuses it.
    flaw_maps : list of ndarray
        FM of α⁰ to α^(T−1), H×W float32; empty without FEM.
    """

    mattes: list[NDArray[np.float32]]
    flaw_maps: list[NDArray[np.float32]]

    def require_finite(self) -> list[NDArray[np.float32]]:
        """Check and hand out the mattes; RejectedInput ``not_finite`` where the network gave NaN or infinity."""
        broken = [number for number, matte in enumerate(self.mattes) if not np.isfinite(matte).all()]
        if broken:
            raise RejectedInput(
                "not_finite", "the network gave NaN or infinity for it: its weights are damaged or training diverged"
            )
        return self.mattes


def predict(
    network: SafeNet,
    image: NDArray[np.uint8],
    *,
    iterations: int | None = None,
    size: Size = "short_side",
    short_side: int = 512,
    tolerance: float | None = None,
) -> Mattes:
    """Predict the matte of one image; no trimap is needed.

    Parameters
    ----------
    network : SafeNet
        On any device; it is used in evaluation mode and left in the mode it was in.
    image : ndarray
        H×W×3 uint8 RGB.
    iterations : int, optional
        Refinements; those of the config without.
    size : {"short_side", "native"}
        ``short_side``: :func:`working_size`; ``native``: as it is, padded. The flaw detector's statistics follow the
        size of what it sees, so a size near that of the training crops serves it best.
    short_side : int
        In pixels; the side of the training crops.
    tolerance : float, optional
        Stop early, once a refinement changes the matte by less than this on average (1e-3 is sensible).

    Raises
    ------
    UsageError
        The array is no H×W×3 uint8 image, or a number is out of range.
    """
    return predict_batch(
        network, [image], iterations=iterations, size=size, short_side=short_side, tolerance=tolerance
    )[0]


def predict_batch(
    network: SafeNet,
    images: Sequence[NDArray[np.uint8]],
    *,
    iterations: int | None = None,
    size: Size = "short_side",
    short_side: int = 512,
    tolerance: float | None = None,
    last_only: bool = False,
) -> list[Mattes]:
    """Predict the mattes of several images in one pass.

    They may differ in size, but have to be brought to the same one: their :func:`network_size` is equal. `tolerance`
    stops when it holds for all of them; everything else is as for each alone. With `last_only` the last matte alone is
    scaled back to the image's size and returned.

    Raises
    ------
    UsageError
        As :func:`predict`, or the images come to different sizes, or the device's memory is too small.
    """
    for image in images:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise UsageError(f"predict takes an H×W×3 image of uint8, not {image.dtype} of shape {image.shape}")
    count = network.config.refinements(iterations)
    targets = {network_size((image.shape[0], image.shape[1]), size, short_side) for image in images}
    if len(targets) != 1:
        raise UsageError(f"images of a batch come to one size, not to {sorted(targets)}: predict them one by one")
    (target,) = targets
    parameter = next(network.parameters())
    pixels = torch.from_numpy(np.stack([_resized(image, target).transpose(2, 0, 1) for image in images]))
    batch = pixels.to(parameter.device, parameter.dtype) / 255
    try:
        with evaluating(network), torch.inference_mode():
            output = network(batch, count, tolerance)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        fewer = f"lower the batch of {len(images)}, or " if len(images) > 1 else ""
        smaller = "predict at a short side instead of native size" if size == "native" else "lower the short side"
        raise TooLarge(
            f"{parameter.device} ran out of memory at {target[1]}×{target[0]} pixels: {fewer}{smaller}"
        ) from None
    maps = ((output.final,), ()) if last_only else ((output.initial, *output.mattes), output.flaw_maps)
    return [
        Mattes(*([_plane(each[place, 0], image.shape[:2]) for each in planes] for planes in maps))
        for place, image in enumerate(images)
    ]


def network_size(size: tuple[int, int], how: Size, short_side: int = 512) -> tuple[int, int]:
    """Compute the height and width at which the network sees an image; errors as for :func:`working_size`."""
    return working_size(size, short_side) if how == "short_side" else size


def working_size(size: tuple[int, int], short_side: int = 512) -> tuple[int, int]:
    """Compute the height and width to which an image is resized, as MODNet's authors do.

    The short side becomes `short_side` where it is longer, or where the long side is shorter, but no image is enlarged
    beyond a long side of four times `short_side`; then both sides go down to a multiple of 32, of at least 64.

    Parameters
    ----------
    size : (int, int)
        Height and width.
    short_side : int
        At least 64.
    """
    if short_side < SMALLEST:
        raise UsageError(f"a short side of {short_side} pixels is too little to see anything: give {SMALLEST} or more")
    scaled = min(size) > short_side or max(size) < short_side
    scale = min(short_side / min(size), max(1.0, _LONGEST * short_side / max(size))) if scaled else 1.0
    height, width = (max(SMALLEST, int(side * scale + 1e-6) // MULTIPLE * MULTIPLE) for side in size)
    return height, width


def _plane(plane: Tensor, size: tuple[int, int]) -> NDArray[np.float32]:
    array = plane.float().cpu().numpy()
    if not np.isfinite(array).all():  # before clipping makes 1 of infinity, and rounding 0 of NaN
        return np.full(size, np.nan, np.float32)
    return np.asarray(np.clip(_resized(array, size), 0, 1), dtype=np.float32)


def _resized(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if pixels.shape[:2] == size:
        return pixels
    shrinks = size[0] < pixels.shape[0]
    return np.asarray(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))
