"""Running statistics of batch norms, counted once a step, however its samples are divided.

PyTorch counts every forward pass. A step in two parts would then follow the data twice as fast as a step in one, and
every process of a distributed run would keep statistics of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from matting_data.training.parallel import World


class RunningStatistics:
    """Makes the running means and variances after a step the mean of what each part alone would have left.

    Parameters
    ----------
    network : Module
    world : World
    parts : int
        Forward passes of a step, in this process.
    """

    def __init__(self, network: nn.Module, world: World, parts: int) -> None:
        # with one part in one process, PyTorch's own counting is the same
        norms = (layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm))
        both = (buffer for layer in norms for buffer in (layer.running_mean, layer.running_var))
        self._buffers = [buffer for buffer in both if buffer is not None] if world.size * parts > 1 else []
        self._world, self._parts = world, parts
        self._before: list[Tensor] = []
        self._left: list[Tensor] = []

    def begin_part(self) -> None:
        """Start a part of a step from the statistics before the step."""
        if not self._before:
            self._before = [buffer.clone() for buffer in self._buffers]
            return
        self._left.append(self._flat())
        for buffer, before in zip(self._buffers, self._before, strict=True):
            buffer.copy_(before)

    def end_step(self) -> None:
        """Give the network the mean over parts and processes."""
        if not self._buffers:
            return
        mean = self._world.mean(torch.stack([*self._left, self._flat()]).sum(dim=0) / self._parts)
        for buffer, values in zip(self._buffers, mean.split([b.numel() for b in self._buffers]), strict=True):
            buffer.copy_(values.view_as(buffer))
        self._before, self._left = [], []

    def _flat(self) -> Tensor:
        return torch.cat([buffer.flatten() for buffer in self._buffers])
