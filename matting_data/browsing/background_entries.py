"""Every background that was considered as an entry: what was decided of it, and on what evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.browsing.entries import Box, Entry, Picture, Value, identity_of
from matting_data.browsing.pictures import image_file
from matting_data.errors import RejectedInput
from matting_data.humans.audit_sample import draw_sample, stratum_of
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.records import Background
from matting_data.rendering.layer_inputs import LayerInputs
from matting_data.sources.decoded import load_background
from matting_data.sources.inputs import read_input
from matting_data.sources.opened import open_backgrounds

AUDIT_SIZE = 400
"""Backgrounds of the audit sample, as many as ``mattingdata audit`` draws."""


class BackgroundEntries:
    """Entries for all backgrounds of a build or a filter.

    Parameters
    ----------
    root : Path
        Of the build or filter.
    recipe : LoadedRecipe
        Knows where the photographs lie.
    records : sequence of Background
        With their verdicts.
    uses : mapping
        Background id → composites it serves.
    side : int
        Longer side of the pictures, in pixels.
    index : mapping or None
        ``dataset.json`` of a store of layers, whose own photographs stand in for sources that are not at hand.
    """

    def __init__(
        self,
        root: Path,
        recipe: LoadedRecipe,
        records: Sequence[Background],
        uses: Mapping[str, int],
        side: int,
        index: Mapping[str, Any] | None = None,
    ) -> None:
        self._sources, self._records, self._uses, self._side = open_backgrounds(recipe), records, uses, side
        self._layers = LayerInputs(root) if index and index["store"] == "layers" else None
        kept = [record for record in records if record.state == "ok"]
        self._audit = {record.id for record in draw_sample(kept, AUDIT_SIZE, 0)}

    @property
    def total(self) -> int:
        """Number of entries."""
        return len(self._records)

    def __iter__(self) -> Iterator[Entry]:
        """Yield an entry for each background, in the order they were found."""
        for record in self._records:
            yield self._entry(record)

    def _entry(self, record: Background) -> Entry:
        fields = background_fields(record, self._uses.get(record.id, 0), record.id in self._audit)
        boxes = boxes_of(record)
        # what labels reject is not opened, so its content has no hash: its path stands for it
        look = identity_of(record.id, record.sha256 or record.path, record.rotation, self._side)
        image = Picture(f"background-{record.id}-{look}.jpg", lambda: image_file(self._photo(record), self._side))
        size = (record.width, record.height) if record.width else (4, 3)
        found = {"humans": boxes} if boxes else {}
        return Entry(record.id, identity_of(look, sorted(fields.items()), boxes), size, fields, image, (), found)

    def _photo(self, record: Background) -> NDArray[np.uint8]:
        try:
            data = read_input(self._sources[record.source].file(record))
            return load_background(data, rotation=record.rotation)
        except (RejectedInput, StopIteration, OSError):
            if self._layers is None or record.state != "ok":
                raise RejectedInput("not_at_hand", f"{record.path} cannot be read") from None
            return self._layers.background(record)


def background_fields(record: Background, uses: int, audited: bool) -> dict[str, Value]:
    """Return the fields of a background; a pure function of its record."""
    return {
        "verdict": record.verdict or None,
        "state": record.state,
        "reason": record.reason or None,
        "detail": record.detail or None,
        "split": record.split or None,
        "background": record.id,
        "source": record.source,
        "stratum": stratum_of(record),
        "path": record.path,
        "license": record.license or None,
        "score": round(record.score, 4) if record.detector else None,
        "detector": record.detector or None,
        "tier": record.tier or None,
        "label_verdict": record.label_verdict or None,
        "label_reason": record.label_reason or None,
        "label_rows": record.label_rows or None,
        "width": record.width,
        "height": record.height,
        "uses": uses,
        "audit_sample": audited,
    }


def boxes_of(record: Background) -> list[Box]:
    """Return the detector's boxes as shares of the image; none where it was not looked at."""
    if not record.width or not record.height:
        return []
    boxes = []
    for x0, y0, x1, y1, score, label in json.loads(record.boxes):
        place = (
            x0 / record.width,
            y0 / record.height,
            (x1 - x0) / record.width,
            (y1 - y0) / record.height,
        )
        boxes.append(Box(str(label), float(score), place))
    return boxes
