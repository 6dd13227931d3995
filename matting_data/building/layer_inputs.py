"""Pixels from a store of layers: what composites are made of without their sources."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput
from matting_data.readers import dataset as dataset_reader
from matting_data.readers.layers import LayerStore
from matting_data.records import Background, Foreground, Sample
from matting_data.storage import Location


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
        dataset = dataset_reader.open(root)
        assert isinstance(dataset.store, LayerStore)
        self._store = dataset.store
        self._rows: dict[str, Sample] = {}
        for split in dataset.splits:
            for row in dataset[split].rows:
                self._rows.setdefault(row.foreground, row)

    def foreground(self, record: Foreground) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return clean colours H×W×3, black where alpha is 0, and alpha H×W, uint8."""
        row = self._rows.get(record.id)
        if row is None:
            raise RejectedInput("not_stored", "the store of layers does not hold this foreground")
        composer = self._store.foreground(row)
        return composer.image, composer.alpha

    def background(self, record: Background) -> NDArray[np.uint8]:
        """Return the photograph, H×W×3 uint8."""
        try:
            return self._store.background(record.id)
        except KeyError:
            raise RejectedInput("not_stored", "the store of layers does not hold this background") from None
