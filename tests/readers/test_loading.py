from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import matting_data  # noqa: E402
from matting_data.errors import DamageError, UsageError  # noqa: E402
from matting_data.readers import (  # noqa: E402
    Composite,
    Loader,
    MapDataset,
    ResumableSampler,
    Split,
    StreamDataset,
    ToTensors,
)
from matting_data.readers.transforms import Visit, paper_augmentation  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

KINDS = ("map", "stream")


def make(
    kind: str, split: Split, batch: int = 2, workers: int = 0, rank: int = 0, world: int = 1, **more: Any
) -> Loader:
    transform = more.pop("transform", keys_only)
    options = {name: more.pop(name) for name in ("uneven",) if name in more}
    if kind == "map":
        data = MapDataset(split, transform, seed=7)
        return Loader(data, batch, num_workers=workers, rank=rank, world=world, **options, **more)
    stream = StreamDataset(
        split, transform, batch_size=batch, seed=7, buffer=9, rank=rank, world=world, read_ahead=2, **options
    )
    return Loader(stream, num_workers=workers, **more)


def keys_only(composite: Composite, visit: Visit) -> Composite:
    """As little as collates: the key, and a number that tells visits apart."""
    number = visit.generator("number").integers(256, dtype=np.uint8)
    plane = np.full((1, 1), number)
    return Composite(composite.key, np.dstack([plane] * 3), plane)


def keys(batches: Any) -> list[str]:
    return [key for batch in batches for key in batch["key"]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_each_sample_exactly_once_over_workers_and_ranks(train: Split, kind: str, workers: int) -> None:
    for world in (1, 2, 3):
        delivered = [keys(make(kind, train, workers=workers, rank=rank, world=world)) for rank in range(world)]
        assert sorted(key for part in delivered for key in part) == sorted(train.keys)
        assert delivered == [keys(make(kind, train, rank=rank, world=world)) for rank in range(world)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("persistent", [False, True])
def test_epochs_differ_and_repeat(train: Split, kind: str, persistent: bool) -> None:
    loader = make(kind, train, workers=2, persistent_workers=persistent)
    first, second = keys(loader), keys(loader)
    assert first != second and sorted(first) == sorted(second) and loader.epoch == 2
    loader.set_epoch(0)
    assert keys(loader) == first
    other = make(kind, train)
    other.set_epoch(1)
    assert keys(other) == second


@pytest.mark.parametrize("kind", KINDS)
def test_resuming_anywhere_gives_the_same_remaining_sequence(train: Split, kind: str) -> None:
    whole = [
        (key, int(a)) for batch in make(kind, train, 1) for key, a in zip(batch["key"], _numbers(batch), strict=True)
    ]
    draw = random.Random(5)
    for workers, later in ((0, 2), (2, 0), (2, 3), (3, 1)):
        batch, stop = draw.choice([1, 2, 3]), draw.randrange(0, 7)
        loader = make(kind, train, batch, workers)
        batches = iter(loader)
        before = [next(batches) for _ in range(stop)]
        state = loader.state_dict()
        resumed = make(kind, train, batch, later)
        resumed.load_state_dict(state)
        after = list(resumed)
        assert keys(before) + keys(after) == [key for key, _ in whole]
        assert [int(n) for part in before + after for n in _numbers(part)] == [number for _, number in whole]
        assert resumed.epoch == 1


def _numbers(batch: dict[str, Any]) -> Any:
    return (batch["alpha"][:, 0, 0, 0] * 255).round()


@pytest.mark.parametrize("kind", KINDS)
def test_resuming_with_other_ranks_and_batches(train: Split, kind: str) -> None:
    loaders = [make(kind, train, 2, rank=rank, world=2) for rank in range(2)]
    running = [iter(loader) for loader in loaders]
    before = [keys([next(batches) for _ in range(3)]) for batches in running]
    states = [loader.state_dict() for loader in loaders]
    assert states[0] == states[1] and states[0]["position"] == 12
    after = []
    for rank in range(3):
        loader = make(kind, train, 4, rank=rank, world=3)
        loader.load_state_dict(states[0])
        after.append(keys(loader))
    assert sorted(key for part in before + after for key in part) == sorted(train.keys)


@pytest.mark.parametrize("kind", KINDS)
def test_uneven_ranks(train: Split, kind: str) -> None:
    """21 samples on 2 ranks."""
    counts = {}
    for uneven in ("exact", "drop", "pad"):
        parts = [keys(make(kind, train, rank=rank, world=2, uneven=uneven)) for rank in range(2)]
        counts[uneven] = [len(part) for part in parts]
        assert len({key for part in parts for key in part}) == (20 if uneven == "drop" else 21)
    assert counts == {"exact": [11, 10], "drop": [10, 10], "pad": [11, 11]}
    assert len(make(kind, train, 2)) == 11 and len(make(kind, train, 2, drop_last=True)) == 10
    assert len(keys(make(kind, train, 2, 2, drop_last=True))) == 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_break_goes_on_where_it_was(train: Split, kind: str) -> None:
    loader = make(kind, train)
    first = []
    for batch in loader:
        first += batch["key"]
        if len(first) == 8:
            break
    assert first + keys(loader) == keys(make(kind, train))


def test_the_ranks_of_torch_distributed_are_found(train: Split, tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        assert keys(Loader(MapDataset(train, keys_only, seed=7), 2)) == keys(make("map", train))
        assert StreamDataset(train).world == 1
    finally:
        torch.distributed.destroy_process_group()


def test_what_is_delivered(train: Split) -> None:
    sample = train[3]
    plain = MapDataset(train)[3]
    assert plain["key"] == sample.key
    assert plain["image"].dtype == torch.float32 and plain["image"].shape == (3, *sample.alpha.shape)
    assert torch.equal(plain["image"], torch.from_numpy(sample.image).permute(2, 0, 1).float() / 255)
    assert torch.equal(plain["alpha"][0], torch.from_numpy(sample.alpha).float() / 255)
    assert sample.trimap is not None and set(plain["trimap"].unique().tolist()) == {0.0, 0.5, 1.0}
    assert torch.equal(plain["trimap"][0] == 0.5, torch.from_numpy(sample.trimap == 128))
    small = MapDataset(train, tensors=ToTensors("uint8", "onehot"))[3]
    assert small["image"].dtype == small["trimap"].dtype == torch.uint8
    assert torch.equal(small["image"], torch.from_numpy(sample.image).permute(2, 0, 1))
    assert [int(plane.sum()) for plane in small["trimap"]] == [int((sample.trimap == v).sum()) for v in (0, 128, 255)]
    batch = next(iter(Loader(MapDataset(train, paper_augmentation(32)), 5)))
    assert {name: tuple(value.shape) for name, value in batch.items() if name != "key"} == {
        "image": (5, 3, 32, 32), "alpha": (5, 1, 32, 32), "trimap": (5, 1, 32, 32)
    }  # fmt: skip


def test_the_same_visit_gives_the_same_bytes_whoever_makes_it(train: Split) -> None:
    transform = paper_augmentation(32, photographic=True)
    made: dict[str, Any] = {}
    for kind, workers in (("map", 0), ("map", 2), ("stream", 0), ("stream", 3)):
        loader = make(kind, train, 3, workers, transform=transform)
        loader.set_epoch(4)
        found = {key: batch["image"][i] for batch in loader for i, key in enumerate(batch["key"])}
        made.setdefault("first", found)
        assert all(torch.equal(found[key], image) for key, image in made["first"].items())
    loader = make("map", train, 3, transform=transform)
    found = {key: batch["image"][i] for batch in loader for i, key in enumerate(batch["key"])}
    assert not any(torch.equal(found[key], image) for key, image in made["first"].items())


def test_a_plain_dataloader_with_the_sampler(train: Split) -> None:
    sampler = ResumableSampler(train, seed=7)
    data = MapDataset(train, keys_only, seed=7)
    loader = torch.utils.data.DataLoader(data, 2, sampler=sampler, num_workers=2)
    whole = keys(loader)
    assert whole == keys(make("map", train))
    state = sampler.state_dict(delivered=6)
    again = ResumableSampler(train, seed=7)
    again.load_state_dict(state)
    assert len(again) == 15
    assert keys(torch.utils.data.DataLoader(data, 2, sampler=again)) == whole[6:]
    in_order = torch.utils.data.DataLoader(data, 2, sampler=ResumableSampler(train, shuffle=False))
    assert keys(in_order) == train.keys


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [0, 2])
def test_torchdata_resumes_in_mid_epoch(train: Split, kind: str, workers: int) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader

    def loader() -> Any:
        if kind == "map":
            sampler = ResumableSampler(train, seed=7)
            return stateful(MapDataset(train, keys_only, seed=7), 2, sampler=sampler, num_workers=workers)
        return stateful(StreamDataset(train, keys_only, batch_size=2, seed=7, buffer=9), 2, num_workers=workers)

    whole = keys(loader())
    assert whole == keys(make(kind, train))
    for stop in (1, 4, 9):
        first = loader()
        batches = iter(first)
        before = keys([next(batches) for _ in range(stop)])
        state = first.state_dict()
        second = loader()
        second.load_state_dict(state)
        assert before + keys(second) == whole


def test_a_state_of_something_else_is_refused(train: Split, shards: Path) -> None:
    state = make("map", train).state_dict()
    with pytest.raises(UsageError, match="another order of samples"):
        make("stream", train).load_state_dict(state)
    with pytest.raises(UsageError, match="another order of samples"):
        make("map", matting_data.open(shards)["test"]).load_state_dict(state)
    with pytest.raises(UsageError, match="another order of samples"):
        Loader(MapDataset(train, seed=8)).load_state_dict(state)
    make("map", matting_data.open(shards)["train"]).load_state_dict(state)


REFUSED: list[tuple[Callable[[Split], object], str]] = [
    (lambda split: Loader(StreamDataset(split), 4), "loader's batch size 4 is not the stream's 1"),
    (lambda split: Loader(StreamDataset(split), shuffle=True), "brings its own order: give shuffle to it"),
    (lambda split: Loader(MapDataset(split), sampler=[1]), "has its own order: leave sampler out"),
    (lambda split: StreamDataset(split, buffer=0), "each must be at least 1"),
    (lambda split: StreamDataset(split, rank=3, world=2), "rank 3 of 2"),
    (lambda split: ResumableSampler(split, uneven="padded"), "uneven='padded': choose"),
    (lambda split: MapDataset("out/sample"), r"is no split: pass matting_data.open\(DIR\)\['train'\]"),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSED)
def test_options_that_contradict(train: Split, wrong: Callable[[Split], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wrong(train)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shard_lost_while_training(copy: Path, workers: int) -> None:
    split = matting_data.open(copy)["train"]
    (copy / "train" / "000001.tar").unlink()
    for kind in KINDS:
        with pytest.raises(DamageError, match=r"^\S*/train/000001\.tar is missing: run 'mattingdata build' again.*\Z"):
            keys(make(kind, split, workers=workers))


def test_unknown_words_are_refused_with_those_that_are_known(train: Split) -> None:
    with pytest.raises(UsageError, match="trimap 'one-hot' is unknown: choose 'levels' or 'onehot'"):
        ToTensors(trimap="one-hot")
    with pytest.raises(UsageError, match="part 'alphas' is none: choose among image, alpha, trimap, layers"):
        train.read(0, ["alphas"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_iteration_goes_on_and_the_first_is_refused(train: Split, kind: str, workers: int) -> None:
    whole = keys(make(kind, train))
    loader = make(kind, train, workers=workers, persistent_workers=workers > 0)
    first, second = iter(loader), iter(loader)
    delivered = [*next(first)["key"], *next(second)["key"]]
    with pytest.raises(UsageError, match=r"ended when another began.*make a Loader for each"):
        next(first)
    assert delivered + keys(second) == whole
    moved = iter(loader)
    next(moved)
    loader.set_epoch(0)
    with pytest.raises(UsageError, match="position was set"):
        next(moved)
    assert keys(loader) == whole


@pytest.mark.parametrize("size", [0, -1, True, 2.0])
def test_a_batch_holds_at_least_one_sample(train: Split, size: Any) -> None:
    for data in (MapDataset(train), StreamDataset(train)):
        with pytest.raises(UsageError, match=f"batch_size {size!r} is not a number of samples: give 1 or more"):
            Loader(data, batch_size=size)
