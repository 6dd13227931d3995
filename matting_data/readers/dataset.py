"""A built dataset, opened: its index, its splits and their manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from matting_data.errors import DamageError, MissingExtraError, UsageError, nearest
from matting_data.forks import polars_is_lost, require_polars
from matting_data.readers.epochs import EpochPairs
from matting_data.readers.layered import LayerStore, open_layers, require_stored
from matting_data.readers.manifest_columns import Rows, altered, read_manifest
from matting_data.readers.split import Split
from matting_data.readers.store import CompositeStore, SampleStore
from matting_data.readers.tar_cache import ShardCache
from matting_data.records.stored import Sample
from matting_data.records.table_files import Columns, TableFile, columns_of, joined, read_columns
from matting_data.shards.index import read_index
from matting_data.shards.index_model import Index, SampleShard
from matting_data.shards.reader import all_entries, background_entries, shard_entries
from matting_data.storage import ByteSource, Location, Storage, open_storage

if TYPE_CHECKING:
    import pandas

_CONNECTIONS = 8


class Dataset:
    """A built dataset; made by :func:`open`.

    Attributes
    ----------
    index : Index
        ``dataset.json``, as a dict.
    storage : Storage
        Where it lies.
    store : SampleStore
        What its samples are read from.
    """

    def __init__(self, index: Index, storage: Storage, source: ByteSource) -> None:
        self.index, self.storage = index, storage
        self._layers = open_layers(index, storage)
        self.store: SampleStore = (
            LayerStore(storage, source, *self._layers) if self._layers else CompositeStore(storage, source)
        )
        self._tables: dict[str, pl.DataFrame] = {}
        self._splits: dict[str, Split] = {}

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.index["name"]

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(self.index["splits"])

    def __len__(self) -> int:
        return sum(split["num_samples"] for split in self.index["splits"].values())

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {split['num_samples']}" for name, split in self.index["splits"].items())
        return f"Dataset({self.storage.name!r}, {sizes})"

    def __getitem__(self, split: str) -> Split:
        """Open a split; its manifests are read once.

        Raises
        ------
        UsageError
            No such split.
        DamageError
            A manifest is missing or damaged; in a local folder also: a shard is missing or has another length.
        """
        entries = self._entries(split)
        if split not in self._splits:
            if self.storage.local:  # elsewhere it would take a request for each
                for entry in [*entries, *background_entries(self.index)]:
                    self._check_size(entry)
            rows = Rows(self._columns(split))
            identity = f"{self.index['content_sha256']} {split}"
            sizes = [entry["num_samples"] for entry in entries]
            pairs = None
            if self._layers:
                backgrounds, recipe = self._layers
                require_stored(rows, backgrounds, f"{self.storage.name}, split {split}")
                if recipe.store.epoch_backgrounds:
                    pairs = EpochPairs(recipe, split, rows, backgrounds)
            self._splits[split] = Split(split, identity, rows, sizes, self.store, pairs)
        return self._splits[split]

    def table(self, split: str) -> pl.DataFrame:
        """Read the manifest of a split as a polars DataFrame, one row per sample in stored order; errors as for ``[]``.

        Raises
        ------
        UsageError
            This process was forked from one that had used polars, so that whatever is done with the table would wait
            for ever; a split (``[]``) and :meth:`manifest` can be used there.
        """
        entries = self._entries(split)
        require_polars()
        if split not in self._tables:
            self._tables[split] = joined(self._manifests(entries), Sample)
        return self._tables[split]

    def manifest(self, split: str) -> pandas.DataFrame:
        """Read the manifest of a split as a pandas DataFrame, indexed by key; errors as for ``[]``.

        Raises
        ------
        MissingExtraError
            pandas is not installed; :meth:`table` needs nothing more.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        columns = self[split].rows.columns
        frame = pandas.DataFrame({name: column.tolist() for name, column in columns.items()}, columns=list(columns))
        return frame.set_index("key")

    def check(self) -> None:
        """Compare the hash of every shard and manifest with ``dataset.json``, reading all of them.

        Raises
        ------
        DamageError
            Naming the first that differs.
        """
        for split in self.splits:
            read_columns(self._manifests(self._entries(split)), Sample)
        for entry in all_entries(self.index):
            self._check_size(entry)
            if self.storage.sha256(entry["tar"]) != entry["sha256"]:
                raise altered(self.storage, entry["tar"])

    def _columns(self, split: str) -> Columns:
        if polars_is_lost():
            return read_columns(self._manifests(self._entries(split)), Sample)
        return columns_of(self.table(split), Sample)

    def _manifests(self, entries: Sequence[Mapping[str, Any]]) -> list[TableFile]:
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            return list(pool.map(lambda entry: read_manifest(self.storage, entry), entries))

    def _check_size(self, entry: Mapping[str, Any]) -> None:
        size = self.storage.info(entry["tar"]).size
        if size != entry["bytes"]:
            raise DamageError(
                f"{self.storage.label(entry['tar'])} has {size:,} bytes instead of {entry['bytes']:,}: "
                f"{self.storage.repair}"
            )

    def _entries(self, split: str) -> list[SampleShard]:
        if split not in self.index["splits"]:
            known = " and ".join(self.splits)
            raise UsageError(
                f"{self.storage.name} has no split {split!r}{nearest(split, self.splits) or f': it has {known}'}"
            )
        return [entry for _, entry in shard_entries(self.index, (split,))]


def open(
    location: Location,
    *,
    storage_options: Mapping[str, Any] | None = None,
    cache: str | Path | None = None,
    cache_limit: int = 20_000_000_000,
    tries: int = 4,
    wait: float = 0.5,
) -> Dataset:
    """Open a built dataset.

    Reads ``dataset.json`` only; manifests follow when a split is first used, samples when they are asked for, each by
    one read of the bytes it needs.

    Parameters
    ----------
    location : str or Path
        A folder that ``mattingdata build`` wrote, or a URL where it was copied to (any protocol of fsspec).
    storage_options : mapping, optional
        For fsspec: credentials, endpoints.
    cache : path, optional
        Folder on the local disk for whole shards of a distant dataset: each is downloaded once, checked against its
        hash, and read from there. All processes of a machine may share one.
    cache_limit : int
        Bytes that the cache may take; the shards used longest ago make room.
    tries : int
        How often a read that fails for a reason that may pass is tried, with growing pauses.
    wait : float
        Seconds before the second try.

    Returns
    -------
    Dataset

    Raises
    ------
    UsageError
        There is no dataset, or the URL is of an unknown kind.
    DamageError
        The dataset is unfinished, altered, or of a newer format.
    StorageError
        It could not be read.
    MissingExtraError
        The URL needs a package that is not installed.
    """
    storage = open_storage(location, storage_options, tries, wait)
    index = read_index(storage)
    source: ByteSource = storage
    if cache is not None:
        shards = {entry["tar"]: (entry["bytes"], entry["sha256"]) for entry in all_entries(index)}
        source = ShardCache(storage, Path(cache), cache_limit, shards)
    return Dataset(index, storage, source)
