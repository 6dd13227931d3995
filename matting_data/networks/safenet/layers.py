"""Small layers that several modules of SAFE-Net share."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class ConvBnRelu(nn.Sequential):
    """A convolution without bias that keeps the size, batch norm, ReLU: W_* of the equations.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Odd side.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class MatteHead(nn.Module):
    """A 3×3 convolution to one channel, in float32 whatever precision surrounds it.

    A matte in bfloat16 has 8 bits near 1, fewer than the truth it is compared with; on one channel float32 is cheap.

    Parameters
    ----------
    inputs : int
        Channels.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 1, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map B×inputs×H×W to logits B×1×H×W, float32."""
        device = features.device.type
        # exporters know no autocast: open the region only where there is something to leave
        with torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext():
            return functional.conv2d(wide(features), wide(self.conv.weight), wide(self.conv.bias), padding=1)


class ImageNormalisation(nn.Module):
    """ImageNet's mean and deviation, which the published encoder weights expect; not part of the state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Map RGB B×3×H×W in [0, 1] to mean 0 and deviation 1 over ImageNet."""
        return (image - self.mean) / self.deviation


def wide(tensor: Tensor) -> Tensor:
    """Convert `tensor` to float32; float64 stays as it is."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def resize_to(features: Tensor, like: Tensor) -> Tensor:
    """Resize `features` to the height and width of `like`, bilinearly, corners not aligned."""
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return functional.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)
