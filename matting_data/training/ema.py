"""An average of the weights along the run, which is steadier than the last ones."""

from __future__ import annotations

import copy

import torch

from matting_data.networks.safenet.network import SafeNet

_WARM_UP = 10


class Average:
    """θ̄ ← d·θ̄ + (1 − d)·θ after every step, d growing to `decay` as (1 + n) / (10 + n); statistics are copied.

    Parameters
    ----------
    network : SafeNet
        Whose weights are averaged.
    decay : float

    Attributes
    ----------
    network : SafeNet
        The averaged one, in evaluation mode.
    count : int
        Steps taken in.
    """

    def __init__(self, network: SafeNet, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay, self.count = decay, 0

    def update(self, network: SafeNet) -> None:
        """Take in the weights after a step."""
        decay = min(self.decay, (1 + self.count) / (_WARM_UP + self.count))
        self.count += 1
        with torch.no_grad():
            for mean, weights in zip(self.network.parameters(), network.parameters(), strict=True):
                mean.lerp_(weights, 1 - decay)
            for ours, theirs in zip(self.network.buffers(), network.buffers(), strict=True):
                ours.copy_(theirs)
