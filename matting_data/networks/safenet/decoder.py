"""The decoder D with its five side outputs, deepest first, so that D5 has the image's resolution (section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from matting_data.networks.safenet import encoder
from matting_data.networks.safenet.layers import ConvBnRelu, resize_to


class Decoder(nn.Module):
    """Reduce E5 by 1×1; then five times: enlarge to the skip's size, join the skip, two 3×3 convolutions.

    Parameters
    ----------
    reduced : int
        Channels of E5 once reduced.
    widths : sequence of 5 int
        Channels of D1 to D5.
    """

    def __init__(self, reduced: int, widths: tuple[int, int, int, int, int]) -> None:
        super().__init__()
        self.reduce = ConvBnRelu(encoder.WIDTHS[-1], reduced, kernel=1)
        skips = (*encoder.WIDTHS[-2::-1], 3)  # E4 to E1, then the image
        self.blocks = nn.ModuleList(
            nn.Sequential(ConvBnRelu(inputs + skip, outputs), ConvBnRelu(outputs, outputs))
            for inputs, skip, outputs in zip((reduced, *widths), skips, widths, strict=False)
        )

    def forward(self, encoded: Sequence[Tensor], image: Tensor) -> tuple[Tensor, Tensor]:
        """Map E1 to E5 and the normalised image B×3×H×W to E5 reduced, at stride 32, and D5, B×widths[4]×H×W."""
        reduced = self.reduce(encoded[-1])
        x = reduced
        for block, skip in zip(self.blocks, (*encoded[-2::-1], image), strict=True):
            x = block(torch.cat([resize_to(x, skip), skip], dim=1))
        return reduced, x
