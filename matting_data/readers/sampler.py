"""Which samples of a map-style dataset a rank visits in an epoch, resumable in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matting_data.readers.order import Order, Progress, Shuffled, Stored, Uneven, rank_share
from matting_data.readers.split import Split
from matting_data.readers.tensors import import_torch
from matting_data.readers.torch_datasets import rank_and_world

_Sampler: Any = import_torch().utils.data.Sampler


class ResumableSampler(_Sampler):
    """Samples pairs (epoch, position) for :class:`MapDataset`: distributed, shuffled, with a state.

    Parameters
    ----------
    split : Split
        Whose positions to sample.
    shuffle : bool
        Another permutation in every epoch, or the stored order.
    seed : int
        Of the permutations.
    rank, world : int, optional
        Of the distributed run; by default as torch.distributed says, or 0 of 1.
    uneven : {"exact", "drop", "pad"}
        See :func:`matting_data.readers.order.rank_share`.
    """

    def __init__(
        self,
        split: Split,
        *,
        shuffle: bool = True,
        seed: int = 0,
        rank: int | None = None,
        world: int | None = None,
        uneven: Uneven = "exact",
    ) -> None:
        self.order: Order = Shuffled(len(split), int(seed)) if shuffle else Stored(len(split))
        self.rank, self.world = rank_and_world(rank, world)
        self.uneven: Uneven = uneven
        self.progress = Progress(f"{split.identity} {self.order.identity}")
        len(self)  # refuses another word for `uneven`

    def __len__(self) -> int:
        """Samples of this rank from where it stands to the end of the epoch."""
        order = self.order.epoch(self.progress.epoch)
        return len(rank_share(order, self.progress.start, self.rank, self.world, self.uneven))

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Choose the epoch of the next iteration, and how much of its order all ranks have delivered before."""
        self.progress.epoch, self.progress.start = epoch, start

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return _Visits(self)

    def state_dict(self, delivered: int = 0) -> dict[str, int | str]:
        """Compute the state after `delivered` samples of this rank's share have been used."""
        return self.progress.state(delivered, self.world, len(self.order))

    def load_state_dict(self, state: dict[str, int | str]) -> None:
        """Continue from a state, with any number of loading processes and ranks; UsageError where it does not fit."""
        self.progress.load(state)


class _Visits(Iterator[tuple[int, int]]):
    """One iteration; its own state is what torchdata's StatefulDataLoader keeps."""

    def __init__(self, sampler: ResumableSampler) -> None:
        self._sampler = sampler
        self._begin()

    def __next__(self) -> tuple[int, int]:
        if self._delivered == len(self._share):
            raise StopIteration
        self._delivered += 1
        return self._epoch, int(self._share[self._delivered - 1])

    def state_dict(self) -> dict[str, int | str]:
        return self._sampler.state_dict(self._delivered)

    def load_state_dict(self, state: dict[str, int | str]) -> None:
        self._sampler.load_state_dict(state)
        self._begin()

    def _begin(self) -> None:
        progress, sampler = self._sampler.progress, self._sampler
        self._epoch, self._delivered = progress.epoch, 0
        order = sampler.order.epoch(progress.epoch)
        self._share = rank_share(order, progress.start, sampler.rank, sampler.world, sampler.uneven)
