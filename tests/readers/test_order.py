from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import UsageError
from matting_data.readers.order import Order, Progress, Shuffled, Stored, Streamed, rank_share, worker_share
from matting_data.readers.transforms import Visit

sizes = st.lists(st.integers(1, 40), min_size=1, max_size=8)
seeds = st.integers(0, 2**40)
epochs = st.integers(0, 1000)


@settings(deadline=None)
@given(sizes, seeds, epochs, st.integers(1, 100))
def test_every_order_holds_every_sample_once(sizes: list[int], seed: int, epoch: int, buffer: int) -> None:
    count = sum(sizes)
    for order in (Stored(count), Shuffled(count, seed), Streamed(tuple(sizes), seed, buffer)):
        assert len(order) == count
        assert sorted(order.epoch(epoch).tolist()) == list(range(count))
        assert np.array_equal(order.epoch(epoch), order.epoch(epoch))


@settings(deadline=None)
@given(sizes, seeds, epochs, st.integers(1, 100))
def test_a_stream_mixes_within_its_buffer_only(sizes: list[int], seed: int, epoch: int, buffer: int) -> None:
    shard_after_shard = Streamed(tuple(sizes), seed, 1).epoch(epoch)
    place = np.argsort(shard_after_shard)
    delivered = place[Streamed(tuple(sizes), seed, buffer).epoch(epoch)]
    # when a sample comes, all that stood `buffer` places or more before it have come
    for at, position in enumerate(delivered):
        assert set(range(max(0, position - buffer + 1))) <= set(delivered[: at + 1].tolist())
    bounds = np.cumsum([0, *sizes])
    runs = [np.flatnonzero((shard_after_shard >= a) & (shard_after_shard < b)) for a, b in zip(bounds, bounds[1:])]  # noqa: B905, RUF007
    assert all(np.array_equal(shard_after_shard[run], np.arange(a, b)) for run, a, b in zip(runs, bounds, bounds[1:]))  # noqa: B905


def test_epochs_and_seeds_differ() -> None:
    orders: list[Order] = [Shuffled(50, 1), Shuffled(50, 2), Streamed((25, 25), 1, 20), Streamed((25, 25), 2, 20)]
    seen = {tuple(order.epoch(epoch).tolist()) for order in orders for epoch in range(5)}
    assert len(seen) == 20


def test_integers_of_numpy_are_integers() -> None:
    assert np.array_equal(Shuffled(20, np.int64(3)).epoch(np.int32(2)), Shuffled(20, 3).epoch(2))
    drawn = [Visit(seed, epoch, "k").generator("s").random() for seed, epoch in ((1, 2), (np.int64(1), np.int64(2)))]
    assert drawn[0] == drawn[1]


def test_orders_stay_what_they_are() -> None:
    """States of older runs continue with the same samples."""
    assert Shuffled(8, 3).epoch(2).tolist() == [7, 0, 6, 3, 2, 1, 5, 4]
    assert Streamed((4, 4), 3, 4).epoch(2).tolist() == [6, 4, 5, 0, 1, 7, 2, 3]


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 5), st.integers(0, 60), st.sampled_from(["exact", "drop", "pad"]))
def test_ranks_share_without_repeats_or_losses(count: int, world: int, start: int, uneven: str) -> None:
    order = Shuffled(count, 1).epoch(0)
    shares = [rank_share(order, start, rank, world, uneven) for rank in range(world)]
    lengths = {len(share) for share in shares}
    together = [position for share in shares for position in share.tolist()]
    rest = order[start:].tolist()
    if uneven == "exact":
        assert sorted(together) == sorted(rest) and max(lengths) - min(lengths) <= 1
    elif uneven == "drop":
        assert len(lengths) == 1 and len(set(together)) == len(together)
        assert set(together) <= set(rest) and len(rest) - len(together) < world
    else:
        assert len(lengths) == 1 and set(together) >= set(rest) and len(together) - len(rest) < world
        assert set(together) <= set(order.tolist())
    # what all ranks have delivered together, in step, is always a beginning of what was left
    if uneven == "exact" and rest:
        steps = min(lengths)
        assert [int(share[step]) for step in range(steps) for share in shares] == rest[: steps * world]


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 7), st.integers(1, 5))
def test_workers_taking_turns_by_batch_deliver_the_share_in_order(count: int, batch: int, workers: int) -> None:
    share = Shuffled(count, 1).epoch(0)
    parts = [worker_share(share, batch, worker, workers).tolist() for worker in range(workers)]
    delivered: list[int] = []
    while any(parts):
        for part in parts:
            delivered += part[:batch]
            del part[:batch]
    assert delivered == share.tolist()


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 4), st.integers(0, 60))
def test_a_state_continues_with_other_ranks(count: int, world: int, later: int, delivered: int) -> None:
    order = Shuffled(count, 1).epoch(0)
    delivered = min(delivered, count // world)
    state = Progress("x").state(delivered, world, count)
    first = [p for rank in range(world) for p in rank_share(order, 0, rank, world)[:delivered].tolist()]
    progress = Progress("x")
    progress.load(state)
    rest = [p for rank in range(later) for p in rank_share(order, progress.start, rank, later).tolist()]
    assert sorted(first + rest) == list(range(count))


def test_what_is_refused() -> None:
    order = np.arange(4)
    with pytest.raises(UsageError, match="rank 2 of 2: ranks count from 0"):
        rank_share(order, 0, 2, 2)
    with pytest.raises(UsageError, match="uneven='padd': choose exact, drop, pad; did you mean 'pad'"):
        rank_share(order, 0, 0, 1, "padd")
    with pytest.raises(UsageError, match="is no state of a loader"):
        Progress("x").load({"epoch": 1})
    with pytest.raises(UsageError, match=r"another order of samples \(y\) than this loader's \(x\)"):
        Progress("x").load({"identity": "y", "epoch": 0, "position": 0})
