"""``dataset.json``: what a dataset holds, with every file's hash; written last, so its presence means whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast, get_args

from matting_data.errors import DamageError, MattingDataError, UsageError, shown
from matting_data.json_text import parse_json
from matting_data.records.format_1 import FORMAT_1
from matting_data.shards.index_model import Index, Store, index_problem
from matting_data.shards.names import MARK, RECIPE
from matting_data.storage import Location, MissingFileError, Storage, open_storage

FORMAT = "mattingdata/2"
INDEX = "dataset.json"

INCOMPLETE = "incomplete"
"""In the index of a dataset that was finished without inputs that the system refused to read: how many, by ledger."""

_SELF = "index_sha256"

MOST_BYTES = 64 << 20
"""Of ``dataset.json``: it holds about 330 a shard, so 190,000 shards."""


def write_index(out: Location, index: Mapping[str, Any]) -> None:
    """Write ``dataset.json``, with a hash of its own content."""
    body = {key: value for key, value in index.items() if key != _SELF}
    open_storage(out).write(INDEX, _encoded({**body, _SELF: _self_hash(body)}))


def read_index(out: Location) -> Index:
    """Read and check ``dataset.json``: what comes back is as :mod:`matting_data.shards.index_model` says.

    Raises
    ------
    DamageError
        Missing (an unfinished build), altered, of a newer format, or not what a build writes.
    UsageError
        There is no dataset at all.
    StorageError
        It cannot be read.
    """
    out = open_storage(out)
    try:
        data = out.read_whole(INDEX, MOST_BYTES)
    except MissingFileError:
        raise no_index(out) from None
    path, again = out.label(INDEX), "run 'mattingdata build' again to write it anew"
    index = parse_json(data, path, again)
    if not isinstance(index, dict) or _SELF not in index:
        raise DamageError(f"{path} is damaged: {again}")
    if index.get("format") not in (FORMAT_1, FORMAT):
        raise DamageError(
            f"{path} has format {shown(index.get('format'))}, this version reads {FORMAT_1!r} and {FORMAT!r}: "
            "upgrade mattingdata"
        )
    if index[_SELF] != _self_hash({key: value for key, value in index.items() if key != _SELF}) or (
        data != _encoded(index)
    ):
        raise DamageError(f"{path} was altered: {again}")
    store = index.setdefault("store", "composites")  # written before there were layers
    if isinstance(store, str) and store not in get_args(Store):
        raise DamageError(
            f"{out} stores samples as {shown(store)}, which this version cannot read: upgrade mattingdata"
        )
    if problem := index_problem(index):
        raise DamageError(f"{path} was not written by mattingdata ({problem}): do not trust this dataset")
    return cast(Index, index)


def no_index(out: Storage) -> MattingDataError:
    """Say why there is no index: a build was begun and is unfinished, or there is no dataset at all."""
    if out.exists(RECIPE) or out.exists(MARK):
        return DamageError(f"the dataset in {out} is unfinished: run 'mattingdata build' again to complete it")
    return UsageError(f"{out} holds no dataset: name the folder that 'mattingdata build' wrote")


def _self_hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _encoded(index: Mapping[str, Any]) -> bytes:
    return (json.dumps(index, indent=1, ensure_ascii=True) + "\n").encode()
