"""One split of a built dataset: samples by key or position, iteration by shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from matting_data.errors import UsageError, nearest
from matting_data.readers.epochs import EpochPairs
from matting_data.readers.manifest_columns import Rows
from matting_data.readers.store import PARTS, Composite, Part, SampleStore, complete
from matting_data.records.stored import Sample


class Split(Sequence[Composite]):
    """The samples of one split: ``split[3]``, ``split["anna-0"]``, ``len(split)``, iteration in stored order.

    Attributes
    ----------
    name, identity : str
        ``train`` or ``test``; and what tells it apart from the same split of any other dataset.
    rows : Rows
        Its manifest rows.
    shard_sizes : tuple of int
        Samples in each shard, in stored order.
    store : SampleStore
        What its samples are read from.
    pairs : EpochPairs or None
        What draws backgrounds anew for each epoch, where the dataset was built for that.
    """

    def __init__(
        self,
        name: str,
        identity: str,
        rows: Rows,
        shard_sizes: Sequence[int],
        store: SampleStore,
        pairs: EpochPairs | None = None,
    ) -> None:
        self.name, self.identity, self.rows, self.store, self.pairs = name, identity, rows, store, pairs
        self.shard_sizes = tuple(shard_sizes)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int | str | slice) -> Any:
        if isinstance(place, slice):
            return [self.read(position) for position in range(*place.indices(len(self)))]
        return self.read(place)

    def __contains__(self, key: object) -> bool:
        return key in self._positions

    def __iter__(self) -> Iterator[Composite]:
        return (self.read(position) for position in range(len(self)))  # Sequence's own would end at any IndexError

    @property
    def keys(self) -> list[str]:
        """The keys, in stored order."""
        return self.rows.keys

    def row(self, place: int | str, epoch: int = 0) -> Sample:
        """Look up a manifest row by position or key; in a later epoch, with that epoch's background."""
        row: Sample = self.rows[self.position(place)]
        return row if self.pairs is None else self.pairs.row(row, epoch)

    def position(self, place: int | str) -> int:
        """Look up the position of a key, or check a position itself; negative ones count from the end.

        Raises
        ------
        UsageError
            No such key.
        IndexError
            No such position.
        """
        if isinstance(place, str):
            if place not in self._positions:
                raise UsageError(f"the split {self.name!r} has no sample {place!r}{nearest(place, self._positions)}")
            return self._positions[place]
        if not -len(self) <= place < len(self):
            raise IndexError(f"position {place} of a split with {len(self)} samples")
        return place % len(self)

    def read(self, place: int | str, parts: Sequence[Part] = PARTS) -> Composite:
        """Read and decode one sample.

        Parameters
        ----------
        place : int or str
            Position or key.
        parts : sequence of {"image", "alpha", "trimap", "layers"}
            What is needed; image and alpha always come along.

        Raises
        ------
        DamageError
            Its shard is missing or damaged.
        StorageError
            Its shard could not be read, also when tried again.
        """
        return Composite.of(self.row(place).key, self.planes(place, complete(parts)))

    def planes(self, place: int | str, parts: Sequence[Part]) -> dict[Part, Any]:
        """Read and decode some parts of a sample, and nothing else; errors as of :meth:`read`."""
        row = self.row(place)
        return self.store.decode(row, self.store.fetch(row, parts))

    def shards(self) -> Iterator[Iterator[Composite]]:
        """Yield the shards, each as an iterator over its samples."""
        first = 0
        for size in self.shard_sizes:
            yield (self.read(position) for position in range(first, first + size))
            first += size

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_positions"}

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {key: position for position, key in enumerate(self.keys)}
