"""Convolutional recurrent cells that tie the refinements together; their state is passed, never kept.

The ConvLSTM is that of Shi et al. (NeurIPS 2015) without peepholes, whose weights would tie a layer to one image size.
The ConvGRU is Cho et al.'s cell with convolutions, at three quarters of the multiplications.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from matting_data.networks.safenet.layers import wide

State = tuple[Tensor, ...]


class _Cell(nn.Module):
    """What both cells have: gates from a 3×3 convolution of input and state.

    Parameters
    ----------
    width : int
        Channels of input and state.
    """

    gate_count: int

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.gates = nn.Conv2d(2 * width, self.gate_count * width, 3, padding=1)


class ConvLstm(_Cell):
    """z = conv3×3([x, h]) split into i, f, o, g; c' = σ(f)·c + σ(i)·tanh(g); h' = σ(o)·tanh(c').

    Gates and c are float32 in any precision: c is a running sum.
    """

    gate_count = 4

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Take one step.

        Parameters
        ----------
        x : Tensor
            B×width×H×W.
        state : (h, c), optional
            Each B×width×H×W; zeros without.

        Returns
        -------
        h : Tensor
            As `x`.
        state : (h, c)
            For the next step.
        """
        h, c = state if state is not None else (torch.zeros_like(x), torch.zeros_like(wide(x)))
        i, f, o, g = wide(self.gates(torch.cat([x, h], dim=1))).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = (torch.sigmoid(o) * torch.tanh(c)).to(x.dtype)
        return h, (h, c)


class ConvGru(_Cell):
    """r, z = σ(conv3×3([x, h])); h' = z·h + (1 − z)·tanh(conv3×3([x, r·h]))."""

    gate_count = 2

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.candidate = nn.Conv2d(2 * width, width, 3, padding=1)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Take one step; as :meth:`ConvLstm.forward`, with a state of h alone (float32)."""
        h = state[0] if state is not None else torch.zeros_like(wide(x))
        r, z = torch.sigmoid(wide(self.gates(torch.cat([x, h.to(x.dtype)], dim=1)))).chunk(2, dim=1)
        candidate = torch.tanh(wide(self.candidate(torch.cat([x, (r * h).to(x.dtype)], dim=1))))
        h = z * h + (1 - z) * candidate
        return h.to(x.dtype), (h,)


def recurrent_cell(kind: str, width: int) -> nn.Module:
    """Build the cell ``convlstm`` or ``convgru``."""
    return {"convlstm": ConvLstm, "convgru": ConvGru}[kind](width)
