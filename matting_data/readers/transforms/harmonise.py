"""Bringing the background's colours nearer to the foreground's, the foreground staying as it is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import UsageError
from matting_data.imaging.composite import over, premultiply
from matting_data.readers.store import Composite, Layers, Part

_SOLID = 250
"""Alpha levels from this one on show the foreground's colour only."""

_CONTRAST = (0.5, 2.0)
"""How far the spread of a channel may change; a plain wall behind a colourful coat stays a wall."""


def harmonised_background(layers: Layers, strength: float) -> NDArray[np.uint8]:
    """Move mean and spread of the background's colours towards the foreground's, channel by channel.

    The transfer of Reinhard et al., "Color Transfer between Images" (IEEE CG&A 2001), in RGB and in part.

    Parameters
    ----------
    layers : Layers
        Foreground and background H×W×3, alpha H×W, uint8.
    strength : float
        0 changes nothing, 1 gives the background the foreground's mean and (within a factor of 2) spread.

    Returns
    -------
    ndarray
        H×W×3 uint8; the background itself where the alpha has no solid pixel.
    """
    solid = layers.alpha >= _SOLID
    if not solid.any() or strength == 0:
        return layers.background
    person = layers.foreground[solid].astype(np.float64)
    behind = layers.background.reshape(-1, 3).astype(np.float64)
    ratio = np.clip((person.std(axis=0) + 1) / (behind.std(axis=0) + 1), *_CONTRAST)
    gain = 1 + strength * (ratio - 1)
    mean = behind.mean(axis=0)
    target = mean + strength * (person.mean(axis=0) - mean)
    levels = np.arange(256.0)[:, None]
    table = np.rint(np.clip((levels - mean) * gain + target, 0, 255)).astype(np.uint8)
    return np.stack([table[layers.background[..., channel], channel] for channel in range(3)], axis=2)


@dataclass(frozen=True)
class HarmoniseBackground:
    """Composite the sample anew onto a background whose colours are nearer to the foreground's.

    Needs the layers: in a finished composite the background's part of a soft pixel is unknown, and changing it
    without the foreground's would draw a seam exactly where matting is learned. A dataset that stores composites
    refuses. Comes first in a pipeline, since its composite replaces the image.

    Parameters
    ----------
    strength : (float, float)
        Drawn from this range, see :func:`harmonised_background`.
    p : float
        Probability of any change.
    """

    strength: tuple[float, float] = (0.0, 0.6)
    p: float = 0.5

    parts: ClassVar[tuple[Part, ...]] = ("layers",)

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Replace the image and the background layer.

        Raises
        ------
        UsageError
            The composite came without its layers.
        """
        if composite.layers is None:
            raise UsageError(
                "HarmoniseBackground needs a sample's layers: read with parts=('image', 'alpha', 'layers')"
            )
        if rng.random() >= self.p:
            return composite
        layers = composite.layers
        background = harmonised_background(layers, float(rng.uniform(*self.strength)))
        image = over(premultiply(layers.foreground, layers.alpha), background.copy())
        return dataclasses.replace(composite, image=image, layers=dataclasses.replace(layers, background=background))
