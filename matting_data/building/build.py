"""The build: scan → plan → shards → ledger → index, each step continuing what an earlier run left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from matting_data.atomic import sha256_file, storage_errors
from matting_data.building import workspace
from matting_data.building.attribution import attribution_of
from matting_data.building.executor import run
from matting_data.building.ledger import LEDGERS, make_ledger, summarise
from matting_data.building.progress import bar
from matting_data.building.scan import load_detector, scan_backgrounds, scan_foregrounds
from matting_data.building.shard_job import BuildShard, Shard, ShardResult, committed
from matting_data.errors import UsageError
from matting_data.planning.plan import Plan, choose_foregrounds, make_plan, require_enough_found
from matting_data.publishing.attribution import FILE_NAME as ATTRIBUTION
from matting_data.publishing.attribution import write_attribution
from matting_data.recipe_file import LoadedRecipe
from matting_data.records import (
    PARQUET_ERRORS,
    Background,
    Foreground,
    LedgerRow,
    PlannedComposite,
    read_table,
    write_table,
)
from matting_data.shards.index import FORMAT, INDEX, content_sha256, tool_versions, write_index
from matting_data.shards.layout import shard_name
from matting_data.sources.backgrounds import find_backgrounds

PLAN = "plan.parquet"


@dataclass(frozen=True)
class BuildResult:
    """A finished dataset: its index, and how many inputs and composites failed."""

    out: Path
    index: Mapping[str, Any]
    failed: int


def build(recipe: LoadedRecipe, out: Path, workers: int) -> BuildResult:
    """Build a dataset, or continue one that was interrupted.

    Parameters
    ----------
    recipe : LoadedRecipe
        What to build.
    out : Path
        New, empty, or begun with the same recipe and inputs.
    workers : int
        Processes; the bytes do not depend on it.

    Raises
    ------
    UsageError
        The recipe, its inputs or `out` cannot be used; nothing was written to the dataset.
    StorageError
        The disk refused; the same command continues later.
    """
    with workspace.locked(out):
        workspace.refuse_other_recipe(out, recipe)
        plan = scan_and_plan(recipe, out, workers)
        _refuse_other_plan(out, plan)
        with storage_errors(out):  # while anything is replaced, the dataset must not count as whole
            (out / INDEX).unlink(missing_ok=True)
        workspace.save_recipe(out, recipe)
        tables = save_plan(out, plan)
        results = build_shards(recipe, out, plan, workers)
        index = finish(recipe, out, plan, results, tables)
    return BuildResult(out, index, sum(sum(ledger["failed"].values()) for ledger in index["ledger"].values()))


def scan_and_plan(recipe: LoadedRecipe, out: Path, workers: int) -> Plan:
    """Check all inputs (keeping results in `out`'s work folder) and decide every composite."""
    cache = workspace.work_folder(out)
    # what is cheap to find out comes before what is not
    load_detector(recipe)
    photos = len(find_backgrounds(recipe, cache))
    foregrounds = scan_foregrounds(recipe, cache, workers)
    require_enough_found(choose_foregrounds(foregrounds, recipe.recipe), photos, recipe.recipe)
    scanned = scan_backgrounds(recipe, cache, workers)
    plan = make_plan(foregrounds, scanned.records, recipe.recipe, scanned.thresholds)
    return replace(plan, notes=tuple(scanned.notes))


def save_plan(out: Path, plan: Plan) -> dict[str, str]:
    """Write the three input tables; return file name → SHA-256."""
    return {
        "foregrounds.parquet": write_table(out / "foregrounds.parquet", plan.foregrounds, Foreground),
        "backgrounds.parquet": write_table(out / "backgrounds.parquet", plan.backgrounds, Background),
        PLAN: write_table(out / PLAN, plan.composites, PlannedComposite, {"plan_sha256": plan.sha256}),
    }


def saved_plan(out: Path) -> Plan:
    """Read the plan of a dataset back from its three tables; DamageError where one is missing or damaged."""
    return Plan(
        read_table(out / "foregrounds.parquet", Foreground),
        read_table(out / "backgrounds.parquet", Background),
        read_table(out / PLAN, PlannedComposite),
    )


def plan_shards(plan: Plan) -> list[Shard]:
    """Return the shards of a plan, each with the records it needs."""
    foregrounds = {record.id: record for record in plan.foregrounds}
    backgrounds = {record.id: record for record in plan.backgrounds}
    return [
        Shard(
            split,
            number,
            tuple(composites),
            {c.foreground: foregrounds[c.foreground] for c in composites},
            {c.background: backgrounds[c.background] for c in composites},
        )
        for (split, number), composites in plan.shards().items()
    ]


def build_shards(recipe: LoadedRecipe, out: Path, plan: Plan, workers: int) -> list[ShardResult]:
    """Build the shards that are not there yet; return the results of all, in the plan's order."""
    shards = plan_shards(plan)
    results = {(s.split, s.number): r for s in shards if (r := committed(out, recipe, s)) is not None}
    missing = [shard for shard in shards if (shard.split, shard.number) not in results]
    done = sum(result.num_samples + len(result.failed) for result in results.values())
    task = BuildShard(recipe, out, workspace.work_folder(out))
    with bar(len(plan.composites), "compositing", "composites", done) as progress:
        for result in run(task, missing, min(workers, max(1, len(missing)))):
            results[result.split, result.number] = result
            progress.update(result.num_samples + len(result.failed))
    return [results[shard.split, shard.number] for shard in shards]


def finish(
    recipe: LoadedRecipe, out: Path, plan: Plan, results: Sequence[ShardResult], tables: Mapping[str, str]
) -> dict[str, Any]:
    """Write the ledger and, last, the index; return the index."""
    ledger = make_ledger(plan, results)
    files = {"recipe.yaml": sha256_file(out / "recipe.yaml"), **tables}
    for name in LEDGERS:
        relative = f"ledger/{name}.parquet"
        files[relative] = write_table(out / relative, ledger[name], LedgerRow)
    splits = _split_entries(plan, results)
    written = {row.id for row in ledger["backgrounds"] if row.outcome == "written"}
    attribution, missing = attribution_of(recipe, [b for b in plan.backgrounds if b.id in written])
    files[ATTRIBUTION] = write_attribution(out / ATTRIBUTION, attribution)
    index = {
        "format": FORMAT,
        "name": recipe.recipe.name,
        "version": recipe.recipe.version,
        "recipe_sha256": recipe.sha256,
        "content_sha256": content_sha256({split: entry["shards"] for split, entry in splits.items()}),
        "splits": splits,
        "ledger": {name: summarise(ledger[name]) for name in LEDGERS},
        "notes": [*plan.notes, *missing],
        "files": files,
        "tools": tool_versions(),
    }
    write_index(out, index)
    return index


def _split_entries(plan: Plan, results: Sequence[ShardResult]) -> dict[str, Any]:
    failed = {key for result in results for key, _, _ in result.failed}
    made = [composite for composite in plan.composites if composite.key not in failed]
    shards: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        name = shard_name(result.split, result.number)
        shards[result.split].append(
            {
                "tar": f"{name}.tar",
                "manifest": f"{name}.parquet",
                "num_samples": result.num_samples,
                "bytes": result.tar_bytes,
                "sha256": result.tar_sha256,
                "manifest_sha256": result.manifest_sha256,
            }
        )
    return {
        split: {
            "num_samples": sum(entry["num_samples"] for entry in entries),
            "num_foregrounds": len({c.foreground for c in made if c.split == split}),
            "num_backgrounds": len({c.background for c in made if c.split == split}),
            "shards": entries,
        }
        for split, entries in shards.items()
    }


def _refuse_other_plan(out: Path, plan: Plan) -> None:
    """Refuse to continue when the inputs are no longer those that finished shards were made of."""
    try:
        before = pl.read_parquet_metadata(out / PLAN).get("plan_sha256")
    except PARQUET_ERRORS:
        return
    if before == plan.sha256 or not any(out.glob("*/*.parquet")):
        return
    old = saved_plan(out)
    changes = _input_changes("foregrounds", old.foregrounds, plan.foregrounds)
    changes += _input_changes("backgrounds", old.backgrounds, plan.backgrounds)
    raise UsageError(
        f"the inputs of {out} have changed since it was begun ({', '.join(changes) or 'other pairs'}): "
        "restore them, or choose another --out"
    )


def _input_changes(
    kind: str, before: Sequence[Foreground] | Sequence[Background], after: Sequence[Foreground] | Sequence[Background]
) -> list[str]:
    old, new = ({record.id: record for record in records if record.state == "ok"} for records in (before, after))
    counts = {
        "new": len(new.keys() - old.keys()),
        "gone": len(old.keys() - new.keys()),
        "altered": sum(old[identity].decides != new[identity].decides for identity in old.keys() & new.keys()),
    }
    return [f"{count} {kind} {word}" for word, count in counts.items() if count]
