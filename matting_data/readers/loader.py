"""Batches of a rank, epoch after epoch, that can be interrupted and continued anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matting_data.errors import MattingDataError, OutOfMemoryError, UsageError
from matting_data.readers.order import Order, Progress, Uneven
from matting_data.readers.sampler import ResumableSampler
from matting_data.readers.tensors import import_torch
from matting_data.readers.torch_datasets import MapDataset, StreamDataset
from matting_data.running.shared_memory import REMEDY, SHARED, lost_worker, why_no_semaphores

torch = import_torch()


class Loader:
    """PyTorch's DataLoader with a position: what was delivered is counted here, not in the processes that run ahead.

    Iterating runs to the end of the epoch; the next iteration is the next epoch. ``state_dict`` between two batches
    and ``load_state_dict`` in another run, with any number of loading processes, ranks and batch size, give the same
    remaining sequence of samples; all ranks must have delivered equally many.

    There is one position, so there is one iteration at a time: a new one goes on where the last one stood, and the last
    one is refused from then on, as it is after ``set_epoch`` and ``load_state_dict``.

    Parameters
    ----------
    data : MapDataset or StreamDataset
        A StreamDataset brings its own order, ranks and batch size.
    batch_size : int, optional
        Samples in a batch of this rank; default 1, or the stream's.
    shuffle, seed, rank, world, uneven
        As for :class:`ResumableSampler`; only for a MapDataset, whose seed is the default.
    drop_last : bool
        Leave a smaller last batch out.
    **options
        Passed to the DataLoader: ``num_workers``, ``pin_memory``, ``persistent_workers``, ...

    Raises
    ------
    UsageError
        Options that contradict each other.

    Examples
    --------
    >>> loader = Loader(MapDataset(split, paper_augmentation()), batch_size=16, num_workers=4)  # doctest: +SKIP
    >>> for batch in loader:  # doctest: +SKIP
    ...     step(batch["image"], batch["alpha"], batch["trimap"])
    ...     torch.save(loader.state_dict(), "loader.pt")
    """

    def __init__(
        self,
        data: MapDataset | StreamDataset,
        batch_size: int | None = None,
        *,
        shuffle: bool | None = None,
        seed: int | None = None,
        rank: int | None = None,
        world: int | None = None,
        uneven: Uneven | None = None,
        drop_last: bool = False,
        **options: Any,
    ) -> None:
        if refused := {"sampler", "batch_sampler", "in_order"} & set(options):
            raise UsageError(f"a Loader has its own order: leave {', '.join(sorted(refused))} out, or use a DataLoader")
        if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
            raise UsageError(f"batch_size {batch_size!r} is not a number of samples: give 1 or more")
        self._order: Order
        if isinstance(data, StreamDataset):
            given = {"shuffle": shuffle, "seed": seed, "rank": rank, "world": world, "uneven": uneven}
            if named := [name for name, value in given.items() if value is not None]:
                raise UsageError(f"a StreamDataset brings its own order: give {', '.join(named)} to it")
            if batch_size not in (None, data.batch_size):
                raise UsageError(
                    f"the loader's batch size {batch_size} is not the stream's {data.batch_size}: give it to "
                    "StreamDataset only"
                )
            batch_size, self._order, self._world = data.batch_size, data.order, data.world
            self._progress = Progress(data.identity)
            self._mover: StreamDataset | ResumableSampler = data
        else:
            sampler = ResumableSampler(
                data.split,
                shuffle=True if shuffle is None else shuffle,
                seed=data.seed if seed is None else seed,
                rank=rank,
                world=world,
                uneven=uneven or "exact",
            )
            options["sampler"] = sampler
            self._order, self._world, self._progress = sampler.order, sampler.world, Progress(sampler.progress.identity)
            self._mover = sampler
        self._batch_size, self._drop_last, self._delivered = batch_size or 1, drop_last, 0
        self._iteration = 0
        self._loader = torch.utils.data.DataLoader(data, self._batch_size, drop_last=drop_last, **options)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch."""
        return self._progress.epoch

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch."""
        self._progress.epoch, self._progress.start, self._delivered = epoch, 0, 0
        self._iteration += 1

    def __len__(self) -> int:
        """Batches from where the current iteration began to the end of the epoch."""
        self._mover.set_epoch(self._progress.epoch, self._progress.start)
        samples = len(self._mover)
        return samples // self._batch_size if self._drop_last else -(-samples // self._batch_size)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches from the current position to the end of the epoch.

        Raises
        ------
        UsageError
            Another iteration has begun, or the position was set, since this one began; or loading processes are asked
            for where there is no shared memory.
        OutOfMemoryError
            Shared memory is full of batches, or a loading process was killed.
        """
        if self._loader.num_workers and (why := why_no_semaphores()) is not None:
            raise UsageError(f"loading processes need {SHARED} ({why}): {REMEDY}, or set {_WORKERS} to 0")
        self.load_state_dict(self.state_dict())
        self._mover.set_epoch(self._progress.epoch, self._progress.start)
        left, this = len(self._mover), self._iteration
        batches = iter(self._loader)
        problem: MattingDataError | None = None
        while True:
            self._require_latest(this)  # before a batch is taken: persistent processes serve the latest iteration
            try:
                batch = next(batches)
            except StopIteration:
                break
            except MattingDataError as error:
                problem = _unwrapped(error)
                break
            except RuntimeError as error:
                if (problem := _lost(error)) is None:
                    raise
                break
            # counted before it is handed out: a state taken while it is worked on does not hold it again
            self._delivered += min(self._batch_size, left - self._delivered)
            yield batch
        if problem is not None:
            del batches  # ends the loading processes now, not when someone drops the error
            raise problem
        self.set_epoch(self._progress.epoch + 1)

    def state_dict(self) -> dict[str, int | str]:
        """Describe the position after the last batch handed out."""
        return self._progress.state(self._delivered, self._world, len(self._order))

    def load_state_dict(self, state: dict[str, int | str]) -> None:
        """Continue from a state with the next iteration; UsageError where it belongs to another order."""
        self._progress.load(state)
        self._delivered = 0
        self._iteration += 1

    def _require_latest(self, iteration: int) -> None:
        if iteration != self._iteration:
            raise UsageError(
                "this iteration of the Loader ended when another began, or its position was set: make a Loader for "
                "each iteration that runs at the same time"
            )


_WORKERS = "num_workers (data.workers of a training config)"


def _lost(error: RuntimeError) -> OutOfMemoryError | None:
    """Say in a sentence that a loading process ended for want of memory, where it did."""
    match lost_worker(error):
        case "full":
            return OutOfMemoryError(
                f"{SHARED} is too small for the batches of the loading processes: {REMEDY}, or set {_WORKERS} to 0"
            )
        case "killed":
            return OutOfMemoryError(
                f"a loading process was killed, most often for want of memory: lower {_WORKERS}, or the batch size"
            )
    return None


def _unwrapped(error: MattingDataError) -> MattingDataError:
    """Strip from an error the traceback of a loading process, which PyTorch puts into its message."""
    said = str(error).rpartition(f"{type(error).__module__}.{type(error).__qualname__}: ")[2]
    return type(error)(said.strip())
