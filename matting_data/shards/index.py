"""``dataset.json``: what a dataset holds, with every file's hash; written last, so its presence means whole."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from matting_data.errors import DamageError, MattingDataError, UsageError
from matting_data.records.format_1 import FORMAT_1
from matting_data.shards.names import BACKGROUNDS, MARK, RECIPE, SPLITS
from matting_data.storage import Location, MissingFileError, Storage, open_storage

FORMAT = "mattingdata/2"
INDEX = "dataset.json"

INCOMPLETE = "incomplete"
"""In the index of a dataset that was finished without inputs that the system refused to read: how many, by ledger."""

_SELF = "index_sha256"

_SHARD = re.compile(r"[a-z]+/\d{6,}\.(tar|parquet)")

_SHA256 = re.compile(r"[0-9a-f]{64}")


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


def write_index(out: Location, index: Mapping[str, Any]) -> None:
    """Write ``dataset.json``, with a hash of its own content."""
    body = {key: value for key, value in index.items() if key != _SELF}
    open_storage(out).write(INDEX, _encoded({**body, _SELF: _self_hash(body)}))


def read_index(out: Location) -> dict[str, Any]:
    """Read and check ``dataset.json``.

    Raises
    ------
    DamageError
        Missing (an unfinished build), altered, or of a newer format.
    UsageError
        There is no dataset at all.
    StorageError
        It cannot be read.
    """
    out = open_storage(out)
    try:
        data = out.read(INDEX)
    except MissingFileError:
        raise no_index(out) from None
    path = out.label(INDEX)
    try:
        index = json.loads(data)
        self_hash, body = index[_SELF], {key: value for key, value in index.items() if key != _SELF}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise DamageError(f"{path} is damaged: run 'mattingdata build' again to write it anew") from None
    if index.get("format") not in (FORMAT_1, FORMAT):
        raise DamageError(
            f"{path} has format {index.get('format')!r}, this version reads {FORMAT_1!r} and {FORMAT!r}: "
            "upgrade mattingdata"
        )
    if self_hash != _self_hash(body) or data != _encoded(index):
        raise DamageError(f"{path} was altered: run 'mattingdata build' again to write it anew")
    index.setdefault("store", "composites")  # written before there were layers
    if not _well_formed(index):
        raise DamageError(
            f"{path} was not written by mattingdata: it lacks what builds write, or names files that none does"
        )
    return dict(index)


def no_index(out: Storage) -> MattingDataError:
    """Say why there is no index: a build was begun and is unfinished, or there is no dataset at all."""
    if out.exists(RECIPE) or out.exists(MARK):
        return DamageError(f"the dataset in {out} is unfinished: run 'mattingdata build' again to complete it")
    return UsageError(f"{out} holds no dataset: name the folder that 'mattingdata build' wrote")


def _well_formed(index: Mapping[str, Any]) -> bool:
    """Tell whether an index lists files below its folder only, where a build puts them."""
    try:
        splits, files = index["splits"], index["files"]
        folders = {**splits, BACKGROUNDS: index.get(BACKGROUNDS, {"shards": []})}
        shards = [(folder, shard) for folder, entry in folders.items() for shard in entry["shards"]]
        places = [(folder, shard[kind]) for folder, shard in shards for kind in ("tar", "manifest")]
        hashes = [shard[kind] for _, shard in shards for kind in ("sha256", "manifest_sha256")]
        hashes += [*files.values(), index["content_sha256"], index["recipe_sha256"]]
        counts = [index["ledger"], index["tools"], *(entry["num_samples"] for entry in splits.values())]
        return (
            set(splits) <= set(SPLITS)
            and all(_SHARD.fullmatch(place) and place.startswith(f"{folder}/") for folder, place in places)
            and not any(name.startswith("/") or "\\" in name or ".." in name.split("/") for name in files)
            and all(_SHA256.fullmatch(text) for text in hashes)
            and all(isinstance(value, int | dict) for value in counts)
            and isinstance(index["store"], str)
        )
    except (KeyError, TypeError, AttributeError):
        return False


def _self_hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _encoded(index: Mapping[str, Any]) -> bytes:
    return (json.dumps(index, indent=1, ensure_ascii=True) + "\n").encode()
