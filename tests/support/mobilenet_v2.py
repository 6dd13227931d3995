"""The classifier whose weights torchvision publishes, around the encoder that mattingdata uses."""

from __future__ import annotations

from torch import Tensor, nn

from matting_data.networks.backbones.mobilenet_v2 import LAST, mobilenet_v2_features


class MobileNetV2(nn.Module):
    """The whole classifier, 3,504,872 parameters with 1,000 classes: what the published weight files hold.

    Parameters
    ----------
    classes : int
        Of the last layer.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.features = mobilenet_v2_features()
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(LAST, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images B×3×H×W to logits B×classes."""
        return self.classifier(self.features(x).mean((2, 3)))
