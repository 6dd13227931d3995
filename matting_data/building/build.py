"""The build: scan → plan → shards → ledger → index, each step continuing what an earlier run left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matting_data.building import workspace
from matting_data.building.attribution import attribution_of
from matting_data.building.executor import Workers
from matting_data.building.failures import FailureCount, FailurePolicy, failed_checks
from matting_data.building.finish import finish, used_backgrounds
from matting_data.building.ledger import NO_COMPOSITE
from matting_data.building.make_shards import build_shards, remove_other_shards
from matting_data.building.scan import load_detector, scan_backgrounds, scan_foregrounds
from matting_data.building.shard_job import SourceInputs
from matting_data.errors import DamageError, UsageError
from matting_data.overrides import load_overrides
from matting_data.planning.plan import Plan, choose_foregrounds, make_plan, require_enough_found
from matting_data.publishing.attribution import to_csv
from matting_data.recipe_file import LoadedRecipe, to_yaml
from matting_data.records import Background, Foreground, PlannedComposite
from matting_data.sealed import sealed_parquet, unsealed
from matting_data.shards.index import INDEX
from matting_data.shards.layout import BACKGROUNDS as STORED
from matting_data.shards.layout import RECIPE, SPLITS, shard_name
from matting_data.shards.verify import check_hash
from matting_data.sources.backgrounds import find_backgrounds
from matting_data.sources.colours import ColourCache
from matting_data.storage import Location, MissingFileError, Storage, open_storage
from matting_data.tables import parquet_bytes, read_stored, to_table

PLAN, FOREGROUNDS, BACKGROUNDS = TABLES = "plan.parquet", "foregrounds.parquet", "backgrounds.parquet"

_WITHOUT_OVERRIDES = "plan_sha256_without_overrides"
"""In the metadata of the plan: what must not change between two builds into one folder."""


@dataclass(frozen=True)
class BuildResult:
    """A finished dataset: its index, and how many inputs and composites failed."""

    out: Storage
    index: Mapping[str, Any]
    failed: int

    @classmethod
    def of(cls, out: Storage, index: Mapping[str, Any]) -> BuildResult:
        """Describe a finished dataset; an input that failed only because its composites did counts with them."""
        ledgers = [ledger["failed"] for ledger in index["ledger"].values()]
        return cls(out, index, sum(n for failed in ledgers for reason, n in failed.items() if reason != NO_COMPOSITE))


def build(
    recipe: LoadedRecipe,
    out: Location,
    workers: Workers,
    failures: FailurePolicy = FailurePolicy(),  # noqa: B008 - frozen
) -> BuildResult:
    """Build a dataset, or continue one that was interrupted.

    Parameters
    ----------
    recipe : LoadedRecipe
        What to build.
    out : Path, str or Storage
        A folder or a URL: new, empty, or begun with the same recipe and inputs.
    workers : int or Executor
        Processes, or where else to run; the bytes do not depend on it.
    failures : FailurePolicy
        What to do about composites that cannot be made.

    Raises
    ------
    UsageError
        The recipe, its inputs or `out` cannot be used; nothing was written to the dataset.
    StorageError
        The disk refused; the same command continues later.
    TooManyFailures
        More failed than `failures` lets pass; the same command continues later.
    """
    out = open_storage(out)
    with workspace.locked(out) as held:
        workspace.refuse_other_recipe(out, recipe)
        plan = scan_and_plan(recipe, out, workers)
        _refuse_other_plan(out, plan)
        FailureCount(failures).add(failed_checks([*plan.foregrounds, *plan.backgrounds]))
        out.remove(INDEX)  # while anything is replaced, the dataset must not count as whole
        workspace.save_recipe(out, recipe)
        tables = save_plan(out, plan, recipe)
        remove_other_shards(out, SPLITS, {shard_name(split, number) for split, number in plan.shards()})
        inputs = SourceInputs(recipe, ColourCache(workspace.colour_store(out)))
        built = build_shards(recipe, out, plan, inputs, workers, failures)
        held()
        attribution, missing = attribution_of(recipe, used_backgrounds(plan, built))
        index = finish(recipe, out, plan, built, tables, to_csv(attribution), [*plan.notes, *missing])
    return BuildResult.of(out, index)


def scan_and_plan(recipe: LoadedRecipe, out: Storage, workers: Workers) -> Plan:
    """Check all inputs (keeping results in the work folder of `out`) and decide every composite."""
    cache = workspace.work_folder(out)
    # what is cheap to find out comes before what is not
    load_detector(recipe)
    photos = len(find_backgrounds(recipe, cache))
    foregrounds = scan_foregrounds(recipe, cache, workers, workspace.colour_store(out))
    require_enough_found(choose_foregrounds(foregrounds, recipe.recipe), photos, recipe.recipe)
    overrides = load_overrides(recipe)
    scanned = scan_backgrounds(recipe, cache, workers, overrides)
    plan = make_plan(foregrounds, scanned.records, recipe.recipe, scanned.thresholds, overrides)
    return replace(plan, notes=(*scanned.notes, *plan.notes))


def save_plan(out: Storage, plan: Plan, recipe: LoadedRecipe) -> dict[str, str]:
    """Write the three input tables, the plan last; return file name → SHA-256."""
    return {name: out.write(name, content) for name, content in plan_files(plan, recipe).items()}


def plan_files(plan: Plan, recipe: LoadedRecipe) -> dict[str, bytes]:
    """Return the three input tables by file name.

    The metadata of the plan seals the others: it holds their hashes, the recipe and the notes, so that each can be
    told damaged, and the recipe and the notes restored, without ``dataset.json``.
    """
    files = {
        FOREGROUNDS: parquet_bytes(to_table(plan.foregrounds, Foreground)),
        BACKGROUNDS: parquet_bytes(to_table(plan.backgrounds, Background)),
    }
    seal = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    seal |= {
        "plan_sha256": plan.sha256,
        _WITHOUT_OVERRIDES: plan.without_overrides or plan.sha256,
        RECIPE: to_yaml(recipe.recipe),
        "notes": json.dumps(plan.notes),
    }
    return {**files, PLAN: sealed_parquet(to_table(plan.composites, PlannedComposite), seal)}


def saved_plan(out: Location) -> Plan:
    """Read the plan of a dataset back from its three tables; DamageError where one is missing or damaged."""
    out = open_storage(out)
    seal = read_seal(out)
    for name in TABLES:
        if not seal or (name != PLAN and check_hash(out, name, seal.get(name, ""))):
            raise DamageError(f"{out.label(name)} is damaged or missing: run 'mattingdata repair {out}'")
    return Plan(
        read_stored(out, FOREGROUNDS, Foreground),
        read_stored(out, BACKGROUNDS, Background),
        read_stored(out, PLAN, PlannedComposite),
        notes=tuple(json.loads(seal["notes"])),
        without_overrides=seal.get(_WITHOUT_OVERRIDES, ""),
    )


def read_seal(out: Storage) -> dict[str, str]:
    """Return the metadata of a dataset's plan, or nothing where any byte of the plan is not as it was written."""
    try:
        return unsealed(out.read(PLAN)) or {}
    except MissingFileError:
        return {}


def _refuse_other_plan(out: Storage, plan: Plan) -> None:
    """Refuse to continue when the inputs are no longer those that finished shards were made of.

    Overrides may have changed: what they do not touch is as it was.
    """
    before = read_seal(out).get(_WITHOUT_OVERRIDES)
    if before is None or before == (plan.without_overrides or plan.sha256):
        return
    if not any(name.endswith(".parquet") for folder in (*SPLITS, STORED) for name in out.files(folder)):
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
