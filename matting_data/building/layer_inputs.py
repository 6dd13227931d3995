"""Pixels from a store of layers: what composites are made of without their sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import DamageError, RejectedInput
from matting_data.imaging.decode import decode, to_rgb8
from matting_data.records import Background, Foreground, Sample, StoredBackground, read_table
from matting_data.shards.layout import BACKGROUNDS
from matting_data.shards.reader import read_manifest, shard_entries
from matting_data.sources.files import InputFile, read_input
from matting_data.sources.load import load_background


class LayerInputs:
    """Reads foregrounds and backgrounds of a built dataset with ``store.kind: layers``.

    Parameters
    ----------
    root : Path
        The dataset.
    index : mapping
        Its ``dataset.json``.
    """

    def __init__(self, root: Path, index: Mapping[str, Any]) -> None:
        self._foregrounds: dict[str, tuple[InputFile, InputFile]] = {}
        self._backgrounds: dict[str, InputFile] = {}
        for _, entry in shard_entries(index):
            for row in read_manifest(root, entry):
                if row.foreground not in self._foregrounds:
                    self._foregrounds[row.foreground] = _foreground_files(root / entry["tar"], row)
        for entry in index[BACKGROUNDS]["shards"]:
            for stored in read_table(root / entry["manifest"], StoredBackground):
                place = InputFile(root / entry["tar"], stored.background_offset, stored.background_bytes)
                self._backgrounds[stored.id] = place

    def foreground(self, record: Foreground) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return clean colours H×W×3, black where alpha is 0, and alpha H×W, uint8."""
        places = self._foregrounds.get(record.id)
        if places is None:
            raise RejectedInput("not_stored", "the store of layers does not hold this foreground")
        image, alpha = (_decoded(place) for place in places)
        return image, alpha[..., 0]

    def background(self, record: Background) -> NDArray[np.uint8]:
        """Return the photograph, H×W×3 uint8."""
        place = self._backgrounds.get(record.id)
        if place is None:
            raise RejectedInput("not_stored", "the store of layers does not hold this background")
        return load_background(read_input(place), record.width * record.height, record.rotation)


def _foreground_files(tar: Path, row: Sample) -> tuple[InputFile, InputFile]:
    return InputFile(tar, row.image_offset, row.image_bytes), InputFile(tar, row.alpha_offset, row.alpha_bytes)


def _decoded(place: InputFile) -> NDArray[np.uint8]:
    try:
        return to_rgb8(decode(read_input(place)))
    except RejectedInput as problem:
        raise DamageError(f"{place.path} is damaged ({problem.detail}): run 'mattingdata verify' to see more") from None
