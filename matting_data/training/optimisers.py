"""Optimisers and their rates: a rate is a pure function of the step, so that no schedule has a state to lose."""

from __future__ import annotations

import math

import torch
from torch import nn

from matting_data.training.config import Optimiser

_FACTOR = "rate_factor"


def make_optimiser(
    config: Optimiser, weights: list[nn.Parameter], encoder: list[nn.Parameter]
) -> torch.optim.Optimizer:
    """Build the optimiser of some weights, those of the encoder at a rate of their own.

    Parameters
    ----------
    config : Optimiser
    weights, encoder : list of Parameter
        Either may be empty, not both.
    """
    parts = (weights, 1.0), (encoder, config.encoder_factor)
    groups = [{"params": part, _FACTOR: factor} for part, factor in parts if part]
    common = {"lr": config.rate, "weight_decay": config.weight_decay}
    if config.kind == "sgd":
        return torch.optim.SGD(groups, momentum=config.momentum, **common)
    kind = torch.optim.Adam if config.kind == "adam" else torch.optim.AdamW
    return kind(groups, betas=config.betas, **common)


def rate_at(config: Optimiser, step: int, steps: int) -> float:
    """Compute the learning rate of a step.

    Parameters
    ----------
    config : Optimiser
    step : int
        From 0 to steps − 1.
    steps : int
        Of the whole run.
    """
    done = step / steps
    if config.schedule == "poly":
        factor = (1 - done) ** config.power
    elif config.schedule == "cosine":
        factor = (1 + math.cos(math.pi * done)) / 2
    else:
        factor = 1.0
    return float(config.rate * factor * min(1.0, (step + 1) / (config.warm_up + 1)))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group `rate` times its own factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group[_FACTOR]
