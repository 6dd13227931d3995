"""Changing finished datasets as whoever hands one on can: their structure, with every hash made right again."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from hypothesis import strategies as st

from matting_data.records.self_hashed import checked_metadata, hashed_parquet
from matting_data.records.tables import parquet_bytes
from matting_data.shards.index import write_index
from matting_data.shards.index_model import content_sha256
from matting_data.storage.atomic import sha256_file

Draw = Callable[[st.SearchStrategy[Any]], Any]

NESTED: Any = []
for _ in range(40):
    NESTED = [NESTED]

JUNK: list[Any] = [
    None, True, False, 0, 1, -1, 7, 2**31, 2**63, 10**18, 10**300, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", "x", "0", "train", "test", "layers", "composites", "../../x", "/etc/passwd", "a\x1b[31mb", "\u202ex", "a\nb",
    "\x00", "=1+1", "x" * 5000, "0" * 64, "f" * 64, "2025-02-30", [], {}, [[]], [1, "x"], {"x": 1}, {"": {}}, NESTED,
]  # fmt: skip

TABLES = ("plan.parquet", "foregrounds.parquet", "backgrounds.parquet", "ledger/foregrounds.parquet",
          "ledger/backgrounds.parquet", "ledger/composites.parquet")  # fmt: skip


def mutated(document: Any, draw: Draw) -> str:
    """Change a parsed document in one place, in place; say how."""
    places = [
        (node, key) for node in _nodes(document) for key in (node if isinstance(node, dict) else range(len(node)))
    ]
    node, key = draw(st.sampled_from(places))
    how = draw(st.sampled_from(["junk", "junk", "drop", "double", "number", "rename", "swap"]))
    value = deepcopy(node[key])  # so that nothing stands in two places, nor in itself
    if how == "drop":
        del node[key]
    elif how == "double" and isinstance(node, list):
        node.append(value)
    elif how == "double":
        node[f"{key}2"] = value
    elif how == "number" and isinstance(value, int):
        node[key] = value + draw(st.sampled_from([-1, 1, 1000, 10**9, -(10**9)]))
    elif how == "rename" and isinstance(node, dict):
        node[draw(st.sampled_from(["x", "", "../x", "a\x1bb", "train", "test", "backgrounds", "/x"]))] = node.pop(key)
    elif how == "swap":
        other, place = draw(st.sampled_from(places))
        with suppress(KeyError, IndexError):
            node[key], other[place] = deepcopy(other[place]), value
    else:
        node[key] = deepcopy(draw(st.sampled_from(JUNK)))
    return f"{how} at {key!r}"


def _nodes(document: Any) -> list[Any]:
    found, waiting = [], [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict | list):
            found.append(node)
            waiting += node.values() if isinstance(node, dict) else node
    return found


def mutate_index(out: Path, draw: Draw) -> str:
    """Change ``dataset.json`` in up to three places."""
    index = json.loads((out / "dataset.json").read_text())
    said = [mutated(index, draw) for _ in range(draw(st.integers(1, 3)))]
    with suppress(KeyError, TypeError, AttributeError, UnicodeEncodeError):  # no hash follows from what is no shard
        shards = {split: entry["shards"] for split, entry in index["splits"].items()}
        if "backgrounds" in index:
            shards["backgrounds"] = index["backgrounds"]["shards"]
        index["content_sha256"] = content_sha256(shards)
    write_index(out, index)
    return f"dataset.json: {said}"


def mutate_table(out: Path, draw: Draw) -> str:
    """Change a table or a manifest: a column's type, values, or name, or its rows."""
    names = [*TABLES, *(path.relative_to(out).as_posix() for path in sorted(out.glob("[tb]*/*.parquet")))]
    name = draw(st.sampled_from(names))
    table, metadata = pl.read_parquet(out / name), checked_metadata((out / name).read_bytes())
    column = draw(st.sampled_from(table.columns))
    how = draw(st.sampled_from(["value", "value", "one", "type", "drop", "more", "rows", "none", "swap", "metadata"]))
    with suppress(pl.exceptions.PolarsError, OverflowError, TypeError, ValueError):
        if how in ("value", "one"):
            junk = draw(st.sampled_from([*JUNK[:33], -5, 10**15, 90, 65_000]))
            value = pl.lit(junk).cast(table.schema[column])
            first = pl.int_range(pl.len()) == 0 if how == "one" else pl.lit(True)
            table = table.with_columns(pl.when(first).then(value).otherwise(pl.col(column)).alias(column))
        elif how == "type":
            kind = draw(st.sampled_from([pl.String, pl.Int32, pl.Float64, pl.Boolean, pl.List(pl.Int64)]))
            table = table.with_columns(pl.col(column).cast(kind))
        elif how == "drop":
            table = table.drop(column)
        elif how == "more":
            table = table.with_columns(pl.lit("x").alias("x"))
        elif how == "rows":
            table = pl.concat([table] * draw(st.sampled_from([0, 2, 3]))) if draw(st.booleans()) else table.head(0)
        elif how == "none":
            table = table.with_columns(pl.lit(None, table.schema[column]).alias(column))
        elif how == "swap":
            table = table.with_columns(pl.col(column).reverse())
        elif metadata:
            key = draw(st.sampled_from(sorted(metadata)))
            metadata[key] = draw(st.sampled_from(["", "x", "[" * 50_000, "[1]", '[["a"]]', "-1", "9" * 400, "{}"]))
    (out / name).write_bytes(parquet_bytes(table) if metadata is None else hashed_parquet(table, metadata))
    rehash(out, name)
    return f"{name}: {how} {column}"


def mutate_recipe(out: Path, draw: Draw) -> str:
    """Change the recipe of a dataset."""
    document = yaml.safe_load((out / "recipe.yaml").read_text())
    said = mutated(document, draw)
    (out / "recipe.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
    rehash(out, "recipe.yaml")
    return f"recipe.yaml: {said}"


def mutate_json(out: Path, draw: Draw) -> str:
    """Change a JSON file beside the index."""
    name = draw(st.sampled_from(["croissant.json", "audit.json", ".work/base.json", "_info.json"]))
    path = out / name
    document = json.loads(path.read_text()) if path.exists() else [dict.fromkeys(("stratum", "kept", "labelled"), 1)]
    said = mutated(document, draw)
    text = draw(st.sampled_from([json.dumps(document), json.dumps(document), "[" * 100_000, "", "\ud800", "1" * 9000]))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode(errors="surrogatepass"))
    rehash(out, name)
    return f"{name}: {said}"


def rehash(out: Path, name: str) -> None:
    """Bring every hash that speaks of a file in line with it."""
    sha256 = sha256_file(out / name)
    if name in ("foregrounds.parquet", "backgrounds.parquet"):
        plan = out / "plan.parquet"
        metadata = checked_metadata(plan.read_bytes()) or {}
        plan.write_bytes(hashed_parquet(pl.read_parquet(plan), {**metadata, name: sha256}))
    index = json.loads((out / "dataset.json").read_text())
    index["files"]["plan.parquet"] = sha256_file(out / "plan.parquet")
    if name in index["files"]:
        index["files"][name] = sha256
    groups = [*index["splits"].values(), *([index["backgrounds"]] if "backgrounds" in index else [])]
    for shard in (shard for group in groups for shard in group["shards"]):
        if shard["manifest"] == name:
            shard["manifest_sha256"] = sha256
    write_index(out, index)
