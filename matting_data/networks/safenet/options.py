"""What can be chosen about a SAFE-Net: its wiring, its widths and its losses, each with its default and its range."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from matting_data.configuration import STRICT
from matting_data.errors import UsageError

Channels = Annotated[int, Field(ge=1, le=1024)]


@dataclass(frozen=True, config=STRICT)
class LossWeights:
    """The losses of equations (4) and (5), and how they are added up.

    Attributes
    ----------
    unknown : float
        γ of equation (4) in the unknown area; 1 elsewhere.
    epsilon : float
        ε of equation (4).
    attention : float
        Weight of the same loss on Att_s, which the text says is supervised and equation (5) leaves out.
    steps : {"sum", "mean"}
        How the losses of several refinements join L⁰: their sum (equation (5) for one), or their mean, which keeps the
        scale when the number of refinements varies.
    """

    unknown: Annotated[float, Field(ge=1, le=100)] = 4.0
    epsilon: Annotated[float, Field(gt=0, le=0.1)] = 1e-6
    attention: Annotated[float, Field(ge=0, le=10)] = 1.0
    steps: Literal["sum", "mean"] = "sum"


@dataclass(frozen=True, config=STRICT)
class FlawTarget:
    """The ground-truth flaw map of the detector.

    Attributes
    ----------
    size : int
        S, from which both Gaussian kernels follow: the side of the training crops, in pixels.
    dilations : int
        ν, times the error is dilated and blurred again.
    """

    size: Annotated[int, Field(ge=64, le=4096)] = 512
    dilations: Annotated[int, Field(ge=0, le=10)] = 1


@dataclass(frozen=True, config=STRICT)
class SafeNetConfig:
    """The network; the defaults are the preset ``unrolled``.

    Attributes
    ----------
    refinement : {"none", "sam", "sam_fem"}
        What refines the initial matte: nothing (the paper's "Backbone"), the semantic addition module alone, or it and
        the flaw elimination module.
    flaw_map : {"detector", "zeros", "untrained", "end_to_end"}
        What FEM is told of flaws: the trained detector's map; zeros (the paper's FEM*); the map of a detector that
        stays as it was initialised; or of one that learns from the matting loss alone, never from ground-truth flaws.
        The last two are controls of equal size. ``zeros`` goes with ``none`` and ``sam``.
    iterations : int
        Refinements in training, and by default elsewhere; 0 exactly with ``refinement: none``.
    state : {"carried", "reset"}
        Whether the recurrent state passes from one refinement to the next. With one refinement in training the
        recurrent weights get no gradient, so they may only be used where ``iterations`` is above 1.
    recurrent : {"convlstm", "convgru"}
        The cell; the second takes three quarters of the first's multiplications.
    recurrent_init : {"small", "zero"}
        Weights from state to gates: a tenth of Xavier's bound; or 0, as well as those of the forget gate, so that
        untrained ones do as little as can be.
    width : int
        C, channels of the refinement.
    flaw_width : int
        Channels of F_FM.
    stride : {1, 2}
        Resolution of the refinement, 1/stride of the image; 2 with ``width: 64`` costs as much as 1 with 32.
    reduced_width : int
        Channels of E5 once reduced for the decoder.
    decoder_widths : tuple of 5 int
        Channels of D1 (deepest) to D5 (full resolution).
    detector_width : int
        Channels of the flaw detector's first layer; later ones have 2, 4 and 8 times as many.
    spatial_source : {"D5", "lowest"}
        What Att_s is made of: the full-resolution decoder layer, or the reduced E5, enlarged.
    spatial_attention : {"separate", "shared"}
        Att_s from a layer of its own with a loss of its own, or the initial matte itself, which makes equation (5)
        complete as printed.
    matte : {"direct", "residual"}
        The refined matte is σ(head), or σ(logit of the previous matte + head).
    loss : LossWeights
    flaw_target : FlawTarget
    """

    refinement: Literal["none", "sam", "sam_fem"] = "sam_fem"
    flaw_map: Literal["detector", "zeros", "untrained", "end_to_end"] = "detector"
    iterations: Annotated[int, Field(ge=0, le=10)] = 3
    state: Literal["carried", "reset"] = "carried"
    recurrent: Literal["convlstm", "convgru"] = "convlstm"
    recurrent_init: Literal["small", "zero"] = "small"
    width: Channels = 32
    flaw_width: Channels = 16
    stride: Literal[1, 2] = 1
    reduced_width: Channels = 256
    decoder_widths: tuple[Channels, Channels, Channels, Channels, Channels] = (128, 96, 64, 48, 32)
    detector_width: Annotated[int, Field(ge=2, le=256)] = 64
    spatial_source: Literal["D5", "lowest"] = "D5"
    spatial_attention: Literal["separate", "shared"] = "separate"
    matte: Literal["direct", "residual"] = "direct"
    loss: LossWeights = LossWeights()
    flaw_target: FlawTarget = FlawTarget()

    def __post_init__(self) -> None:
        """Refuse combinations of which a part would do nothing, or harm."""
        if (self.refinement == "none") != (self.iterations == 0):
            raise ValueError(
                f"refinement {self.refinement!r} with iterations {self.iterations}: 0 goes with 'none' and only with it"
            )
        if self.refinement != "sam_fem" and self.flaw_map != "zeros":
            raise ValueError(
                f"flaw_map {self.flaw_map!r} has no use with refinement {self.refinement!r}: set it to 'zeros'"
            )
        untrained = self.refinement == "sam_fem" and self.iterations == 1 and self.state == "carried"
        if untrained and self.recurrent_init != "zero":
            raise ValueError(
                "state 'carried' with iterations 1 would use recurrent weights that never get a gradient: "
                "set state to 'reset', iterations to 2 or more, or recurrent_init to 'zero'"
            )
        if self.spatial_attention == "shared" and self.spatial_source != "D5":
            raise ValueError("spatial_attention 'shared' takes the initial matte: leave spatial_source at 'D5'")

    def refinements(self, asked: int | None) -> int:
        """Check the number of refinements `asked`, None for the usual number; UsageError where the network cannot."""
        count = self.iterations if asked is None else asked
        if count < 0 or (count and self.refinement == "none"):
            raise UsageError(f"{count} refinements asked of a network with refinement {self.refinement!r}")
        return count

    @property
    def has_detector(self) -> bool:
        """Whether the network holds a flaw detector."""
        return self.flaw_map != "zeros"

    @property
    def trains_detector(self) -> bool:
        """Whether the detector learns from ground-truth flaw maps, in steps of its own."""
        return self.flaw_map == "detector"
