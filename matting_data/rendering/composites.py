"""From a planned composite and its inputs to the members of a sample. Pure: the same inputs give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.imaging import encode
from matting_data.imaging.compose import Composer
from matting_data.imaging.geometry import place
from matting_data.imaging.trimap import Radii, adaptive_radii, dim_radii, fixed_radii
from matting_data.recipes.recipe import AdaptiveTrimap, DimTrimap, FixedTrimap, Recipe, trimap_rule
from matting_data.records.fields import values
from matting_data.records.planned import PlannedComposite, PlannedForeground
from matting_data.records.stored import Sample
from matting_data.seeds import generator
from matting_data.shards.members import placement_of, radii_of, sample_json

_OF_FOREGROUND = attrgetter("subset", "license", "width", "height", "x0", "y0", "x1", "y1", "coverage", "soft")
"""What a sample takes from its foreground, in the order of its fields."""


@dataclass(frozen=True)
class Rendered:
    """A finished sample: its members by field with extension, and its manifest row without places in a tar."""

    members: Mapping[str, bytes]
    row: Sample


class ForegroundRenderer:
    """Makes the composites of one foreground; what they share is computed once.

    Parameters
    ----------
    record : PlannedForeground
        The checked record.
    image, alpha : ndarray
        Clean colours H×W×3 and alpha H×W, uint8.
    recipe : Recipe
        What to build.
    """

    def __init__(
        self, record: PlannedForeground, image: NDArray[np.uint8], alpha: NDArray[np.uint8], recipe: Recipe
    ) -> None:
        self._record, self._recipe = record, recipe
        self._composer = Composer(image, alpha, recipe.composites.blend)
        self._alpha_png = encode.matte_png(alpha)
        self._trimap_png = cache(self._composer.trimapper.png)

    def render(self, planned: PlannedComposite, background: NDArray[np.uint8]) -> Rendered:
        """Composite onto `background` (H×W×3 uint8 RGB, of any size) and encode all members."""
        size = background.shape[1], background.shape[0]
        row = sample_row(planned, self._record, self._composer.extent, size, self._recipe)
        image = self._composer.over(background, placement_of(row))
        store = self._recipe.store
        if store.image == "jpeg":
            image_field, image_bytes = "image.jpg", encode.jpeg(image, store.quality, store.subsampling)
        else:
            image_field, image_bytes = "image.png", encode.png(image)
        members = {
            image_field: image_bytes,
            "alpha.png": self._alpha_png,
            "trimap.png": self._trimap_png(radii_of(row)),
            "json": sample_json(row),
        }
        return Rendered(members, row)


def sample_row(
    planned: PlannedComposite, record: PlannedForeground, extent: float, background: tuple[int, int], recipe: Recipe
) -> Sample:
    """Build the manifest row of a composite, without places in a tar; what is random comes from its seed.

    Parameters
    ----------
    planned : PlannedComposite
    record : PlannedForeground
        The checked record.
    extent : float
        The person's size, from :func:`matting_data.imaging.trimap.person_extent`.
    background : (int, int)
        Width and height of the background.
    recipe : Recipe
        Rules of window and trimap.
    """
    crop, at = recipe.composites.crop, (0.0, 0.0)
    if crop == "random":
        rng = generator(planned.seed, "crop")
        at = float(rng.random()), float(rng.random())
    placement = place((record.width, record.height), background, crop, at)
    rule = trimap_rule(recipe, planned.split)
    radii = draw_radii(rule, extent, planned.seed)
    window = placement.width, placement.height, placement.x, placement.y
    trimap = rule.kind, radii.dilate, radii.erode
    fields: tuple[Any, ...] = (*values(planned), *_OF_FOREGROUND(record), *window, *trimap)
    return Sample(*fields)


def draw_radii(rule: DimTrimap | FixedTrimap | AdaptiveTrimap, extent: float, seed: int) -> Radii:
    """Draw the trimap elements of one composite from its seed; `extent` is the person's size in pixels."""
    if isinstance(rule, FixedTrimap):
        return fixed_radii(rule.kernel)
    rng = generator(seed, "trimap")
    if isinstance(rule, DimTrimap):
        return dim_radii(rule.kernel, rng)
    return adaptive_radii(rule.rate, extent, rng)
