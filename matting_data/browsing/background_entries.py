"""Every background that was considered as an entry: what was decided of it, and on what evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.browsing.entries import Box, Entry, Picture, Value, identity_of
from matting_data.browsing.pictures import image_file
from matting_data.errors import RefusedError, RejectedInput
from matting_data.humans.audit_sample import draw_sample, stratum_of
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.judged import JudgedBackground
from matting_data.rendering.layer_inputs import LayerInputs
from matting_data.sources.decoded import load_background
from matting_data.sources.inputs import read_input
from matting_data.sources.opened import open_backgrounds

AUDIT_SIZE = 400
"""Backgrounds of the audit sample, as many as ``mattingdata audit`` draws."""

_FIELDS = ("verdict", "state", "reason", "detail", "split", "source", "path", "license", "detector", "tier",
           "label_verdict", "label_reason", "label_rows", "width", "height")  # fmt: skip
"""Columns of a record that are fields as they stand."""


class BackgroundEntries:
    """Entries for all backgrounds of a build or a filter.

    Parameters
    ----------
    root : Path
        Of the build or filter.
    recipe : LoadedRecipe
        Knows where the photographs lie.
    records : sequence of JudgedBackground
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
        records: Sequence[JudgedBackground],
        uses: Mapping[str, int],
        side: int,
        index: Mapping[str, Any] | None = None,
    ) -> None:
        self._sources, self._records, self._uses, self._side = open_backgrounds(recipe), records, uses, side
        self._layers = LayerInputs(root) if index and index["store"] == "layers" else None
        kept = [record for record in records if record.state == "ok"]
        self._audit = {record.id for record in draw_sample(kept, AUDIT_SIZE, 0)}

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._records)

    def __iter__(self) -> Iterator[Entry]:
        """Yield an entry for each background, in the order they were found."""
        return map(self._entry, self._records)

    def _entry(self, record: JudgedBackground) -> Entry:
        fields = background_fields(record, self._uses.get(record.id, 0), record.id in self._audit)
        boxes = boxes_of(record)
        # what labels reject is not opened, so its content has no hash: its path stands for it
        look = identity_of(record.id, record.sha256 or record.path, record.rotation, self._side)
        image = Picture(f"background-{record.id}-{look}.jpg", lambda: image_file(self._photo(record), self._side))
        size = (record.width or 4, record.height or 3)
        found = {"humans": boxes} if boxes else {}
        return Entry(record.id, identity_of(look, sorted(fields.items()), boxes), size, fields, image, boxes=found)

    def _photo(self, record: JudgedBackground) -> NDArray[np.uint8]:
        try:
            data = read_input(self._sources[record.source].file(record))
            return load_background(data, rotation=record.rotation, srgb=bool(record.profile))
        except (RejectedInput, RefusedError, StopIteration, OSError):
            if self._layers is None or record.state != "ok":
                raise RejectedInput("not_at_hand", f"{record.path} cannot be read") from None
            return self._layers.background(record)


def background_fields(record: JudgedBackground, uses: int, audited: bool) -> dict[str, Value]:
    """Collect the fields of a background; a pure function of its record."""
    return {
        **{name: getattr(record, name) for name in _FIELDS},
        "background": record.id,
        "stratum": stratum_of(record),
        "score": None if record.score is None else round(record.score, 4),
        "uses": uses,
        "audit_sample": audited,
    }


def boxes_of(record: JudgedBackground) -> list[Box]:
    """Convert the detector's boxes to shares of the image; none where it was not looked at."""
    width, height = record.width or 1, record.height or 1
    return [
        Box(b.label, b.score, (b.x0 / width, b.y0 / height, (b.x1 - b.x0) / width, (b.y1 - b.y0) / height))
        for b in record.boxes or ()
    ]
