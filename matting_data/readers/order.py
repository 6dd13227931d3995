"""In which order an epoch's samples come, and who delivers which: pure functions of (seed, epoch) and counts.

The order of all samples comes first. Ranks take every `world`-th of them in turn, and within a rank loading processes
take whole batches in turn, so that what a rank delivers is the same for any number of processes, and what all ranks
together have delivered is always a beginning of the order. A state to resume from is therefore two numbers: the epoch
and how far into the order it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import UsageError, nearest
from matting_data.seeds import derive_seed

Positions = NDArray[np.int64]

Uneven = Literal["exact", "drop", "pad"]


@dataclass(frozen=True)
class Stored:
    """The stored order, the same in every epoch."""

    count: int

    @property
    def identity(self) -> str:
        """What decides the order besides the epoch."""
        return "stored"

    def __len__(self) -> int:
        return self.count

    def epoch(self, epoch: int) -> Positions:
        """List the positions in stored order: 0, 1, ..."""
        return np.arange(self.count)


@dataclass(frozen=True)
class Shuffled:
    """Another permutation of all samples in every epoch."""

    count: int
    seed: int

    @property
    def identity(self) -> str:
        """What decides the order besides the epoch."""
        return f"shuffled, seed {self.seed}"

    def __len__(self) -> int:
        return self.count

    def epoch(self, epoch: int) -> Positions:
        """Draw a permutation of all positions."""
        return np.argsort(_raw(self.count, "shuffle", self.seed, epoch), kind="stable")


@dataclass(frozen=True)
class Streamed:
    """Shard after shard, the shards in another order in every epoch, samples mixed within a moving buffer.

    The sample that comes i-th when shards are read one after the other is delivered i + u-th, u being drawn from
    [0, buffer): no two samples whose places differ by `buffer` or more change their order. That mixes as a shuffle
    buffer of so many samples does, and bounds from how many shards at a time samples are needed, which a buffer that
    draws at random does not.

    Parameters
    ----------
    sizes : tuple of int
        Samples in each shard.
    seed : int
        Of the order of shards and of the mixing.
    buffer : int
        In samples; 1 leaves the samples of a shard in their order.
    """

    sizes: tuple[int, ...]
    seed: int
    buffer: int

    @property
    def identity(self) -> str:
        """What decides the order besides the epoch."""
        return f"streamed, seed {self.seed}, buffer {self.buffer}"

    def __len__(self) -> int:
        return sum(self.sizes)

    def epoch(self, epoch: int) -> Positions:
        """Draw the order in which samples are delivered."""
        sizes = np.asarray(self.sizes, np.int64)
        first = np.cumsum(sizes) - sizes
        shards = np.argsort(_raw(len(sizes), "shards", self.seed, epoch), kind="stable")
        parts = [np.arange(first[shard], first[shard] + sizes[shard]) for shard in shards]
        read = np.concatenate([np.empty(0, np.int64), *parts])
        share = (_raw(len(read), "buffer", self.seed, epoch) >> np.uint64(11)) * 2.0**-53  # in [0, 1), exactly
        mixed = np.argsort(np.arange(len(read)) + share * max(1, self.buffer), kind="stable")
        return np.asarray(read[mixed], np.int64)


Order = Stored | Shuffled | Streamed
"""An order of the positions of a split for every epoch; its `identity` says what decides it besides the epoch."""


def rank_share(order: Positions, start: int, rank: int, world: int, uneven: Uneven = "exact") -> Positions:
    """Select what one rank delivers of an order from `start` on.

    Parameters
    ----------
    order : ndarray
        Of all samples.
    start : int
        How many of them all ranks together have delivered.
    rank, world : int
        0 ≤ rank < world.
    uneven : {"exact", "drop", "pad"}
        Where `world` does not divide what is left: ``exact`` gives each sample once, so that some ranks get one more;
        ``drop`` leaves the last ones out; ``pad`` gives some of the order's first ones twice. Training in step (DDP)
        needs one of the latter two.

    Raises
    ------
    UsageError
        A rank that is not below `world`, or another word for `uneven`.
    """
    if not 0 <= rank < world:
        raise UsageError(f"rank {rank} of {world}: ranks count from 0 to one below the number of processes")
    if uneven not in (known := get_args(Uneven)):
        raise UsageError(f"uneven={uneven!r}: choose {', '.join(known)}{nearest(uneven, known)}")
    rest = order[start:]
    over = len(rest) % world
    if uneven == "drop":
        rest = rest[: len(rest) - over]
    elif uneven == "pad" and over:
        rest = np.concatenate([rest, np.resize(order, world - over)])
    return np.asarray(rest[rank::world], np.int64)


def worker_share(share: Positions, batch: int, worker: int, workers: int) -> Positions:
    """Select what one loading process delivers of a rank's share: every `workers`-th batch of `batch` samples.

    PyTorch's DataLoader takes one batch from each of its processes in turn.
    """
    return np.asarray(share[(np.arange(len(share)) // batch) % workers == worker], np.int64)


def _raw(count: int, *key: str | int) -> NDArray[np.uint64]:
    # raw numbers of the bit generator, whose stream NumPy promises to keep; that of its permutations it does not
    plain = (part if isinstance(part, str) else int(part) for part in key)  # NumPy's integers hash differently
    return np.asarray(np.random.Philox(key=derive_seed(*plain)).random_raw(count), np.uint64)


@dataclass
class Progress:
    """How far an epoch has come; what states are made of.

    Attributes
    ----------
    identity : str
        Of the split and its order: a state fits only where it came from.
    epoch : int
        From 0.
    start : int
        Samples of the order that all ranks together had delivered when this run began.
    """

    identity: str
    epoch: int = 0
    start: int = 0

    def state(self, delivered: int, world: int, count: int) -> dict[str, int | str]:
        """Compute the state after each of `world` ranks has delivered `delivered` samples more."""
        position = min(count, self.start + delivered * world)
        return {"identity": self.identity, "epoch": int(self.epoch), "position": int(position)}

    def load(self, state: dict[str, int | str]) -> None:
        """Continue from a state.

        Raises
        ------
        UsageError
            The state is not one of ours, or of another dataset, split, seed or order.
        """
        try:
            identity, epoch, position = str(state["identity"]), int(state["epoch"]), int(state["position"])
        except (KeyError, TypeError, ValueError):
            raise UsageError(f"{state!r:.80} is no state of a loader: pass what its state_dict returned") from None
        if identity != self.identity:
            raise UsageError(
                f"the state belongs to another order of samples ({identity}) than this loader's ({self.identity}): "
                "open the same dataset and split with the same seed and shuffling"
            )
        self.epoch, self.start = epoch, position
