"""The pixels of any sample of a built dataset, whether it stores composites or layers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.building.layer_inputs import LayerInputs
from matting_data.imaging.compose import Composer
from matting_data.recipe_file import load
from matting_data.records import Background, Foreground, Sample, read_table
from matting_data.shards.members import placement_of, radii_of
from matting_data.shards.reader import Arrays, read_arrays


class ComposedLayers:
    """Composes samples of a store of layers; the last foregrounds stay decoded for their other composites.

    Parameters
    ----------
    root : Path
        The dataset.
    index : mapping
        Its ``dataset.json``.
    """

    def __init__(self, root: Path, index: Mapping[str, Any]) -> None:
        self._inputs = LayerInputs(root, index)
        self._backgrounds = {b.id: b for b in read_table(root / "backgrounds.parquet", Background)}
        blend = load(root / "recipe.yaml").recipe.composites.blend
        self._composer = lru_cache(maxsize=4)(
            lambda identity: Composer(*self._inputs.foreground(Foreground(identity, "", "")), blend)
        )

    def image(self, row: Sample) -> NDArray[np.uint8]:
        """Return the composite, H×W×3 uint8."""
        composer: Composer = self._composer(row.foreground)
        return composer.over(self._inputs.background(self._backgrounds[row.background]), placement_of(row))

    def trimap(self, row: Sample) -> NDArray[np.uint8]:
        """Return its trimap, H×W uint8."""
        composer: Composer = self._composer(row.foreground)
        return composer.trimap(radii_of(row))

    def alpha(self, row: Sample) -> NDArray[np.uint8]:
        """Return its alpha, H×W uint8."""
        composer: Composer = self._composer(row.foreground)
        return composer.alpha


class SampleArrays:
    """Reads samples of a dataset of either kind."""

    def __init__(self, root: Path, index: Mapping[str, Any]) -> None:
        self._root = root
        self._layers = ComposedLayers(root, index) if index["store"] == "layers" else None

    def read(self, tar: str, row: Sample) -> Arrays:
        """Return image, alpha and trimap of a sample in the shard `tar` (as its entry calls it)."""
        if self._layers is None:
            return read_arrays(self._root / tar, row)
        return Arrays(self._layers.image(row), self._layers.alpha(row), self._layers.trimap(row))
