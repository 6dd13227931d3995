"""Pairs of their own for every epoch: the same foregrounds on other backgrounds, a pure function of (recipe, epoch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matting_data.imaging.geometry import place
from matting_data.planning.pairing import pair
from matting_data.readers.layered import Backgrounds
from matting_data.recipes.recipe import Recipe
from matting_data.records.stored import Sample
from matting_data.seeds import derive_seed, generator


class EpochPairs:
    """Draws backgrounds anew for each epoch from all that a store of layers holds for a split.

    Epoch 0 has the pairs of the plan, so that what is stored is what is seen first.

    Parameters
    ----------
    recipe : Recipe
        Its seed, its number of backgrounds for each foreground, its rule of windows.
    split : str
        Whose backgrounds.
    rows : sequence of Sample
        All rows of the split.
    backgrounds : Backgrounds
        What is stored.
    """

    def __init__(self, recipe: Recipe, split: str, rows: Sequence[Sample], backgrounds: Backgrounds) -> None:
        self._recipe, self._backgrounds = recipe, backgrounds
        self._choices = [identity for identity, (_, stored) in backgrounds.items() if stored.split == split]
        self._rank: dict[tuple[str, int], int] = {}  # among the rows of its foreground that could be made
        made: dict[str, int] = {}
        for row in rows:
            self._rank[row.foreground, row.index] = made[row.foreground] = made.get(row.foreground, -1) + 1
        self._foregrounds = list(made)
        self._count = max(made.values(), default=-1) + 1
        self._drawn: tuple[int, dict[str, list[str]]] = (0, {})

    def row(self, row: Sample, epoch: int) -> Sample:
        """Compute a sample's row in an epoch: as stored in epoch 0, later with another background, placed anew."""
        if epoch == 0:
            return row
        if self._drawn[0] != epoch:
            seed = derive_seed(self._recipe.seed, "epoch", epoch)
            self._drawn = epoch, pair(self._foregrounds, self._choices, self._count, seed)
        background = self._drawn[1][row.foreground][self._rank[row.foreground, row.index]]
        _, stored = self._backgrounds[background]
        rng = generator(derive_seed(row.seed, "epoch", epoch), "crop")
        at = (float(rng.random()), float(rng.random()))
        size = stored.width, stored.height
        placement = place((row.width, row.height), size, self._recipe.composites.crop, at)
        return replace(
            row,
            background=background,
            background_width=placement.width,
            background_height=placement.height,
            background_x=placement.x,
            background_y=placement.y,
        )
