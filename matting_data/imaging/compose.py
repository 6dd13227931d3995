"""One foreground on any backgrounds: what its composites share is computed once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.composite import over_linear, over_window, premultiply
from matting_data.imaging.geometry import Placement, cut
from matting_data.imaging.trimap import Trimapper, person_extent


class Composer:
    """Makes the pixels of a foreground's composites.

    Parameters
    ----------
    image, alpha : ndarray
        Clean colours H×W×3 and alpha H×W, uint8. Colours where alpha is 0 have no effect.
    blend : {"gamma", "linear"}
        Mix encoded values, or linear light.
    """

    def __init__(self, image: NDArray[np.uint8], alpha: NDArray[np.uint8], blend: str) -> None:
        self.image, self.alpha = image, alpha
        self._premultiplied = premultiply(image, alpha) if blend == "gamma" else None

    @cached_property
    def extent(self) -> float:
        """The person's size, see :func:`person_extent`."""
        return person_extent(self.alpha)

    @cached_property
    def trimapper(self) -> Trimapper:
        """What draws its trimaps."""
        return Trimapper(self.alpha)

    def over(self, background: NDArray[np.uint8], placement: Placement) -> NDArray[np.uint8]:
        """Composite over `background` (h×w×3 uint8 of any size) as placed, to H×W×3 uint8."""
        height, width = self.alpha.shape
        if self._premultiplied is not None:
            return over_window(self._premultiplied, background, placement)
        return over_linear(self.image, self.alpha, cut(background, placement, (width, height)))
