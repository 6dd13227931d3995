"""From a config and a seed to a network: every parameter has random numbers of its own.

A parameter's values depend on the seed, its name and its shape, not on what else there is: the rows of an ablation
start from the same encoder, decoder and SAM.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from matting_data.networks.safenet.layers import MatteHead
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.options import SafeNetConfig
from matting_data.networks.safenet.recurrent import ConvGru, ConvLstm
from matting_data.seeds import generator

_SMALL = 0.1
_FORGET_BIAS = 1.0
_LEAK = 0.2


def build_network(config: SafeNetConfig, seed: int = 0) -> SafeNet:
    """Build a network with random weights, in training mode.

    Convolutions before a ReLU are Kaiming-uniform, those before a sigmoid or an output ±√(3 / inputs), gates
    Xavier-uniform; batch norms are 1 and 0, biases 0 but for the forget gate's, which is 1. torch's own random state is
    left as it was.

    Parameters
    ----------
    config : SafeNetConfig
    seed : int
        Equal seeds, equal weights, on any machine.
    """
    with torch.random.fork_rng(devices=[]):  # torch's layers draw before they are overwritten
        network = SafeNet(config)
    _initialise(network, seed)
    return network.train()


def parameter_count(module: nn.Module) -> int:
    """Count the numbers in all parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def _initialise(network: SafeNet, seed: int) -> None:
    linear = {f"{name}.conv" for name, layer in network.named_modules() if isinstance(layer, MatteHead)}
    linear |= {"channel_attention.excite", "detector.classifier"}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Conv2d):
            leak = _LEAK if name.startswith("detector.") else 0.0
            gain = 1.0 if name in linear else math.sqrt(2 / (1 + leak**2))
            _fill(layer.weight, gain * math.sqrt(3 / layer.weight[0].numel()), seed, f"{name}.weight")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    if network.config.refinement == "sam_fem":
        _initialise_cell(network.fem.recurrent, seed, network.config.recurrent_init == "zero")


def _initialise_cell(cell: ConvLstm | ConvGru, seed: int, zero: bool) -> None:
    """Give weights from the input Xavier's bound, and those from the state a tenth of it, or nothing."""
    for name, layer in cell.named_children():
        taps = layer.weight[0, 0].numel()
        bound = math.sqrt(6 / (2 * cell.width * taps))  # every gate maps `width` channels to `width`
        _fill(layer.weight, bound, seed, f"fem.recurrent.{name}.weight")
        with torch.no_grad():
            layer.weight[:, cell.width :] *= 0.0 if zero else _SMALL
    if isinstance(cell, ConvLstm):
        forget = slice(cell.width, 2 * cell.width)
        with torch.no_grad():
            cell.gates.bias[forget] = _FORGET_BIAS
            cell.gates.weight[forget] *= 0.0 if zero else 1.0


def _fill(tensor: Tensor, bound: float, seed: int, name: str) -> None:
    values = generator("network", seed, name).uniform(-bound, bound, tuple(tensor.shape)).astype(np.float32)
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(values))
