"""The encoder E: MobileNetV2 cut after each change of resolution (section 3.1 of the paper)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from matting_data.networks.backbones.mobilenet_v2 import LAST, mobilenet_v2_features

WIDTHS = (16, 24, 32, 96, LAST)
"""Channels of E1 to E5."""

_CUTS = (2, 4, 7, 14, 19)


class Encoded(NamedTuple):
    """E1 to E5: 16, 24, 32, 96 and 1280 channels at strides 2, 4, 8, 16 and 32."""

    e1: Tensor
    e2: Tensor
    e3: Tensor
    e4: Tensor
    e5: Tensor


class Encoder(nn.Module):
    """MobileNetV2's ``features``; E5 is its last convolution, which the paper's class activation argument leans on."""

    def __init__(self) -> None:
        super().__init__()
        self.features = mobilenet_v2_features()

    def forward(self, image: Tensor) -> Encoded:
        """Map a normalised image B×3×H×W to E1 to E5."""
        taps = []
        x = image
        for first, end in zip((0, *_CUTS), _CUTS, strict=False):
            for stage in self.features[first:end]:
                x = stage(x)
            taps.append(x)
        return Encoded(*taps)
