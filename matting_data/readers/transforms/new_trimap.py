"""A new trimap at every visit, drawn on the crop."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from matting_data.imaging import trimap as trimaps
from matting_data.readers.store import Composite, Part


@dataclass(frozen=True)
class DimTrimap:
    """Kernel sides drawn from [low, high), separately for outside and inside, as the DIM re-implementations do.

    Parameters
    ----------
    kernel : (int, int)
        Pixels of the plane at hand: of the crop, where it comes after one.
    """

    kernel: tuple[int, int] = (1, 30)

    draws: ClassVar[tuple[Part, ...]] = ("trimap",)

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Replace the trimap."""
        return _drawn(composite, trimaps.dim_radii(self.kernel, rng))


@dataclass(frozen=True)
class AdaptiveTrimap:
    """Disc radii drawn as shares of the person's size, see :func:`matting_data.imaging.trimap.adaptive_radii`."""

    rate: tuple[float, float] = (0.005, 0.04)

    draws: ClassVar[tuple[Part, ...]] = ("trimap",)

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        """Replace the trimap."""
        extent = trimaps.person_extent(composite.alpha)
        return _drawn(composite, trimaps.adaptive_radii(self.rate, extent, rng))


def _drawn(composite: Composite, radii: trimaps.Radii) -> Composite:
    return dataclasses.replace(composite, trimap=trimaps.Trimapper(composite.alpha).draw(radii))
