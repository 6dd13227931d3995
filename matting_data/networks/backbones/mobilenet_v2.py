"""MobileNetV2 (Sandler et al., CVPR 2018), width 1.0, with torchvision's parameter names.

Names and shapes are those of torchvision's ``mobilenet_v2``, so its published weights load without a renaming; the
package itself is not needed.
"""

from __future__ import annotations

from torch import Tensor, nn

BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Table 2 of the paper: expansion, output channels, repeats, stride of the first."""

STEM = 32
LAST = 1280
"""Channels of the first and of the last convolution."""


class InvertedResidual(nn.Module):
    """Expand by 1×1, filter each channel by 3×3, project by 1×1 without activation; add the input where shapes allow.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : {1, 2}
    expansion : int
        Channels of the middle as a multiple of `inputs`; 1 leaves the first convolution out.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inputs * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv_bn_relu6(inputs, middle, kernel=1)]
        layers += [
            _conv_bn_relu6(middle, middle, kernel=3, stride=stride, groups=middle),
            nn.Conv2d(middle, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map B×inputs×H×W to B×outputs×⌈H/stride⌉×⌈W/stride⌉."""
        return x + self.conv(x) if self.adds_input else self.conv(x)


def mobilenet_v2_features() -> nn.Sequential:
    """Build the 19 stages ``features.0`` to ``features.18``: B×3×H×W to B×1280×⌈H/32⌉×⌈W/32⌉; 2,223,872 parameters."""
    stages: list[nn.Module] = [_conv_bn_relu6(3, STEM, kernel=3, stride=2)]
    channels = STEM
    for expansion, outputs, repeats, stride in BLOCKS:
        for number in range(repeats):
            stages.append(InvertedResidual(channels, outputs, stride if number == 0 else 1, expansion))
            channels = outputs
    stages.append(_conv_bn_relu6(channels, LAST, kernel=1))
    return nn.Sequential(*stages)


def _conv_bn_relu6(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )
