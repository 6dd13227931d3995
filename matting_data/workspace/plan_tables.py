"""The tables of a plan on disk: foregrounds, backgrounds and composites, whose hashes the last one's metadata holds."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress

from matting_data.errors import DamageError, UsageError
from matting_data.json_text import parse_json
from matting_data.planning.plan import Plan
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import to_yaml
from matting_data.records.checked import CheckedForeground
from matting_data.records.format_1 import FORMAT_1
from matting_data.records.judged import JudgedBackground
from matting_data.records.planned import PlannedComposite
from matting_data.records.self_hashed import checked_metadata, hashed_parquet
from matting_data.records.tables import parquet_bytes, read_stored, to_table
from matting_data.shards.hashes import check_hash
from matting_data.shards.index import FORMAT, read_index
from matting_data.shards.names import RECIPE
from matting_data.storage import Location, MissingFileError, Storage, open_storage

PLAN, FOREGROUNDS, BACKGROUNDS = TABLES = "plan.parquet", "foregrounds.parquet", "backgrounds.parquet"

WITHOUT_DECISIONS = "plan_sha256_without_overrides"
"""In the metadata of the plan: what must not change between two builds into one folder."""

_FOREGROUND = ("image", "image_sha256", "width", "height", "x0", "y0", "x1", "y1", "coverage", "soft")
_BACKGROUND = ("sha256", "format", "mode", "orientation", "width", "height")
"""What is known of every input that a composite can be made of."""

APPENDED = "appended"
"""In the metadata of a plan that grew out of an earlier one, and in the index."""


def save_plan(out: Storage, plan: Plan, recipe: Recipe) -> dict[str, str]:
    """Write the three input tables, the plan last; return file name → SHA-256."""
    return {name: out.write(name, content) for name, content in plan_files(plan, recipe).items()}


def plan_files(plan: Plan, recipe: Recipe) -> dict[str, bytes]:
    """Encode the three input tables as Parquet files, by file name.

    The metadata of the plan holds the hashes of the others, the recipe and the notes, so that each can be
    told damaged, and the recipe and the notes restored, without ``dataset.json``.
    """
    files = {
        FOREGROUNDS: parquet_bytes(to_table(plan.foregrounds, CheckedForeground)),
        BACKGROUNDS: parquet_bytes(to_table(plan.backgrounds, JudgedBackground)),
    }
    metadata = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    metadata |= {
        "format": FORMAT,
        "plan_sha256": plan.sha256,
        WITHOUT_DECISIONS: plan.without_decisions or plan.sha256,
        RECIPE: to_yaml(recipe),
        "notes": json.dumps(plan.notes),
    }
    if plan.appended:
        metadata[APPENDED] = "yes"
    return {**files, PLAN: hashed_parquet(to_table(plan.composites, PlannedComposite), metadata)}


def saved_plan(out: Location) -> Plan:
    """Read the plan of a dataset back from its three tables; DamageError where one is missing or damaged."""
    out = open_storage(out)
    metadata = read_plan_metadata(out)
    for name in TABLES:
        if not metadata or (name != PLAN and check_hash(out, name, metadata.get(name, ""))):
            raise DamageError(f"{out.label(name)} is damaged or missing: run 'mattingdata repair {out}'")
    plan = Plan(
        read_stored(out, FOREGROUNDS, CheckedForeground),
        read_stored(out, BACKGROUNDS, JudgedBackground),
        read_stored(out, PLAN, PlannedComposite),
        notes=_notes(metadata["notes"], out.label(PLAN)),
        without_decisions=metadata.get(WITHOUT_DECISIONS, ""),
        appended=APPENDED in metadata,
    )
    _require_inputs(plan, out.label(PLAN))
    return plan


def _require_inputs(plan: Plan, name: str) -> None:
    """Raise DamageError when composites of a plan, which `name` calls, need inputs that its tables do not describe."""
    if len({composite.key for composite in plan.composites}) != len(plan.composites):
        raise DamageError(
            f"{name} was not written by mattingdata: it plans a composite twice; do not trust this dataset"
        )
    for kind, needed, records in (
        ("foreground", _FOREGROUND, plan.foregrounds),
        ("background", _BACKGROUND, plan.backgrounds),
    ):
        known = {
            record.id: record.split
            for record in records
            if record.state == "ok" and all(getattr(record, field) is not None for field in needed)
        }
        for composite in plan.composites:
            identity = getattr(composite, kind)
            if known.get(identity) != composite.split:
                raise DamageError(
                    f"{name} was not written by mattingdata: {composite.key} needs the {kind} {identity!r}, which its "
                    "table does not describe for that split; do not trust this dataset"
                )


def _notes(text: str, name: str) -> tuple[str, ...]:
    notes = parse_json(text, name)
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise DamageError(f"{name} was not written by mattingdata: its notes are not text; do not trust this dataset")
    return tuple(notes)


def read_plan_metadata(out: Storage) -> dict[str, str]:
    """Read the metadata of a dataset's plan; empty where the plan is missing or any of its bytes was changed."""
    try:
        return checked_metadata(out.read(PLAN)) or {}
    except MissingFileError:
        return {}


def refuse_older_format(out: Storage) -> None:
    """Raise UsageError when `out` has a format that this version reads and converts, but cannot add to."""
    metadata = read_plan_metadata(out)
    formats = {metadata.get("format", FORMAT_1)} if metadata else set()
    with suppress(DamageError, UsageError):
        formats.add(read_index(out)["format"])
    if FORMAT_1 in formats:
        raise UsageError(
            f"{out} is of the format {FORMAT_1!r}, which this version reads but cannot continue, append to or repair: "
            "build into another --out, which gives the same shards"
        )
