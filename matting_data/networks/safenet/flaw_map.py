"""The ground-truth flaw map FR of a matte, as GCT defines it: where the worst errors of this image are.

Every step is homogeneous and the last divides by the largest value, so FR does not tell how bad the errors are: an
error a hundred times smaller has the same map, and only a perfect matte has none. (For the same reason GCT's factor μ
cancels; it is left out.)
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from matting_data.errors import UsageError
from matting_data.networks.safenet.layers import wide

_TINY = 1e-9


def flaw_map(prediction: Tensor, truth: Tensor, size: int = 512, dilations: int = 1) -> Tensor:
    """Compute the target flaw map FR from a matte's error.

    The error |g − p| is blurred by a Gaussian of side S/8, then `dilations` times dilated by 3×3 and blurred by a
    Gaussian of side S/4 (sides made odd), then stretched to [0, 1] in each image.

    Parameters
    ----------
    prediction, truth : Tensor
        B×1×H×W in [0, 1].
    size : int
        S, the side of the training crops, whatever H and W are.
    dilations : int
        ν of GCT.

    Returns
    -------
    Tensor
        B×1×H×W, float32, without gradient.

    Raises
    ------
    UsageError
        A side of the image is no longer than half a kernel.
    """
    small, large = _odd(size // 8), _odd(size // 4)
    shortest, reach = min(prediction.shape[-2:]), (large if dilations else small) // 2
    if shortest <= reach:
        raise UsageError(
            f"flaw maps for crops of {size} pixels need images of more than {reach} pixels, not {shortest}: "
            "set flaw_target.size to the side of the crops"
        )
    with torch.no_grad(), torch.autocast(prediction.device.type, enabled=False):
        error = (wide(truth) - wide(prediction)).abs()
        error = _blurred(error, small)
        for _ in range(dilations):
            error = functional.max_pool2d(functional.pad(error, (1, 1, 1, 1), mode="reflect"), 3, 1)
            error = _blurred(error, large)
        lowest = error.amin((1, 2, 3), keepdim=True)
        highest = error.amax((1, 2, 3), keepdim=True)
        return (error - lowest) / (highest - lowest + _TINY)


@cache
def gaussian_kernel(side: int) -> NDArray[np.float64]:
    """Compute GCT's one-dimensional kernel, of which the two-dimensional one is the outer product.

    It is the response of a Gaussian filter, σ = 0.3·((side − 1)/2 − 1) + 0.8, cut off at 4σ, to a single pixel in the
    middle of `side` pixels with mirrored borders; what would lie beyond the borders is folded back, so it sums to 1.

    Parameters
    ----------
    side : int
        Odd.
    """
    sigma = 0.3 * ((side - 1) / 2 - 1) + 0.8
    reach = int(4 * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    # mirrored with the border pixel repeated: ... 1 0 | 0 1 ... side-1 | side-1 ...
    seen = (np.arange(side)[:, None] + offsets) % (2 * side)
    seen = np.minimum(seen, 2 * side - 1 - seen)
    kernel: NDArray[np.float64] = ((seen == side // 2) * weights).sum(axis=1)
    return kernel


def _blurred(plane: Tensor, side: int) -> Tensor:
    kernel = torch.as_tensor(gaussian_kernel(side), dtype=plane.dtype, device=plane.device)
    half = side // 2
    padded = functional.pad(plane, (half, half, half, half), mode="reflect")
    return functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))


def _odd(side: int) -> int:
    return side + 1 - side % 2
