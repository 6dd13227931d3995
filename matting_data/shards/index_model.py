"""What ``dataset.json`` may hold: one model of the file, against which it is checked once, when it is read.

Whoever hands a dataset on can write any index and compute its hashes. What passes here is of the right types, within
limits, names files only where builds put them, and does not contradict itself; code behind :func:`index_problem` takes
it as it is. Keys that this version does not know are left alone, and nothing reads them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from matting_data.errors import shown
from matting_data.records.codes import REFUSED
from matting_data.shards.names import BACKGROUNDS, MANIFEST_SUFFIX, RECIPE, TAR_SUFFIX

MOST_SAMPLES = 100_000
"""Samples of one shard; recipes allow no more."""

_BLOCK = 1024
"""Bytes that a member takes in a tar at least: its header, and one block of content."""

_MEMBERS = 4
"""Of a composite: image, alpha, trimap and JSON."""

_TABLES = ("foregrounds.parquet", "backgrounds.parquet", "plan.parquet")

_LEDGERS = tuple(f"ledger/{name}.parquet" for name in ("foregrounds", "backgrounds", "composites"))

_NEEDED = (RECIPE, *_TABLES, *_LEDGERS, "ATTRIBUTION.csv")
"""Files beside the shards that readers open."""

Store = Literal["composites", "layers"]

_Count = Annotated[int, Field(ge=0, le=10**10)]
_Bytes = Annotated[int, Field(ge=_BLOCK, le=10**14)]
_Sha256 = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
_Text = Annotated[str, Field(max_length=10_000)]
_Word = Annotated[str, Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.+ -]{0,99}\z")]
_Reason = Annotated[str, Field(pattern=r"\A[a-z][a-z0-9_]{0,63}\z")]
_Tar = Annotated[str, Field(pattern=r"\A[a-z]{1,20}/[0-9]{6,9}\.tar\z")]
_Manifest = Annotated[str, Field(pattern=r"\A[a-z]{1,20}/[0-9]{6,9}\.parquet\z")]
_File = Annotated[str, Field(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){0,3}\z")]


class ShardEntry(TypedDict):
    """A tar and the manifest beside it."""

    tar: _Tar
    manifest: _Manifest
    bytes: _Bytes
    sha256: _Sha256
    manifest_sha256: _Sha256


class SampleShard(ShardEntry):
    """A shard of samples."""

    num_samples: Annotated[int, Field(ge=0, le=MOST_SAMPLES)]


class BackgroundShard(ShardEntry):
    """A tar of the backgrounds of a store of layers."""

    num_backgrounds: Annotated[int, Field(ge=0, le=MOST_SAMPLES)]


class SplitEntry(TypedDict):
    """A split: its shards, in order, and what they show."""

    num_samples: _Count
    num_foregrounds: _Count
    num_backgrounds: _Count
    shards: Annotated[list[SampleShard], Field(min_length=1)]


class StoredBackgrounds(TypedDict):
    """The backgrounds of a store of layers."""

    num_backgrounds: _Count
    shards: Annotated[list[BackgroundShard], Field(min_length=1)]


def _adds_up(summary: Summary) -> Summary:
    ends = summary["written"] + sum(summary["rejected"].values()) + sum(summary["failed"].values())
    if ends != summary["total"]:
        raise ValueError(f"its total is {summary['total']}, and its parts are {ends}")
    return summary


class Summary(TypedDict):
    """Where the inputs of a ledger ended, as numbers."""

    total: _Count
    written: _Count
    rejected: Mapping[_Reason, _Count]
    failed: Mapping[_Reason, _Count]


_Summary = Annotated[Summary, AfterValidator(_adds_up)]


class Ledger(TypedDict):
    """The three ledgers."""

    foregrounds: _Summary
    backgrounds: _Summary
    composites: _Summary


class Refused(TypedDict):
    """How many inputs of each ledger the system refused to read."""

    foregrounds: _Count
    backgrounds: _Count
    composites: _Count


class Index(TypedDict):
    """``dataset.json``."""

    format: str
    name: Annotated[str, Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,39}\z")]
    version: Annotated[str, Field(pattern=r"\A[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}\z")]
    store: Store
    recipe_sha256: _Sha256
    content_sha256: _Sha256
    splits: Annotated[dict[Literal["train", "test"], SplitEntry], Field(min_length=1)]
    backgrounds: NotRequired[StoredBackgrounds]
    appended: NotRequired[Literal[True]]
    incomplete: NotRequired[Refused]
    ledger: Ledger
    notes: Annotated[list[_Text], Field(max_length=100_000)]
    tools: Annotated[dict[_Word, _Word], Field(max_length=100)]
    files: Annotated[dict[_File, _Sha256], Field(max_length=1000)]
    index_sha256: _Sha256


def content_sha256(shards: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Hash the ordered shard hashes of all splits; equal exactly when two datasets are the same.

    Parameters
    ----------
    shards : mapping
        Split → shard entries with ``tar`` and ``sha256``.
    """
    digest = hashlib.sha256()
    for split in sorted(shards):
        for entry in shards[split]:
            digest.update(f"{entry['tar']} {entry['sha256']}\n".encode())
    return digest.hexdigest()


def index_problem(document: object) -> str:
    """Say in a clause what is wrong with a parsed ``dataset.json``: the key and what it holds; empty if nothing is."""
    try:
        _MODEL.validate_python(document, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where, what = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":
            return f"the key {where} is missing"
        if first["type"] == "value_error":
            return f"{where}: {what}" if where else what
        return f"{where} is {shown(first['input'])}: {what[0].lower()}{what[1:]}"
    return ""


def _consistent(index: Index) -> Index:
    """Refuse an index whose parts contradict each other, with ValueError."""
    shards: dict[str, list[Any]] = {split: list(entry["shards"]) for split, entry in index["splits"].items()}
    layers = index["store"] == "layers"
    for split, entry in index["splits"].items():
        _require_sum(f"splits.{split}.num_samples", entry["num_samples"], entry["shards"])
        for counted in ("num_foregrounds", "num_backgrounds"):
            if entry[counted] > entry["num_samples"]:
                raise ValueError(f"splits.{split}.{counted} is {entry[counted]}, of {entry['num_samples']} samples")
    if layers != (BACKGROUNDS in index):
        raise ValueError(f"its store is {index['store']}, {'without' if layers else 'with'} stored backgrounds")
    if layers:
        shards[BACKGROUNDS] = list(index["backgrounds"]["shards"])
        _require_sum("backgrounds.num_backgrounds", index["backgrounds"]["num_backgrounds"], shards[BACKGROUNDS])
    for folder, entries in shards.items():
        _require_places(folder, entries, 1 if layers else _MEMBERS)
    samples = sum(entry["num_samples"] for entry in index["splits"].values())
    if index["ledger"]["composites"]["written"] != samples:
        written = index["ledger"]["composites"]["written"]
        raise ValueError(f"ledger.composites.written is {written}, and the splits have {samples} samples")
    _require_refused(index)
    missing = [name for name in _NEEDED if name not in index["files"]]
    if missing or "mattingdata" not in index["tools"]:
        raise ValueError(f"files does not list {missing[0]}" if missing else "tools does not name mattingdata")
    if content_sha256(shards) != index["content_sha256"]:
        raise ValueError("content_sha256 does not follow from the shards' hashes")
    return index


def _require_refused(index: Index) -> None:
    ledger: Mapping[str, Any] = index["ledger"]
    refused = {name: summary["failed"].get(REFUSED, 0) for name, summary in ledger.items()}
    if index.get("incomplete", dict.fromkeys(ledger, 0)) != refused:
        raise ValueError(f"incomplete does not say what the ledger does, that the system refused {refused}")


def _require_sum(where: str, said: int, shards: Sequence[Mapping[str, Any]]) -> None:
    counted = sum(shard[where.rpartition(".")[2]] for shard in shards)
    if counted != said:
        raise ValueError(f"{where} is {said}, and its shards have {counted}")


def _require_places(folder: str, shards: Sequence[Mapping[str, Any]], members: int) -> None:
    """Refuse shards that lie elsewhere than in their folder, twice, or that are too short for what they hold."""
    known = set[str]()
    for shard in shards:
        name = shard["tar"].removesuffix(TAR_SUFFIX)
        if not name.startswith(f"{folder}/") or shard["manifest"] != name + MANIFEST_SUFFIX:
            raise ValueError(f"{shard['tar']} with {shard['manifest']} is no shard of {folder}")
        if name in known:
            raise ValueError(f"{shard['tar']} is listed twice")
        known.add(name)
        count = shard.get("num_samples", shard.get("num_backgrounds", 0))
        # in layers, any number of samples share the foregrounds that the tar holds
        least = 0 if members == 1 and "num_samples" in shard else count * members * _BLOCK
        if shard["bytes"] < least:
            raise ValueError(f"{shard['tar']} has {shard['bytes']} bytes, too few for {count} entries")


_MODEL: TypeAdapter[Index] = TypeAdapter(Annotated[Index, AfterValidator(_consistent)])
