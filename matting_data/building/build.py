"""The build: scan → plan → shards → ledger → index, each step continuing what an earlier run left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from matting_data.atomic import storage_errors
from matting_data.building import workspace
from matting_data.building.attribution import attribution_of
from matting_data.building.finish import finish, used_backgrounds
from matting_data.building.make_shards import build_shards, remove_other_shards
from matting_data.building.scan import load_detector, scan_backgrounds, scan_foregrounds
from matting_data.building.shard_job import SourceInputs
from matting_data.errors import UsageError
from matting_data.overrides import load_overrides
from matting_data.planning.plan import Plan, choose_foregrounds, make_plan, require_enough_found
from matting_data.publishing.attribution import to_csv
from matting_data.recipe_file import LoadedRecipe
from matting_data.records import PARQUET_ERRORS, Background, Foreground, PlannedComposite, read_table, write_table
from matting_data.shards.index import INDEX
from matting_data.shards.layout import SPLITS, shard_name
from matting_data.sources.backgrounds import find_backgrounds
from matting_data.sources.colours import ColourCache

PLAN = "plan.parquet"

_WITHOUT_OVERRIDES = "plan_sha256_without_overrides"
"""In the metadata of the plan: what must not change between two builds into one folder."""


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
        remove_other_shards(out, SPLITS, {shard_name(split, number) for split, number in plan.shards()})
        inputs = SourceInputs(recipe, ColourCache(workspace.work_folder(out) / "colours"))
        built = build_shards(recipe, out, plan, inputs, workers)
        attribution, missing = attribution_of(recipe, used_backgrounds(plan, built))
        index = finish(recipe, out, plan, built, tables, to_csv(attribution), [*plan.notes, *missing])
    return BuildResult(out, index, sum(sum(ledger["failed"].values()) for ledger in index["ledger"].values()))


def scan_and_plan(recipe: LoadedRecipe, out: Path, workers: int) -> Plan:
    """Check all inputs (keeping results in `out`'s work folder) and decide every composite."""
    cache = workspace.work_folder(out)
    # what is cheap to find out comes before what is not
    load_detector(recipe)
    photos = len(find_backgrounds(recipe, cache))
    foregrounds = scan_foregrounds(recipe, cache, workers)
    require_enough_found(choose_foregrounds(foregrounds, recipe.recipe), photos, recipe.recipe)
    overrides = load_overrides(recipe)
    scanned = scan_backgrounds(recipe, cache, workers, overrides)
    plan = make_plan(foregrounds, scanned.records, recipe.recipe, scanned.thresholds, overrides)
    return replace(plan, notes=(*scanned.notes, *plan.notes))


def save_plan(out: Path, plan: Plan) -> dict[str, str]:
    """Write the three input tables; return file name → SHA-256."""
    hashes = {"plan_sha256": plan.sha256, _WITHOUT_OVERRIDES: plan.without_overrides or plan.sha256}
    return {
        "foregrounds.parquet": write_table(out / "foregrounds.parquet", plan.foregrounds, Foreground),
        "backgrounds.parquet": write_table(out / "backgrounds.parquet", plan.backgrounds, Background),
        PLAN: write_table(out / PLAN, plan.composites, PlannedComposite, hashes),
    }


def saved_plan(out: Path) -> Plan:
    """Read the plan of a dataset back from its three tables; DamageError where one is missing or damaged."""
    return Plan(
        read_table(out / "foregrounds.parquet", Foreground),
        read_table(out / "backgrounds.parquet", Background),
        read_table(out / PLAN, PlannedComposite),
        without_overrides=pl.read_parquet_metadata(out / PLAN).get(_WITHOUT_OVERRIDES, ""),
    )


def _refuse_other_plan(out: Path, plan: Plan) -> None:
    """Refuse to continue when the inputs are no longer those that finished shards were made of.

    Overrides may have changed: what they do not touch is as it was.
    """
    try:
        metadata = pl.read_parquet_metadata(out / PLAN)
    except PARQUET_ERRORS:
        return
    before = metadata.get(_WITHOUT_OVERRIDES, metadata.get("plan_sha256"))
    if before == (plan.without_overrides or plan.sha256) or not any(out.glob("*/*.parquet")):
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
