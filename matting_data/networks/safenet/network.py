"""SAFE-Net: a first matte by encoder and decoder, then refinements by SAM and FEM (section 3 of the paper).

It takes an image and nothing else; a trimap only tells the loss where to look closer. Encoder and decoder run once,
each refinement sees the image, the previous matte and the flaws found in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from matting_data.errors import UsageError
from matting_data.networks.safenet import encoder
from matting_data.networks.safenet.decoder import Decoder
from matting_data.networks.safenet.encoder import Encoder
from matting_data.networks.safenet.flaw_detector import FlawDetector
from matting_data.networks.safenet.flaw_elimination import FlawElimination
from matting_data.networks.safenet.layers import ImageNormalisation, MatteHead, resize_to
from matting_data.networks.safenet.options import SafeNetConfig
from matting_data.networks.safenet.padding import padded
from matting_data.networks.safenet.recurrent import State
from matting_data.networks.safenet.semantic_addition import ChannelAttention, SemanticAddition, SpatialAttention

_LOGIT_LIMIT = 1e-4


class SafeNetOutput(NamedTuple):
    """Mattes and maps of one batch, each B×1×H×W, float32.

    Attributes
    ----------
    initial : Tensor
        α⁰ in [0, 1].
    mattes : tuple of Tensor
        α¹ to α^T in [0, 1]; empty without refinements.
    flaw_maps : tuple of Tensor
        FM of α⁰ to α^(T−1), as FEM got them; empty without FEM.
    attention : Tensor or None
        Att_s in (0, 1) where it is a layer of its own, to be supervised.
    """

    initial: Tensor
    mattes: tuple[Tensor, ...]
    flaw_maps: tuple[Tensor, ...]
    attention: Tensor | None

    @property
    def final(self) -> Tensor:
        """The last matte there is."""
        return self.mattes[-1] if self.mattes else self.initial


class Prepared(NamedTuple):
    """What one image gives to all its refinements, at padded size h×w.

    Attributes
    ----------
    image, normalised : Tensor
        B×3×h×w, in [0, 1] and normalised.
    e1 : Tensor
        B×16×h/2×w/2.
    initial : Tensor
        α⁰, B×1×h×w.
    channel_attention, spatial_attention : Tensor or None
        Att_c, B×C×1×1, and Att_s, B×1×h×w; None without SAM.
    """

    image: Tensor
    normalised: Tensor
    e1: Tensor
    initial: Tensor
    channel_attention: Tensor | None
    spatial_attention: Tensor | None


class SafeNet(nn.Module):
    """The whole network; :func:`~matting_data.networks.safenet.initial_weights.build_network` gives it random weights.

    ``train()`` leaves a detector that learns from ground-truth flaws, or not at all, in evaluation mode: it is trained
    in steps of its own, ``network.detector.train()`` and ``detector_loss``.

    Parameters
    ----------
    config : SafeNetConfig

    Attributes
    ----------
    checkpoint_steps : bool
        Keep no activations of the refinements for the backward pass but compute them again: memory for time.
    """

    def __init__(self, config: SafeNetConfig) -> None:
        super().__init__()
        self.config = config
        self.checkpoint_steps = False
        self.normalise = ImageNormalisation()
        self.encoder = Encoder()
        self.decoder = Decoder(config.reduced_width, config.decoder_widths)
        self.head = MatteHead(config.decoder_widths[-1])
        self.detector = FlawDetector(config.detector_width) if config.has_detector else None
        if config.refinement == "none":
            return
        self.channel_attention = ChannelAttention(encoder.WIDTHS[-1], config.width)
        if config.spatial_attention == "separate":
            lowest = config.spatial_source == "lowest"
            self.spatial_attention = SpatialAttention(config.reduced_width if lowest else config.decoder_widths[-1])
        self.sam = SemanticAddition(config.width)
        if config.refinement == "sam_fem":
            self.fem = FlawElimination(config.width, config.flaw_width, config.recurrent)
        self.refined_head = MatteHead(config.width)
        if self.detector is not None and config.flaw_map == "untrained":
            self.detector.requires_grad_(False)

    def forward(self, image: Tensor, iterations: int | None = None, tolerance: float | None = None) -> SafeNetOutput:
        """Predict mattes.

        Parameters
        ----------
        image : Tensor
            RGB in [0, 1], B×3×H×W, of any size: it is padded and normalised in here.
        iterations : int, optional
            Refinements; ``config.iterations`` without.
        tolerance : float, optional
            Stop once a refinement changes every matte of the batch by less than this on average.

        Raises
        ------
        UsageError
            The image is no B×3×H×W of floats, or refinements are asked of a network that has none.
        """
        count = self.config.refinements(iterations)
        height, width = image.shape[-2:]
        prepared = self.prepare(image)
        matte, state = prepared.initial, None
        mattes, flaw_maps = [], []
        again = self.checkpoint_steps and self.training and torch.is_grad_enabled()
        for _ in range(count):
            before = matte
            if again:
                matte, flaws, state = checkpoint(
                    self.refine, prepared, before, state, use_reentrant=False, context_fn=self._recomputing
                )
            else:
                matte, flaws, state = self.refine(prepared, before, state)
            mattes.append(matte[..., :height, :width])
            if flaws is not None:
                flaw_maps.append(flaws[..., :height, :width])
            if tolerance is not None and float((matte - before).abs().mean((1, 2, 3)).max()) < tolerance:
                break
        attention = prepared.spatial_attention if self.config.spatial_attention == "separate" else None
        attention = None if attention is None else attention[..., :height, :width]
        return SafeNetOutput(prepared.initial[..., :height, :width], tuple(mattes), tuple(flaw_maps), attention)

    def prepare(self, image: Tensor) -> Prepared:
        """Run what runs once: padding, encoder, decoder, first matte, attention; `image` as for :meth:`forward`."""
        if image.ndim != 4 or image.shape[1] != 3 or not image.is_floating_point():
            raise UsageError(
                f"the network takes floats of shape B×3×H×W in [0, 1], not {image.dtype} of shape {tuple(image.shape)}"
            )
        image = padded(image)
        normalised = self.normalise(image)
        encoded = self.encoder(normalised)
        e1, e5 = encoded[0], encoded[-1]
        reduced, d5 = self.decoder(encoded, normalised)
        initial = torch.sigmoid(self.head(d5))
        if self.config.refinement == "none":
            return Prepared(image, normalised, e1, initial, None, None)
        if self.config.spatial_attention == "shared":
            spatial = initial
        elif self.config.spatial_source == "lowest":
            spatial = resize_to(self.spatial_attention(reduced), initial)
        else:
            spatial = self.spatial_attention(d5)
        return Prepared(image, normalised, e1, initial, self.channel_attention(e5), spatial)

    def refine(
        self, prepared: Prepared, matte: Tensor, state: State | None = None
    ) -> tuple[Tensor, Tensor | None, State | None]:
        """Take one refinement.

        Parameters
        ----------
        prepared : Prepared
            From :meth:`prepare`.
        matte : Tensor
            α^(t−1), B×1×h×w: ``prepared.initial``, or what the last refinement gave.
        state : tuple of Tensor or None
            What the last refinement gave; None at first.

        Returns
        -------
        matte : Tensor
            α^t.
        flaw_map : Tensor or None
            FM of α^(t−1), None without FEM.
        state : tuple of Tensor or None
            For the next refinement; None where the config resets it.
        """
        seen, image, spatial = matte, prepared.normalised, prepared.spatial_attention
        if self.config.stride == 2:
            seen, image, spatial = (functional.avg_pool2d(plane, 2) for plane in (seen, image, spatial))
        features = self.sam(seen, image, prepared.channel_attention, spatial)
        flaws = None
        if self.config.refinement == "sam_fem":
            flaws = self.find_flaws(prepared.image, matte)
            shown = functional.avg_pool2d(flaws, 2) if self.config.stride == 2 else flaws
            features, state = self.fem(shown, prepared.e1, features, state)
            state = state if self.config.state == "carried" else None
        logits = self.refined_head(resize_to(features, matte))
        if self.config.matte == "residual":
            logits = logits + torch.logit(matte, eps=_LOGIT_LIMIT)
        return torch.sigmoid(logits), flaws, state

    def find_flaws(self, image: Tensor, matte: Tensor) -> Tensor:
        """Compute FM as FEM is to see it: the detector's, without gradient and clamped to [0, 1]; or zeros without one.

        A detector that learns end to end is left as it is: a clamp would cut its gradient.
        """
        if self.detector is None:
            return torch.zeros_like(matte)
        if self.config.flaw_map == "end_to_end":
            return self.detector(image, matte).float()
        with torch.no_grad():
            return self.detector(image, matte).float().clamp(0, 1)

    def train(self, mode: bool = True) -> SafeNet:
        """Set the mode of everything but a detector that has steps of its own, which stays in evaluation mode."""
        super().train(mode)
        if self.detector is not None and self.config.flaw_map != "end_to_end":
            self.detector.eval()
        return self

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Group as ``encoder``, ``matting`` (all else that the matting loss trains), ``detector`` (its own steps)."""
        groups: dict[str, list[nn.Parameter]] = {"encoder": [], "matting": [], "detector": []}
        for name, parameter in self.named_parameters():
            part = name.partition(".")[0]
            if part == "detector" and self.config.flaw_map == "untrained":
                continue
            own_steps = part == "detector" and self.config.trains_detector
            groups["detector" if own_steps else "encoder" if part == "encoder" else "matting"].append(parameter)
        return groups

    def _recomputing(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Contexts of a refinement, and of its second computation in the backward pass."""
        return nullcontext(), _without_statistics(self)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode for a while."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


@contextmanager
def _without_statistics(network: nn.Module) -> Iterator[None]:
    """Let batch norms normalise by the batch without counting it into their running statistics a second time."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
