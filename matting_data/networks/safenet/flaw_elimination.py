"""The flaw elimination module, FEM (section 3.3 of the paper, equation (3))."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from matting_data.networks.safenet import encoder
from matting_data.networks.safenet.layers import ConvBnRelu, resize_to
from matting_data.networks.safenet.recurrent import State, recurrent_cell


class FlawElimination(nn.Module):
    """F̃_d = W(F_FM ⊙ E1 ⊙ F̃_in,c,s), ⊙ meaning concatenation, then a recurrent cell over the refinements.

    Parameters
    ----------
    width : int
        C.
    flaw_width : int
        Channels of F_FM.
    recurrent : {"convlstm", "convgru"}
    """

    def __init__(self, width: int, flaw_width: int, recurrent: str) -> None:
        super().__init__()
        self.flaw = ConvBnRelu(1, flaw_width)
        self.fuse = ConvBnRelu(flaw_width + encoder.WIDTHS[0] + width, width)
        self.recurrent = recurrent_cell(recurrent, width)

    def forward(self, flaw_map: Tensor, e1: Tensor, features: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Apply equation (3) and one step of the recurrent cell.

        Parameters
        ----------
        flaw_map : Tensor
            FM, B×1×H×W.
        e1 : Tensor
            B×16×h×w, enlarged to H×W.
        features : Tensor
            F̃_in,c,s of SAM, B×C×H×W.
        state : tuple of Tensor or None
            Of the previous refinement.

        Returns
        -------
        h : Tensor
            B×C×H×W.
        state : tuple of Tensor
        """
        flaws = self.flaw(flaw_map.to(features.dtype))
        joined = torch.cat([flaws, resize_to(e1, features).to(features.dtype), features], dim=1)
        hidden, after = self.recurrent(self.fuse(joined), state)
        return hidden, after
