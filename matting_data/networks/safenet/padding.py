"""Any image size: enlarged to what the encoder's strides divide by repeating the last row and column, then cut back."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from matting_data.networks.safenet.flaw_detector import SMALLEST

MULTIPLE = 32
"""Stride of E5."""


def padded_side(side: int) -> int:
    """Compute the smallest multiple of 32, at least 64, that holds `side` pixels."""
    return max(SMALLEST, -(-side // MULTIPLE) * MULTIPLE)


def padded(image: Tensor) -> Tensor:
    """Pad B×C×H×W below and on the right, so that both sides become their :func:`padded_side`."""
    height, width = image.shape[-2:]
    below, right = padded_side(height) - height, padded_side(width) - width
    if not below and not right:
        return image
    return functional.pad(image, (0, right, 0, below), mode="replicate")
