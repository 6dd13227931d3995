"""Pixels from a store of layers: what composites are made of without their sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput
from matting_data.readers import dataset as dataset_reader
from matting_data.readers.layered import LayerStore
from matting_data.records.found import FoundBackground
from matting_data.records.planned import PlannedBackground, PlannedForeground
from matting_data.records.stored import Sample
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.shards.index import INDEX
from matting_data.storage import LocalStorage, Location, open_storage


class LayerInputs:
    """Reads foregrounds and backgrounds of a built dataset with ``store.kind: layers``; may travel to other processes.

    Parameters
    ----------
    root : Path, str or Storage
        The dataset.

    Raises
    ------
    DamageError
        It is unfinished or damaged.
    """

    def __init__(self, root: Location) -> None:
        root = open_storage(root)
        dataset = dataset_reader.open(root)
        assert isinstance(dataset.store, LayerStore)
        self._store, self._root = dataset.store, root
        self._rows: dict[str, Sample] = {}
        for split in dataset.splits:
            for row in dataset[split].rows:
                self._rows.setdefault(row.foreground, row)

    def files(
        self, foregrounds: Iterable[PlannedForeground], backgrounds: Iterable[PlannedBackground]
    ) -> Iterator[Path]:
        """Yield a file of the dataset, where that is a folder: it holds them all."""
        del foregrounds, backgrounds
        if isinstance(self._root, LocalStorage):
            yield self._root.path / INDEX

    def foreground(self, record: PlannedForeground) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read clean colours H×W×3, black where alpha is 0, and alpha H×W, uint8, from the store of layers."""
        row = self._rows.get(record.id)
        if row is None:
            raise RejectedInput("not_stored", "the store of layers does not hold this foreground")
        composer = self._store.foreground(row)
        return composer.image, composer.alpha

    def background(self, record: FoundBackground | PlannedBackground) -> NDArray[np.uint8]:
        """Read the photograph, H×W×3 uint8, from the store of layers."""
        if record.id not in self._store.backgrounds:
            raise RejectedInput("not_stored", "the store of layers does not hold this background")
        return self._store.background(record.id)


Inputs = SourceInputs | LayerInputs
"""What reads the pixels that a plan's records stand for; raises RejectedInput where that is impossible."""
