"""Finishing a dataset: the ledger, who took what, and, last, the index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from matting_data.building.ledger import LEDGERS, ledger_files, make_ledger, summarise
from matting_data.planning.plan import Plan
from matting_data.publishing.attribution import FILE_NAME as ATTRIBUTION
from matting_data.publishing.publication import publication_files
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.codes import REFUSED
from matting_data.records.judged import JudgedBackground
from matting_data.records.ledger_row import LedgerRow
from matting_data.rendering.make_shards import BuiltShards
from matting_data.shards.commit import Commit
from matting_data.shards.index import FORMAT, INCOMPLETE, write_index
from matting_data.shards.index_model import content_sha256
from matting_data.shards.names import BACKGROUNDS, RECIPE, manifest_name, tar_name
from matting_data.storage import Storage
from matting_data.version import tool_versions
from matting_data.workspace.plan_tables import APPENDED


def finish(
    recipe: LoadedRecipe,
    out: Storage,
    plan: Plan,
    built: BuiltShards,
    tables: Mapping[str, str],
    attribution: bytes,
    notes: Sequence[str],
) -> dict[str, Any]:
    """Write ledger, attribution and, last, the index; return the index.

    Parameters
    ----------
    tables : mapping
        File name → SHA-256 of the tables that are there already.
    attribution : bytes
        ATTRIBUTION.csv of :func:`used_backgrounds`.
    notes : sequence of str
        What a user should know of the evidence behind the verdicts.
    """
    ledger = make_ledger(plan, built)
    files = {RECIPE: out.sha256(RECIPE), **tables}
    for name, content in {**ledger_files(ledger), ATTRIBUTION: attribution}.items():
        files[name] = out.write(name, content)
    index = describe(recipe, plan, built, ledger, notes)
    published = publication_files(out, {**index, "files": files})
    index["files"] = files | {name: out.write(name, data) for name, data in published.items()}
    write_index(out, index)
    return index


def describe(
    recipe: LoadedRecipe,
    plan: Plan,
    built: BuiltShards,
    ledger: Mapping[str, Sequence[LedgerRow]],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Build the index of a dataset, but for its ``files``."""
    splits = _split_entries(plan, built)
    shards = {split: entry["shards"] for split, entry in splits.items()}
    index: dict[str, Any] = {
        "format": FORMAT,
        "name": recipe.recipe.name,
        "version": recipe.recipe.version,
        "store": recipe.recipe.store.kind,
        "recipe_sha256": recipe.sha256,
        "splits": splits,
    }
    if built.backgrounds is not None:
        entries = [_entry(done, "num_backgrounds") for done in built.backgrounds]
        index[BACKGROUNDS] = {"num_backgrounds": len(built.stored), "shards": entries}
        shards[BACKGROUNDS] = entries
    if plan.appended:
        index[APPENDED] = True
    counts = {name: summarise(ledger[name]) for name in LEDGERS}
    refused = {name: counts[name]["failed"].get(REFUSED, 0) for name in LEDGERS}
    if any(refused.values()):
        index[INCOMPLETE] = refused
    return index | {
        "content_sha256": content_sha256(shards),
        "ledger": counts,
        "notes": list(notes),
        "tools": tool_versions(),
    }


def used_backgrounds(plan: Plan, built: BuiltShards) -> list[JudgedBackground]:
    """List the backgrounds that the dataset holds, in composites or in layers."""
    failed = {key for key, _, _ in built.failed}
    used = {composite.background for composite in plan.composites if composite.key not in failed} | built.stored
    return [record for record in plan.backgrounds if record.id in used]


def _split_entries(plan: Plan, built: BuiltShards) -> dict[str, Any]:
    failed = {key for key, _, _ in built.failed}
    made = [composite for composite in plan.composites if composite.key not in failed]
    shards: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for done in built.samples:
        shards[done.shard.partition("/")[0]].append(_entry(done, "num_samples"))
    return {
        split: {
            "num_samples": sum(entry["num_samples"] for entry in entries),
            "num_foregrounds": len({c.foreground for c in made if c.split == split}),
            "num_backgrounds": len({c.background for c in made if c.split == split}),
            "shards": entries,
        }
        for split, entries in shards.items()
    }


def _entry(done: Commit[Any], counted: str) -> dict[str, Any]:
    return {
        "tar": tar_name(done.shard),
        "manifest": manifest_name(done.shard),
        counted: done.num_rows,
        "bytes": done.tar_bytes,
        "sha256": done.tar_sha256,
        "manifest_sha256": done.manifest_sha256,
    }
