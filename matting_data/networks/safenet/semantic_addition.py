"""The semantic addition module, SAM (section 3.2 of the paper, equations (1) and (2))."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from matting_data.networks.safenet.layers import ConvBnRelu, MatteHead

_SQUEEZE = 4


class ChannelAttention(nn.Module):
    """Att_c = σ(W δ(W AvgPooling(E5))), the first half of equation (1).

    Parameters
    ----------
    inputs : int
        Channels of E5.
    outputs : int
        C, channels of the features it weighs; the product in equation (1) exists for no other number.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, inputs // _SQUEEZE, 1)
        self.excite = nn.Conv2d(inputs // _SQUEEZE, outputs, 1)

    def forward(self, e5: Tensor) -> Tensor:
        """Map B×inputs×h×w to B×outputs×1×1 in (0, 1)."""
        pooled = e5.mean((2, 3), keepdim=True)
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))


class SpatialAttention(nn.Module):
    """Att_s = σ(W D5), the alpha-guided map of equation (2), supervised by the true matte.

    Parameters
    ----------
    inputs : int
        Channels of the layer it is made of.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.head = MatteHead(inputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map B×inputs×h×w to B×1×h×w in (0, 1), float32."""
        return torch.sigmoid(self.head(features))


class SemanticAddition(nn.Module):
    """F_in from matte and image, then weighed by channel and by place, each time with the features themselves added.

    Parameters
    ----------
    width : int
        C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = ConvBnRelu(4, width)
        self.channel = ConvBnRelu(width, width)
        self.spatial = ConvBnRelu(width, width)

    def forward(self, matte: Tensor, image: Tensor, channel_attention: Tensor, spatial_attention: Tensor) -> Tensor:
        """Apply equations (1) and (2).

        Parameters
        ----------
        matte : Tensor
            The previous matte, B×1×H×W.
        image : Tensor
            Normalised, B×3×H×W.
        channel_attention : Tensor
            Att_c, B×C×1×1.
        spatial_attention : Tensor
            Att_s, B×1×H×W.

        Returns
        -------
        Tensor
            F̃_in,c,s, B×C×H×W.
        """
        features = self.enter(torch.cat([matte.to(image.dtype), image], dim=1))
        features = self.channel(channel_attention.to(features.dtype) * features + features)
        return self.spatial(spatial_attention.to(features.dtype) * features + features)
