"""What an export reads: the samples of some splits of a finished dataset, and, where asked for, their sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import DamageError, RejectedInput, UsageError
from matting_data.imaging.decode import Raster, decode
from matting_data.imaging.geometry import cut
from matting_data.publishing.card_inputs import CardInputs, read_card_inputs
from matting_data.publishing.publication import said_before
from matting_data.records.fields import values
from matting_data.records.planned import PlannedBackground, PlannedComposite, PlannedForeground
from matting_data.records.stored import Sample
from matting_data.rendering.composites import ForegroundRenderer
from matting_data.rendering.layer_inputs import Inputs, LayerInputs
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.shards.index import read_index
from matting_data.shards.index_model import SampleShard
from matting_data.shards.members import member_of, placement_of
from matting_data.shards.reader import read_members, shard_entries
from matting_data.sources.opened import open_sources
from matting_data.workspace.colour_cache import ColourCache
from matting_data.workspace.work_folder import colour_store, saved_recipe


@dataclass
class Source:
    """Some splits of a finished dataset.

    Attributes
    ----------
    root : Path
        The dataset.
    card_inputs : CardInputs
        Of the whole dataset.
    splits : tuple of str
        Those to export, in the dataset's order.
    base : Path, optional
        Folder where the recipe's relative paths start, for :meth:`foreground` and :meth:`background`.
    """

    root: Path
    card_inputs: CardInputs
    splits: tuple[str, ...]
    base: Path | None = None
    _renderer: tuple[str, ForegroundRenderer] | None = None

    @classmethod
    def open(cls, root: Path, splits: Sequence[str] = (), base: Path | None = None) -> Source:
        """Read the tables of a dataset; all its splits where none is named.

        Raises
        ------
        DamageError
            It is unfinished or damaged.
        UsageError
            It has no such split, or there is no dataset.
        """
        index = read_index(root)
        for split in splits:
            if split not in index["splits"]:
                raise UsageError(f"{root} has no split {split!r}: it has {' and '.join(index['splits'])}")
        chosen = tuple(split for split in index["splits"] if split in splits or not splits)
        return cls(root, read_card_inputs(root, index, said_before(root)), chosen, base)

    def shards(self) -> list[SampleShard]:
        """List the index entries of the shards that are exported."""
        return [entry for _, entry in shard_entries(self.card_inputs.index, self.splits)]

    def rows(self) -> list[Sample]:
        """List the manifest rows that are exported, in order, with the member names of a store of composites."""
        rows = [row for row in self.card_inputs.samples if row.split in self.splits]
        if not self.card_inputs.layers:
            return rows
        image = f"image.{self.card_inputs.image_suffix}"
        return [
            replace(r, image=f"{r.key}.{image}", alpha=f"{r.key}.alpha.png", trimap=f"{r.key}.trimap.png") for r in rows
        ]

    def samples(self, split: str) -> Iterator[tuple[Sample, dict[str, bytes]]]:
        """Yield the rows of a split with the bytes of their members; DamageError where a tar is damaged."""
        return ((row, self.members(row)) for row in self.rows() if row.split == split)

    def members(self, row: Sample) -> dict[str, bytes]:
        """Read the bytes of a sample's members, by ``image``, ``alpha``, ``trimap`` and ``json``.

        Those of a store of layers are made as a store of composites would hold them.
        """
        if self.card_inputs.layers:
            return self._composed(row)
        return read_members(self.root / self._tars[row.split, row.shard], row)

    def foreground(self, row: Sample) -> NDArray[np.uint8]:
        """Read the clean colours of a sample's foreground, H×W×3 uint8, from the recipe's sources."""
        return self._from_sources(lambda: self._inputs.foreground(self._foregrounds[row.foreground])[0], row.foreground)

    def background(self, row: Sample) -> NDArray[np.uint8]:
        """Read the window of the photograph that lies behind a sample, H×W×3 uint8, from the recipe's sources."""
        record = self._backgrounds[row.background]
        picture = self._from_sources(lambda: self._inputs.background(record), row.background)
        return cut(picture, placement_of(row), (row.width, row.height))

    def background_path(self, row: Sample) -> str:
        """Look up where the photograph lies below its source."""
        return self._backgrounds[row.background].path

    @cached_property
    def _tars(self) -> dict[tuple[str, int], str]:
        # a manifest says which shard it is; the index says where that lies
        return {
            (split, int(Path(entry["tar"]).stem)): entry["tar"]
            for split, entry in shard_entries(self.card_inputs.index)
        }

    @cached_property
    def _inputs(self) -> Inputs:
        if self.card_inputs.layers:
            return LayerInputs(self.root)
        recipe = saved_recipe(self.root, self.base)
        return SourceInputs(open_sources(recipe), ColourCache(colour_store(self.root), keep=False))

    def _composed(self, row: Sample) -> dict[str, bytes]:
        if self._renderer is None or self._renderer[0] != row.foreground:
            record = self._foregrounds[row.foreground]
            renderer = ForegroundRenderer(record, *self._inputs.foreground(record), self.card_inputs.recipe)
            self._renderer = row.foreground, renderer  # of the last foreground: its samples follow each other
        planned = PlannedComposite(*values(row, PlannedComposite))
        rendered = self._renderer[1].render(planned, self._inputs.background(self._backgrounds[row.background]))
        return {member_of(field): content for field, content in rendered.members.items()}

    @cached_property
    def _foregrounds(self) -> dict[str, PlannedForeground]:
        return {record.id: PlannedForeground.of(record) for record in self.card_inputs.used_foregrounds}

    @cached_property
    def _backgrounds(self) -> dict[str, PlannedBackground]:
        return {record.id: PlannedBackground.of(record) for record in self.card_inputs.used_backgrounds}

    def _from_sources(self, read: Any, identity: str) -> NDArray[np.uint8]:
        try:
            return read()
        except (RejectedInput, OSError) as problem:
            raise UsageError(
                f"the source of {identity} is not at hand ({problem}): name --base, or leave foregrounds and "
                "backgrounds out with --no-sources"
            ) from None


def decoded(row: Sample, data: bytes) -> Raster:
    """Decode a member of a sample; DamageError where it is no image."""
    try:
        return decode(data)
    except RejectedInput as problem:
        raise DamageError(f"{row.key} is damaged ({problem.detail}): run 'mattingdata build' again") from None
