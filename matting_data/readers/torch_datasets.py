"""PyTorch's two kinds of dataset over a split: by position, and as a stream of shards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import cv2

from matting_data.errors import UsageError
from matting_data.readers.order import Progress, Streamed, Uneven, rank_share, worker_share
from matting_data.readers.split import Split
from matting_data.readers.store import PARTS, Composite, Part, complete
from matting_data.readers.tensors import ToTensors, import_torch
from matting_data.readers.transforms.visit import Transform, Visit
from matting_data.records.stored import Sample
from matting_data.running.shared_memory import REMEDY, SHARED

torch = import_torch()
_Dataset: Any = torch.utils.data.Dataset
_IterableDataset: Any = torch.utils.data.IterableDataset


class _Samples:
    """What both kinds share: a split, what is done with a sample, and the seed of its random part."""

    def __init__(
        self,
        split: Split,
        transform: Transform | None = None,
        *,
        seed: int = 0,
        tensors: Callable[..., Any] | None = None,
        parts: Sequence[Part] | None = None,
    ) -> None:
        if not isinstance(split, Split):
            raise UsageError(f"{split!r:.80} is no split: pass matting_data.open(DIR)['train']")
        self.split, self.transform, self.seed = split, transform, int(seed)
        self.tensors = ToTensors() if tensors is None else tensors
        self.parts = complete(parts if parts is not None else getattr(transform, "parts", PARTS))

    def fetch(self, row: Sample) -> Any:
        """Fetch a sample's bytes; safe to call from threads."""
        return self.split.store.fetch(row, self.parts)

    def make(self, epoch: int, row: Sample, fetched: Any) -> Any:
        """Decode, transform and convert a sample; a pure function of the dataset, the seed, the epoch and the key."""
        composite = Composite.of(row.key, self.split.store.decode(row, fetched))
        if self.transform is not None:
            composite = self.transform(composite, Visit(self.seed, epoch, composite.key))
        return self.tensors(composite)


class MapDataset(_Samples, _Dataset):
    """A split as map-style dataset: random access to transformed samples.

    Indices are positions, or pairs (epoch, position) as :class:`ResumableSampler` gives them: the random part of a
    transform depends on the epoch, and loading processes, which are copies, learn of it no other way.

    Parameters
    ----------
    split : Split
        ``matting_data.open(DIR)["train"]``.
    transform : callable, optional
        (composite, visit) → composite; see :mod:`matting_data.readers.transforms`.
    seed : int
        Of the random part of the transform.
    tensors : callable, optional
        Composite → what is delivered; :class:`ToTensors` by default.
    parts : sequence of str, optional
        What to decode; by default what the transform says it needs, or everything.
    """

    epoch = 0

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int | tuple[int, int]) -> Any:
        """Read a sample; with a plain index, as visited in the epoch that :meth:`set_epoch` named."""
        one_thread_for_opencv()
        epoch, place = index if isinstance(index, tuple) else (self.epoch, index)
        row = self.split.row(int(place), epoch)
        return self.make(epoch, row, self.fetch(row))

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of plain indices; must precede the start of loading processes."""
        self.epoch = epoch


class StreamDataset(_Samples, _IterableDataset):
    """A split as iterable dataset: shard after shard, mixed within a buffer, in an order known beforehand.

    Since the order is known, nothing is held back to be mixed: a process reads the bytes of its own samples only, some
    ahead of their turn, and resuming costs nothing.

    Parameters
    ----------
    split, transform, seed, tensors, parts
        As for :class:`MapDataset`; `seed` decides the order, too.
    batch_size : int
        Samples in a batch of the DataLoader around it. It decides which process delivers which sample; with the same
        value in both, the order is the same for any number of processes. With another, every sample still comes once.
    buffer : int
        Over how many samples the stored order is mixed, see :class:`Streamed`; 1 keeps the samples of a shard in
        order.
    rank, world : int, optional
        Of the distributed run; by default as torch.distributed says, or 0 of 1.
    uneven : {"exact", "drop", "pad"}
        See :func:`rank_share`.
    read_ahead : int
        Samples whose bytes are fetched before their turn, in threads.
    """

    def __init__(
        self,
        split: Split,
        transform: Transform | None = None,
        *,
        batch_size: int = 1,
        seed: int = 0,
        buffer: int = 2048,
        rank: int | None = None,
        world: int | None = None,
        uneven: Uneven = "exact",
        read_ahead: int = 4,
        tensors: Callable[..., Any] | None = None,
        parts: Sequence[Part] | None = None,
    ) -> None:
        super().__init__(split, transform, seed=seed, tensors=tensors, parts=parts)
        if batch_size < 1 or buffer < 1 or read_ahead < 1:
            raise UsageError("batch_size, buffer and read_ahead count samples: each must be at least 1")
        self.order = Streamed(split.shard_sizes, int(seed), buffer)
        self.batch_size, self.read_ahead = batch_size, read_ahead
        self.rank, self.world = rank_and_world(rank, world)
        self.uneven: Uneven = uneven
        self.identity = f"{split.identity} {self.order.identity}"
        self._from = torch.zeros(2, dtype=torch.int64)
        with suppress(RuntimeError):  # no shared memory here: then no loading process may iterate
            self._from.share_memory_()  # processes that live on learn of the next epoch through it
        self._yielded = self._resumed = 0

    def __len__(self) -> int:
        """Samples of this rank from where it stands to the end of the epoch."""
        return len(self._share(*self._standing()))

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Choose the epoch of the next iteration, and how much of its order all ranks have delivered before."""
        self._from[0], self._from[1] = epoch, start

    def __iter__(self) -> Iterator[Any]:
        one_thread_for_opencv()
        epoch, start = self._standing()
        worker, workers = _worker()
        if torch.utils.data.get_worker_info() is not None and not self._from.is_shared():
            raise UsageError(f"loading processes need {SHARED}, which was not there: {REMEDY}, or set num_workers to 0")
        share = worker_share(self._share(epoch, start), self.batch_size, worker, workers)
        self._yielded, self._resumed = self._resumed, 0
        return self._samples(epoch, share[self._yielded :].tolist())

    def state_dict(self) -> dict[str, int | str]:
        """Describe where the iteration of this process stands, for torchdata's StatefulDataLoader."""
        epoch, start = self._standing()
        return {"identity": self.identity, "epoch": epoch, "position": start, "yielded": self._yielded}

    def load_state_dict(self, state: dict[str, int | str]) -> None:
        """Continue where the same of equally many processes stood; UsageError for a state of another order."""
        progress = Progress(self.identity)
        progress.load(state)
        self.set_epoch(progress.epoch, progress.start)
        self._yielded = self._resumed = int(state.get("yielded", 0))

    def _standing(self) -> tuple[int, int]:
        return int(self._from[0]), int(self._from[1])

    def _share(self, epoch: int, start: int) -> Any:
        return rank_share(self.order.epoch(epoch), start, self.rank, self.world, self.uneven)

    def _samples(self, epoch: int, positions: Sequence[int]) -> Iterator[Any]:
        for row, fetched in self._fetched(self.split.row(position, epoch) for position in positions):
            sample = self.make(epoch, row, fetched)
            self._yielded += 1
            yield sample

    def _fetched(self, rows: Iterable[Sample]) -> Iterator[tuple[Sample, Any]]:
        """Yield rows with their bytes, fetching some ahead; an error comes in its sample's turn."""
        with ThreadPoolExecutor(self.read_ahead) as pool:
            ahead: deque[tuple[Sample, Future[Any]]] = deque()
            try:
                for row in rows:
                    ahead.append((row, pool.submit(self.fetch, row)))
                    if len(ahead) > self.read_ahead:
                        first, future = ahead.popleft()
                        yield first, future.result()
                while ahead:
                    first, future = ahead.popleft()
                    yield first, future.result()
            finally:
                pool.shutdown(cancel_futures=True)


def rank_and_world(rank: int | None, world: int | None) -> tuple[int, int]:
    """Find the rank and the number of ranks: as given, else as torch.distributed knows them, else 0 and 1."""
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    if world is None:
        world = torch.distributed.get_world_size() if distributed else 1
    if rank is None:
        rank = torch.distributed.get_rank() if distributed else 0
    if not 0 <= rank < world:
        raise UsageError(f"rank {rank} of {world}: ranks count from 0 to one below the number of processes")
    return int(rank), int(world)


def one_thread_for_opencv() -> None:
    """In a loading process, keep OpenCV to one thread: there are as many processes as cores are meant to be used."""
    if torch.utils.data.get_worker_info() is not None and cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)


def _worker() -> tuple[int, int]:
    info = torch.utils.data.get_worker_info()
    return (info.id, info.num_workers) if info is not None else (0, 1)
