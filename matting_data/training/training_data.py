"""What a run reads: samples to train on, people held out, crops and batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from matting_data.errors import DamageError, UsageError
from matting_data.networks.safenet.unknown_area import draw_windows, unknown_area, unknown_of_trimap
from matting_data.readers import Composite, Dataset, Loader, MapDataset, Split, StreamDataset, ToTensors
from matting_data.readers.manifest_columns import Rows
from matting_data.readers.transforms import DimTrimap, Flip, PersonCrop, Pipeline, paper_augmentation
from matting_data.readers.transforms.pipeline import Step
from matting_data.records.checked import CheckedForeground
from matting_data.records.stored import Sample
from matting_data.records.table_files import columns_of
from matting_data.records.tables import read_stored
from matting_data.seeds import derive_seed, generator, spread
from matting_data.training.config import TrainConfig

_FIXED_HEIGHT = 0.9


@dataclass(frozen=True)
class RunData:
    """The samples of a run.

    Attributes
    ----------
    train : Split
        What is trained on.
    watched : Split
        What is looked at during training: people held out, or where nobody is, samples of `train`.
    held_out : tuple of str
        Ids of the foregrounds held out, sorted.
    small : int
        Samples of `train` with a side below the crop, which are enlarged.
    """

    train: Split
    watched: Split
    held_out: tuple[str, ...]
    small: int


def split_run(dataset: Dataset, config: TrainConfig) -> RunData:
    """Divide a dataset's training split for a run.

    Foregrounds are held out whole, with everybody else's of the same person where the dataset says who is who; which
    ones is a hash of the seed and their names.

    Raises
    ------
    UsageError
        There are too few people or samples, or stored trimaps are asked for and there are none.
    """
    split, table = dataset[config.data.split], dataset.table(config.data.split)
    composites = dataset.index.get("store", "composites") == "composites"
    if config.data.unknown == "stored" and composites and (table["trimap"] == "").any():
        raise UsageError(
            f"{dataset.storage.name} has samples without a trimap, and data.unknown is 'stored': "
            "set data.unknown to 'drawn' or 'area'"
        )
    people = _people(dataset, sorted(set(table["foreground"].to_list())))
    held = _held_out(people, config)
    held_out = pl.col("foreground").is_in(sorted(held))
    train = _limited(table.filter(~held_out), config.data.limit, config.seed)
    if len(train) < config.batch:
        raise UsageError(
            f"{len(train)} samples are left to train on, fewer than one batch of {config.batch}: "
            "lower batch, validation.share, or raise data.limit"
        )
    watched = _limited(table.filter(held_out) if held else train, config.validation.samples, config.seed)
    small = train.filter(pl.min_horizontal("width", "height") < config.data.crop)
    shown, looked_at = _part(split, train, "training part"), _part(split, watched, "watched part")
    return RunData(shown, looked_at, tuple(sorted(held)), len(small))


class Batches:
    """Batches of one process, with a position to continue from; each serves one step.

    Parameters
    ----------
    split : Split
    config : TrainConfig
    rank, world : int
        Of the distributed run.
    pin : bool
        Deliver in memory from which a GPU copies fast.
    """

    def __init__(self, split: Split, config: TrainConfig, rank: int, world: int, pin: bool = False) -> None:
        if config.batch % (world * config.accumulate):
            raise UsageError(
                f"{world} processes of {config.accumulate} parts cannot share a batch of {config.batch}: make batch "
                f"a multiple of {world * config.accumulate}"
            )
        own, workers = config.batch // world, config.data.workers
        transform, tensors = training_transform(config), ToTensors("uint8")
        options: dict[str, Any] = {
            "num_workers": workers, "persistent_workers": workers > 0, "pin_memory": pin, "drop_last": True
        }  # fmt: skip
        if config.data.stream:
            stream = StreamDataset(
                split, transform, batch_size=own, seed=config.seed, buffer=config.data.buffer, rank=rank, world=world,
                uneven="drop", tensors=tensors,
            )  # fmt: skip
            self.loader = Loader(stream, **options)
        else:
            data = MapDataset(split, transform, seed=config.seed, tensors=tensors)
            self.loader = Loader(data, own, rank=rank, world=world, uneven="drop", **options)
        self.steps_per_epoch = len(split) // config.batch


def training_transform(config: TrainConfig) -> Pipeline:
    """Build the pipeline that a sample goes through before it is trained on."""
    data = config.data
    trimap: Step | None = _NoTrimap() if data.unknown == "area" else DimTrimap() if data.unknown == "drawn" else None
    if data.augmentation == "fixed":
        return Pipeline([_fixed_crop(data.crop), *([trimap] if trimap else [])])
    if trimap is None:
        return Pipeline([PersonCrop(data.crop), Flip()])
    return paper_augmentation(data.crop, trimap, photographic=data.augmentation == "photographic")


def watched_crops(split: Split, crop: int) -> MapDataset:
    """Build a dataset of the same square crop of every sample every time, without a trimap; image and alpha uint8."""
    return MapDataset(split, Pipeline([_fixed_crop(crop), _NoTrimap()]), tensors=ToTensors("uint8"))


def unknown_of(batch: dict[str, Any], config: TrainConfig, step: int) -> Tensor:
    """Mark where γ counts in a batch, B×1×H×W bool; the windows of ``area`` are drawn once a step."""
    if config.data.unknown != "area":
        return unknown_of_trimap(batch["trimap"])
    rng = generator("unknown area", config.seed, step)
    return unknown_area(batch["alpha"].float() / 255, *draw_windows(config.data.crop, rng))


def _people(dataset: Dataset, foregrounds: Sequence[str]) -> dict[str, str]:
    """Map foreground → person; each is a person of its own where the dataset came without its tables."""
    people = {foreground: foreground for foreground in foregrounds}
    try:
        records = read_stored(dataset.storage, "foregrounds.parquet", CheckedForeground)
    except DamageError:
        return people
    return people | {r.id: f"person {r.person}" for r in records if r.person and r.id in people}


def _held_out(people: dict[str, str], config: TrainConfig) -> set[str]:
    if not config.validation.share:
        return set()
    names = sorted(set(people.values()), key=lambda name: derive_seed("validation", config.seed, name))
    if len(names) < 2:
        raise UsageError("one person cannot be both trained on and held out: set validation.share to 0")
    count = min(len(names) - 1, max(1, round(config.validation.share * len(names))))
    chosen = set(names[:count])
    return {foreground for foreground, person in people.items() if person in chosen}


def _limited(table: pl.DataFrame, limit: int, seed: int) -> pl.DataFrame:
    """Take at most `limit` rows, one of every foreground before a second of any, in their stored order."""
    if not limit or len(table) <= limit:
        return table
    return table[sorted(spread(table["key"].to_list(), table["foreground"].to_list(), limit, "limit", seed))]


def _part(split: Split, table: pl.DataFrame, name: str) -> Split:
    shards = table["shard"].to_numpy()
    sizes = [int(size) for size in np.unique_counts(shards).counts] if len(table) else []
    digest = derive_seed("part", *table["key"].to_list())
    rows = Rows(columns_of(table, Sample))
    return Split(split.name, f"{split.identity} {name} {digest:016x}", rows, sizes, split.store)


def _fixed_crop(size: int) -> PersonCrop:
    return PersonCrop(size, height=(_FIXED_HEIGHT, _FIXED_HEIGHT), across=0.0, up=0.0)


@dataclass(frozen=True)
class _NoTrimap:
    draws = ("trimap",)

    def __call__(self, composite: Composite, rng: np.random.Generator) -> Composite:
        return replace(composite, trimap=None)
