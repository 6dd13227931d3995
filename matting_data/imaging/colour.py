"""The clean colour of a foreground: what its soft pixels would be without the old background behind them."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


def estimate_soft_colours(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Estimate the foreground colour of the soft pixels of a photograph or a composite.

    Fast multi-level foreground estimation (Germer, Uelwer, Conrad, Harmeling: "Fast Multi-Level Foreground
    Estimation", ICPR 2020), pymatting's implementation, in gamma-encoded space.

    Parameters
    ----------
    image : ndarray
        H×W×3 uint8 RGB; at soft pixels a mixture of foreground and old background.
    alpha : ndarray
        H×W uint8.

    Returns
    -------
    ndarray
        N×3 uint8: the colours of the pixels with 0 < alpha < 255 in row order. Opaque pixels are right as they
        are, and clear ones are never seen.
    """
    from pymatting import estimate_foreground_ml

    mixed, matte = image / 255.0, alpha / 255.0
    if alpha.size == 1:  # pymatting starts from a level of half the size, of which one pixel has none
        mixed, matte = np.repeat(mixed, 2, axis=0), np.repeat(matte, 2, axis=0)
    estimated = estimate_foreground_ml(mixed, matte)[: alpha.shape[0]]
    soft: NDArray[np.float64] = estimated[soft_pixels(alpha)]
    return np.floor(np.clip(soft, 0, 1) * 255 + 0.5).astype(np.uint8)


def with_soft_colours(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8], colours: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Give the soft pixels of `image` the N×3 `colours` of :func:`estimate_soft_colours`, in place; return it.

    `image` (H×W×3) must be C-contiguous, as decoding makes it.
    """
    # contiguous and writable, whatever comes: the kernel is compiled for one kind of array
    levels, colours = (np.require(array, requirements=["C", "W"]) for array in (alpha.ravel(), colours.ravel()))
    _replace_soft(levels, levels[: levels.size // 8 * 8].view(np.uint64), colours, image.reshape(-1))
    return image


@numba.njit(cache=True)
def _replace_soft(
    alpha: NDArray[np.uint8], words: NDArray[np.uint64], colours: NDArray[np.uint8], image: NDArray[np.uint8]
) -> None:
    """Copy the next colour into `image` wherever `alpha`, of which `words` is a view, is neither 0 nor 255."""
    place, pixel = 0, 0
    while pixel < alpha.size:
        if pixel & 7 == 0 and pixel >> 3 < words.size and words[pixel >> 3] + np.uint64(1) <= np.uint64(1):
            pixel += 8  # all clear, or all opaque
            continue
        if 0 < alpha[pixel] < 255:
            for channel in range(3):
                image[3 * pixel + channel] = colours[place + channel]
            place += 3
        pixel += 1


def soft_pixels(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark the pixels with 0 < alpha < 255 in an H×W mask."""
    return (alpha - np.uint8(1)) < np.uint8(254)  # 0 wraps to 255
