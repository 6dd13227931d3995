"""The encoder E: MobileNetV2 cut after each change of resolution (section 3.1 of the paper)."""

from __future__ import annotations

from torch import Tensor, nn

from matting_data.networks.backbones.mobilenet_v2 import LAST, mobilenet_v2_features

WIDTHS = (16, 24, 32, 96, LAST)
"""Channels of E1 to E5."""

_CUTS = (2, 4, 7, 14, 19)


class Encoder(nn.Module):
    """MobileNetV2's ``features``; E5 is its last convolution, which the paper's class activation argument leans on."""

    def __init__(self) -> None:
        super().__init__()
        self.features = mobilenet_v2_features()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map a normalised image B×3×H×W to E1 to E5: ``WIDTHS`` channels at strides 2, 4, 8, 16 and 32."""
        taps = []
        x = image
        for first, end in zip((0, *_CUTS), _CUTS, strict=False):
            for stage in self.features[first:end]:
                x = stage(x)
            taps.append(x)
        return taps
