"""The flaw detector, FD: from an image and a matte to a map of where the matte is wrong.

Its layers are those of GCT (Ke et al., "Guided Collaborative Training for Pixel-wise Semi-Supervised Learning", ECCV
2020), which the paper takes over, with four input channels: an image and one alpha.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from matting_data.networks.safenet.layers import ImageNormalisation

SMALLEST = 64
"""Side below which the last layers have nothing left to look at, in pixels."""


class InstanceBatchNorm(nn.Module):
    """Batch norm on the first ⌊n/2 + 0.5⌋ channels, instance norm without parameters on the others.

    Parameters
    ----------
    channels : int
        n.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.split = (channels + 1) // 2
        self.batch = nn.BatchNorm2d(self.split)
        self.instance = nn.InstanceNorm2d(channels - self.split, affine=False, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map B×n×H×W to the same shape."""
        return torch.cat([self.batch(x[:, : self.split]), self.instance(x[:, self.split :])], dim=1)


class FlawDetector(nn.Module):
    """Eight 4×4 convolutions, four of them with stride 2 plus the last; 8.27 million parameters at width 64.

    Parameters
    ----------
    width : int
        Channels of the first layer.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.normalise = ImageNormalisation()
        plan = ((4, 1, 2), (1, 2, 2), (2, 2, 1), (2, 4, 2), (4, 4, 1), (4, 8, 2), (8, 8, 1))
        layers: list[nn.Module] = []
        for number, (inputs, outputs, stride) in enumerate(plan):
            before = inputs if number == 0 else inputs * width
            layers += [
                nn.Conv2d(before, outputs * width, 4, stride, 1),
                InstanceBatchNorm(outputs * width),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Conv2d(8 * width, 1, 4, 2, 1)

    def forward(self, image: Tensor, matte: Tensor) -> Tensor:
        """Look for flaws.

        Parameters
        ----------
        image : Tensor
            RGB in [0, 1], B×3×H×W, sides of at least 64.
        matte : Tensor
            B×1×H×W in [0, 1].

        Returns
        -------
        Tensor
            B×1×H×W, linear: the target spans [0, 1], the output may leave it. Its own grid is 15×15 at 512×512,
            enlarged bilinearly with aligned corners.
        """
        x = torch.cat([self.normalise(image), matte.to(image.dtype)], dim=1)
        grid = self.classifier(self.layers(x))
        return functional.interpolate(grid, size=matte.shape[-2:], mode="bilinear", align_corners=True)
