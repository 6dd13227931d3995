"""The losses (section 3.4 of the paper, equations (4), (5) and (6)), in float32 whatever precision surrounds them.

ε² = 1e-12 is 0 in float16, and the gradient of √0 is not a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from matting_data.errors import UsageError
from matting_data.networks.safenet.flaw_map import flaw_map
from matting_data.networks.safenet.layers import wide
from matting_data.networks.safenet.network import SafeNetOutput
from matting_data.networks.safenet.options import FlawTarget, LossWeights


class MattingLoss(NamedTuple):
    """The scalar to minimise, and what it is made of.

    Attributes
    ----------
    total : Tensor
    initial : Tensor
        L⁰.
    refined : tuple of Tensor
        L¹, L², ...
    attention : Tensor or None
        The loss of Att_s, before its weight.
    """

    total: Tensor
    initial: Tensor
    refined: tuple[Tensor, ...]
    attention: Tensor | None


def alpha_loss(prediction: Tensor, truth: Tensor, unknown: Tensor, weights: LossWeights | None = None) -> Tensor:
    """Compute equation (4), the mean over all pixels of γ·√((α_g − α_p)² + ε²).

    Parameters
    ----------
    prediction, truth : Tensor
        B×1×H×W in [0, 1].
    unknown : Tensor
        B×1×H×W bool: where γ is ``weights.unknown``; it is 1 elsewhere.
    weights : LossWeights, optional
        The paper's by default.

    Raises
    ------
    UsageError
        `unknown` is not bool (a trimap of 0, 128, 255 taken for 0, 0.5, 1 would silently weigh nothing), or shapes
        differ.
    """
    weights = weights or LossWeights()
    if unknown.dtype != torch.bool:
        raise UsageError(f"the unknown area has the type {unknown.dtype}: give bool, for instance trimap == 128")
    if not prediction.shape == truth.shape == unknown.shape:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (prediction, truth, unknown))
        raise UsageError(f"matte, truth and unknown area have the shapes {shapes}: give three alike")
    with torch.autocast(prediction.device.type, enabled=False):
        difference = wide(truth) - wide(prediction)
        distance = torch.sqrt(difference * difference + weights.epsilon**2)
        return torch.where(unknown, weights.unknown * distance, distance).mean()


def matting_loss(
    output: SafeNetOutput, truth: Tensor, unknown: Tensor, weights: LossWeights | None = None
) -> MattingLoss:
    """Compute equation (5), L⁰ + L¹ (+ L² ...), plus the weighted loss of Att_s.

    Parameters
    ----------
    output : SafeNetOutput
        Of the network; its flaw maps play no part.
    truth, unknown : Tensor
        As in :func:`alpha_loss`.
    weights : LossWeights, optional
        The paper's by default.
    """
    weights = weights or LossWeights()
    initial = alpha_loss(output.initial, truth, unknown, weights)
    refined = tuple(alpha_loss(matte, truth, unknown, weights) for matte in output.mattes)
    total = initial
    if refined:
        steps = torch.stack(refined)
        total = total + (steps.sum() if weights.steps == "sum" else steps.mean())
    attention = None
    if output.attention is not None and weights.attention:
        attention = alpha_loss(output.attention, truth, unknown, weights)
        total = total + weights.attention * attention
    return MattingLoss(total, initial, refined, attention)


def flaw_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Compute equation (6), the mean over all pixels of ½(FM − FR)²; B×1×H×W each, FM as the detector gave it."""
    with torch.autocast(prediction.device.type, enabled=False):
        difference = wide(prediction) - wide(target)
        return 0.5 * (difference * difference).mean()


def detector_loss(
    detector: nn.Module, image: Tensor, mattes: Sequence[Tensor], truth: Tensor, target: FlawTarget | None = None
) -> Tensor:
    """Compute equation (6) for all mattes of a batch at once, so that one batch norm sees every kind of them.

    Parameters
    ----------
    detector : Module
        A :class:`~matting_data.networks.safenet.flaw_detector.FlawDetector`, in training mode, or its parallel wrapper.
    image : Tensor
        RGB in [0, 1], B×3×H×W.
    mattes : sequence of Tensor
        What the network looked for flaws in: α⁰, and α¹ to α^(T−1) with several refinements. Detached here.
    truth : Tensor
        B×1×H×W in [0, 1].
    target : FlawTarget, optional
        How FR is made.
    """
    target = target or FlawTarget()
    stacked = torch.cat([matte.detach() for matte in mattes])
    truths = truth.repeat(len(mattes), 1, 1, 1)
    flaws = flaw_map(stacked, truths, target.size, target.dilations)
    return flaw_loss(detector(image.repeat(len(mattes), 1, 1, 1), stacked), flaws)
