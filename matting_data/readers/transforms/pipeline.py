"""Steps one after the other, and the ready pipelines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from matting_data.readers.store import PARTS, Composite, Part, complete
from matting_data.readers.transforms.crops import Flip, PersonCrop, ShortSide
from matting_data.readers.transforms.harmonise import HarmoniseBackground
from matting_data.readers.transforms.new_trimap import DimTrimap
from matting_data.readers.transforms.photograph import Blur, ColourJitter, Jpeg, Noise
from matting_data.readers.transforms.visit import Visit

Step = Callable[[Composite, np.random.Generator], Composite]
"""One change of a composite; its random numbers belong to the visit and to the step alone."""


class Pipeline:
    """Steps one after the other.

    Parameters
    ----------
    steps : sequence of Step
        Each draws from a generator of its own, named by its class and how many of that class came before: adding a
        step changes no other's draws.
    parts : sequence of {"image", "alpha", "trimap", "layers"}, optional
        What has to be decoded; by default everything that no step names in an attribute ``draws``, and what steps
        name in an attribute ``parts``.
    """

    def __init__(self, steps: Sequence[Step], parts: Sequence[Part] | None = None) -> None:
        self.steps = tuple(steps)
        names = [type(step).__name__ for step in self.steps]
        self._names = [f"{name} {names[:place].count(name)}" for place, name in enumerate(names)]
        if parts is None:
            drawn = {part for step in self.steps for part in getattr(step, "draws", ())}
            asked = {part for step in self.steps for part in getattr(step, "parts", ())}
            parts = [*(part for part in PARTS if part not in drawn), *asked]
        self.parts = complete(parts)

    def __call__(self, composite: Composite, visit: Visit) -> Composite:
        """Apply the steps; the result is a pure function of the composite and the visit."""
        for name, step in zip(self._names, self.steps, strict=True):
            composite = step(composite, visit.generator(name))
        return composite


def paper_augmentation(
    size: int = 512, trimap: Step | None = None, photographic: bool = False, harmonise: bool = False
) -> Pipeline:
    """Build the SAFE-Net paper's augmentation: scale, crop around head and upper body, flip; and a random trimap.

    Parameters
    ----------
    size : int
        Side of the crop.
    trimap : Step, optional
        Draws the trimap on the crop; kernel sides from [1, 30) by default.
    photographic : bool
        Also jitter colours, blur, add noise and compress, each at random. Not in the paper.
    harmonise : bool
        Also bring the background's colours nearer to the person's; needs a dataset that stores layers. Not in the
        paper.
    """
    first: list[Step] = [HarmoniseBackground()] if harmonise else []
    last: list[Step] = [ColourJitter(), Blur(), Noise(), Jpeg()] if photographic else []
    return Pipeline([*first, PersonCrop(size), Flip(), trimap or DimTrimap(), *last])


def evaluation_transform(size: int | None = 512, multiple: int = 1) -> Pipeline:
    """Build the transform of a test sample: its shorter side is scaled to `size`, the stored trimap with it.

    Parameters
    ----------
    size : int or None
        None leaves the sample as it is stored.
    multiple : int
        Both sides become multiples of it, for networks that halve sizes.
    """
    return Pipeline([] if size is None else [ShortSide(size, multiple)])
