"""A store of layers: composites made when they are read, of foregrounds and backgrounds that are stored once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.configuration import MOST_TEXT
from matting_data.errors import DamageError, RejectedInput
from matting_data.imaging.compose import Composer
from matting_data.imaging.geometry import cut
from matting_data.readers.manifest_columns import Rows, read_checked, read_manifest
from matting_data.readers.store import LAYERS, Layers, Part, TarStore
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import parse_recipe
from matting_data.records.stored import Sample, StoredBackground
from matting_data.records.table_files import read_rows
from matting_data.shards.index_model import Index
from matting_data.shards.members import placement_of, radii_of
from matting_data.shards.names import RECIPE
from matting_data.shards.reader import background_entries
from matting_data.sources.decoded import load_background
from matting_data.storage import ByteSource, Storage

_FOREGROUND = ("image", "alpha")
_KEPT = 8
"""Decoded foregrounds that a process keeps: those that follow each other often share one."""


Backgrounds = dict[str, tuple[str, StoredBackground]]
"""Id → tar, and row of that tar's manifest, of each background in a store of layers; in stored order."""


def open_layers(index: Index, storage: Storage) -> tuple[Backgrounds, Recipe] | None:
    """Read what a store of layers needs beside its shards, its backgrounds and recipe; None for one of composites.

    Raises
    ------
    DamageError
        A damaged manifest or recipe.
    """
    if index["store"] == "composites":
        return None
    content = read_checked(storage, RECIPE, index["files"][RECIPE], MOST_TEXT)
    recipe = parse_recipe(content.decode(errors="replace"), storage.label(RECIPE))
    backgrounds: Backgrounds = {}
    entries = background_entries(index)
    manifests = [read_manifest(storage, entry) for entry in entries]
    for entry, rows in zip(entries, read_rows(manifests, StoredBackground), strict=True):
        backgrounds |= {row.id: (entry["tar"], row) for row in rows}
    return backgrounds, recipe


def require_stored(rows: Rows, backgrounds: Backgrounds, name: str) -> None:
    """Raise DamageError when rows of a split, which `name` calls, show a background that is not stored."""
    if lacking := sorted(set(rows.columns["background"].tolist()) - backgrounds.keys()):
        raise DamageError(
            f"{name} was not written by mattingdata: it shows {lacking[0]!r}, which is not stored; do not trust this "
            "dataset"
        )


class LayerStore(TarStore):
    """Composites made on the fly, to the pixel what a store of composites holds before encoding.

    Parameters
    ----------
    storage : Storage
        Where the dataset lies.
    source : ByteSource
        What shards are read from: `storage` itself, or a cache before it.
    backgrounds : Backgrounds
        Where each lies; an attribute too.
    recipe : Recipe
        How it blends.
    """

    def __init__(self, storage: Storage, source: ByteSource, backgrounds: Backgrounds, recipe: Recipe) -> None:
        super().__init__(storage, source)
        self.backgrounds, self._blend = backgrounds, recipe.composites.blend
        self._composers: OrderedDict[tuple[str, int], Composer] = OrderedDict()
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_composers": OrderedDict(), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=Lock())

    def foreground(self, row: Sample) -> Composer:
        """Decode the foreground of a row, colours black where alpha is 0; DamageError where it does not decode."""
        return self._composer(row, {})

    def background(self, identity: str) -> NDArray[np.uint8]:
        """Read a stored background, H×W×3 uint8; KeyError where there is none, DamageError where it is damaged."""
        return self._background(identity, self._background_file(identity))

    def fetch(self, row: Sample, parts: Sequence[Part]) -> tuple[tuple[Part, ...], dict[str, bytes]]:
        """Read the foreground, unless it is cached, and the background where it shows; with the parts asked for."""
        wanted = _FOREGROUND if parts != ("alpha",) else ("alpha",)
        fetched: dict[str, bytes] = {}
        if self._known(row) is None:
            fetched |= self._members(row, wanted)
        if "image" in parts or LAYERS in parts:
            fetched["background"] = self._background_file(row.background)
        return tuple(parts), fetched

    def decode(self, row: Sample, fetched: tuple[tuple[Part, ...], dict[str, bytes]]) -> dict[Part, Any]:
        """Compose the parts that were asked for."""
        parts, files = fetched
        if parts == ("alpha",) and "alpha" in files:
            return {"alpha": self._plane(row, row.foreground, "alpha", files["alpha"])}
        composer = self._composer(row, files)
        planes: dict[Part, Any] = {}
        if "background" in files:
            background = self._background(row.background, files["background"])
            placement = placement_of(row)
            if LAYERS in parts:
                window = cut(background, placement, (row.width, row.height))
                planes[LAYERS] = Layers(composer.image.copy(), composer.alpha.copy(), window)
            if "image" in parts:
                planes["image"] = composer.over(background, placement)
        if "alpha" in parts:
            planes["alpha"] = composer.alpha.copy()  # what is kept must not change when a transform writes into it
        if "trimap" in parts:
            planes["trimap"] = composer.trimapper.draw(radii_of(row))
        return {part: planes[part] for part in parts}

    def _known(self, row: Sample) -> Composer | None:
        with self._lock:
            return self._composers.get((row.foreground, row.image_offset))

    def _composer(self, row: Sample, files: Mapping[str, bytes]) -> Composer:
        """Decode the foreground, or take it from the cache of those decoded lately."""
        key = row.foreground, row.image_offset
        with self._lock:
            if key in self._composers:
                self._composers.move_to_end(key)
                return self._composers[key]
        if "image" not in files:  # was known when the bytes were fetched, and has made room since
            files = self._members(row, _FOREGROUND)
        image, alpha = (self._plane(row, row.foreground, member, files[member]) for member in _FOREGROUND)
        composer = Composer(image, alpha, self._blend)
        with self._lock:
            self._composers[key] = composer
            while len(self._composers) > _KEPT:
                self._composers.popitem(last=False)
        return composer

    def _background_file(self, identity: str) -> bytes:
        tar, stored = self.backgrounds[identity]
        return self._source.read(tar, stored.background_offset, stored.background_bytes)

    def _background(self, identity: str, content: bytes) -> NDArray[np.uint8]:
        tar, stored = self.backgrounds[identity]
        try:
            background = load_background(content, stored.width * stored.height, stored.rotation)
        except RejectedInput as problem:
            raise self._damaged(tar, identity, problem.detail) from None
        if background.shape[:2] != (stored.height, stored.width):
            raise self._damaged(tar, identity, f"it is not {stored.width}×{stored.height}")
        return background
