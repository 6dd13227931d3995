"""The samples of a built dataset as entries: composites with alpha and trimap, and what is known of their parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.browsing.entries import Entry, Picture, Value, identity_of
from matting_data.browsing.pictures import image_file, label_file, matte_file
from matting_data.errors import DamageError
from matting_data.readers import dataset as dataset_reader
from matting_data.readers.store import CompositeStore, Part
from matting_data.records.checked import CheckedForeground
from matting_data.records.judged import JudgedBackground
from matting_data.records.stored import Sample
from matting_data.records.tables import read_table
from matting_data.shards.manifests import read_manifest
from matting_data.shards.names import MEMBERS
from matting_data.shards.reader import shard_entries

TRIMAP_TARGETS = {128: "unknown", 255: "foreground"}
"""Names of a trimap's labels; background stays clear."""

_FIELDS = ("split", "foreground", "background", "index", "shard", "width", "height", "trimap_kind", "trimap_dilate",
           "trimap_erode")  # fmt: skip
"""Columns of a manifest that are fields as they stand."""


class CompositeEntries:
    """Entries for all samples of a dataset, composites or layers, drawn shard by shard.

    Parameters
    ----------
    root : Path
        The dataset.
    index : mapping
        Its ``dataset.json``.
    side : int
        Longer side of the pictures, in pixels.
    """

    def __init__(self, root: Path, index: Mapping[str, Any], side: int) -> None:
        self._root, self._index, self._side = root, index, side
        self._store = dataset_reader.open(root).store
        self._foregrounds = _by_id(root / "foregrounds.parquet", CheckedForeground)
        self._backgrounds = _by_id(root / "backgrounds.parquet", JudgedBackground)
        self._uses: Counter[str] = Counter()
        for _, entry in shard_entries(index):
            self._uses.update(row.background for row in read_manifest(root, entry))

    def __len__(self) -> int:
        """Count the entries."""
        return self._uses.total()

    def __iter__(self) -> Iterator[Entry]:
        """Yield an entry for each sample, in the dataset's order."""
        for _, shard in shard_entries(self._index):
            for row in read_manifest(self._root, shard):
                yield self.entry(row)

    def entry(self, row: Sample) -> Entry:
        """Build the entry of one sample: its fields and its pictures, which are not made yet."""
        foreground, background = self._foregrounds.get(row.foreground), self._backgrounds.get(row.background)
        fields = composite_fields(row, foreground, background, self._uses[row.background])
        look = identity_of(_without_places(row), _content(foreground), _content(background), self._side, sorted(fields))
        matte = identity_of(_content(foreground), row.foreground, self._side)
        alpha = Picture(f"alpha-{row.foreground}-{matte}.png", lambda: matte_file(self.plane(row, "alpha"), self._side))
        trimap = Picture(f"trimap-{row.key}-{look}.png", lambda: label_file(self.plane(row, "trimap"), self._side))
        return Entry(
            row.key,
            identity_of(look, sorted(fields.items())),
            (row.width, row.height),
            fields,
            Picture(f"image-{row.key}-{look}.jpg", lambda: self._image(row)),
            {"alpha": alpha, "trimap": trimap},
        )

    def _image(self, row: Sample) -> bytes:
        fetched = self._store.fetch(row, ("image",))
        fits = max(row.width, row.height) <= self._side
        if fits and row.image.endswith(".jpg") and isinstance(self._store, CompositeStore):
            return bytes(fetched["image"])
        return image_file(self._store.decode(row, fetched)["image"], self._side)

    def plane(self, row: Sample, part: Part) -> NDArray[np.uint8]:
        """Read the alpha or the trimap of a sample, H×W uint8."""
        plane: NDArray[np.uint8] = self._store.decode(row, self._store.fetch(row, (part,)))[part]
        return plane


def composite_fields(
    row: Sample, foreground: CheckedForeground | None, background: JudgedBackground | None, uses: int
) -> dict[str, Value]:
    """Collect the fields of a composite; a pure function of its row and the records of its parts.

    ``person_size`` is the geometric mean of the box's sides in pixels, ``person_share`` the box's share of the image.
    """
    box = (row.x1 - row.x0) * (row.y1 - row.y0)
    return {
        **{name: getattr(row, name) for name in _FIELDS},
        "subset": row.subset or None,
        "source": foreground.source if foreground else None,
        "background_source": background.source if background else None,
        "license": row.license or None,
        "background_license": background.license if background else None,
        "person": foreground.person if foreground else None,
        "seed": str(row.seed),
        "person_size": round(math.sqrt(box), 1),
        "person_share": round(box / (row.width * row.height), 5),
        "coverage": round(row.coverage, 5),
        "soft": round(row.soft, 5),
        "background_uses": uses,
        "background_score": round(background.score, 4) if background and background.score is not None else None,
    }


def _by_id(path: Path, record: type[Any]) -> dict[str, Any]:
    """Read a table by id; a dataset passed on without its tables shows what its manifests say."""
    try:
        return {row.id: row for row in read_table(path, record)}
    except DamageError:
        return {}


def _content(record: CheckedForeground | JudgedBackground | None) -> tuple[str | None, ...]:
    if record is None:
        return ()
    return (record.sha256,) if isinstance(record, JudgedBackground) else (record.image_sha256, record.alpha_sha256)


def _without_places(row: Sample) -> tuple[object, ...]:
    """Select what of a row decides pixels: not where its members lie, nor its shard, subset and license."""
    nowhere: dict[str, Any] = {f"{member}{part}": 0 for member in MEMBERS for part in ("_offset", "_bytes")}
    return astuple(replace(row, **nowhere, shard=0, subset="", license=""))
