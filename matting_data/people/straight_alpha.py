"""From a renderer's premultiplied linear RGBA to a straight-alpha 8-bit image.

The alpha is the renderer's pixel coverage and is never touched but for rounding. The colour is divided by it in
linear light, so that a pixel half covered by hair has the colour of hair, and is then encoded as sRGB.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.errors import UsageError

# How far clean colour is carried into the transparent region, in pixels: enough for any interpolation kernel.
_EXTEND = 4


def linear_to_srgb(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Encode linear light in [0, 1] as sRGB in [0, 1]; values outside are clipped. Source: IEC 61966-2-1."""
    value = np.clip(np.asarray(linear, dtype=np.float64), 0.0, 1.0)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)


def compress_highlights(linear: NDArray[np.float64], knee: float = 0.7) -> NDArray[np.float64]:
    """Roll values above `knee` off towards 1, so that bright skin keeps its hue instead of clipping.

    The identity below the knee; the slope is continuous. Any shape, float64.
    """
    value = np.maximum(np.asarray(linear, dtype=np.float64), 0.0)
    over = np.maximum(value - knee, 0.0)
    room = 1.0 - knee
    return np.where(value > knee, knee + room * over / (over + room), value)


def straight_rgba(premultiplied: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn premultiplied linear RGBA into straight sRGB RGBA.

    Parameters
    ----------
    premultiplied : ndarray, shape (H, W, 4), float
        Linear RGB times alpha, and alpha in [0, 1] (slight overshoot is clipped).

    Returns
    -------
    ndarray, shape (H, W, 4), uint8
        Straight sRGB colour and linear alpha. Where alpha rounds to 0 the colour is that of the nearest known
        pixel up to 4 pixels away, and 0 beyond.

    Raises
    ------
    UsageError
        If the array has another shape or holds values that are not finite.
    """
    pixels = np.asarray(premultiplied, dtype=np.float64)
    if pixels.ndim != 3 or pixels.shape[2] != 4:
        raise UsageError(f"Expected premultiplied RGBA of shape (H, W, 4), got {pixels.shape}.")
    if not np.isfinite(pixels).all():
        raise UsageError("The rendered image holds values that are not finite.")
    alpha = np.clip(pixels[..., 3], 0.0, 1.0)
    alpha8 = np.rint(alpha * 255.0).astype(np.uint8)
    known = alpha8 > 0
    color = pixels[..., :3] / np.where(known, alpha, 1.0)[..., None]
    encoded = np.rint(linear_to_srgb(compress_highlights(color)) * 255.0).astype(np.uint8)
    encoded[~known] = 0
    return np.concatenate([_extend(encoded, known), alpha8[..., None]], axis=2)


def _extend(color: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill unknown pixels near known ones with the nearest known colour."""
    if known.all() or not known.any():
        return color
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    by_label = np.zeros((int(labels.max()) + 1, 3), dtype=np.uint8)
    by_label[labels[known]] = color[known]
    near = ~known & (distance <= _EXTEND)
    out = color.copy()
    out[near] = by_label[labels[near]]
    return out
