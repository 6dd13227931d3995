"""Filtering backgrounds alone: every photograph's verdict and why, without a foreground or a composite."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.building.ledger import summarise
from matting_data.errors import RefusedError, RejectedInput, UsageError
from matting_data.humans.audit_sample import stratum_of
from matting_data.imaging import encode
from matting_data.planning.apply_decisions import decide_backgrounds
from matting_data.planning.plan import choose_backgrounds
from matting_data.recipes.decisions import effective, load_decisions
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.judged import JudgedBackground
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.tables import parquet_bytes, to_table
from matting_data.reporting.contact_sheet import grid, tile
from matting_data.scanning.scan import scan_backgrounds
from matting_data.seeds import derive_seed
from matting_data.sources.decoded import load_background
from matting_data.sources.inputs import read_input
from matting_data.sources.opened import OpenedBackgrounds, open_backgrounds
from matting_data.storage import open_storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.plan_tables import BACKGROUNDS, PLAN

LEDGER = "ledger/backgrounds.parquet"
SUMMARY = "filter.json"
SHEET = "reasons.png"


@dataclass(frozen=True)
class FilterResult:
    """All backgrounds of a recipe with their verdicts.

    `summary` counts them by outcome and reason, and by source and tier of evidence (found and kept), and has the
    notes on that evidence.
    """

    backgrounds: list[JudgedBackground]
    summary: dict[str, Any]


def filter_backgrounds(recipe: LoadedRecipe, out: Path, workers: int, examples: int = 8) -> FilterResult:
    """Judge every background of a recipe.

    Writes ``backgrounds.parquet``, ``ledger/backgrounds.parquet``, ``filter.json`` and ``reasons.png``, some examples
    of each reason. Scores are kept: another threshold on the same `out` needs no new inference, and a build of the
    same recipe there need not judge again.

    Parameters
    ----------
    recipe : LoadedRecipe
        Its foregrounds are not looked at.
    out : Path
        New, empty, or of an earlier filter or build.
    examples : int
        Pictures for each reason on the sheet.

    Raises
    ------
    UsageError
        `out` holds a built dataset, or something that is not ours.
    RefusedError
        The system refused to read photographs; what the others came to is kept.
    """
    place = open_storage(out)
    with workspace.locked(place):
        if place.exists(PLAN):
            raise UsageError(f"{out} holds a built dataset, whose tables would be replaced: choose another --out")
        decisions = load_decisions(recipe)
        sources = open_backgrounds(recipe)
        scanned = scan_backgrounds(recipe, sources, workspace.work_folder(place), workers, decisions)
        backgrounds = choose_backgrounds(scanned.records, recipe.recipe, scanned.thresholds)
        distance = recipe.recipe.backgrounds.duplicate_distance
        backgrounds = decide_backgrounds(backgrounds, effective(decisions), distance)
        rows = ledger_rows(backgrounds)
        result = FilterResult(
            backgrounds, {**summarise(rows), "tiers": tier_counts(backgrounds), "notes": scanned.notes}
        )
        workspace.save_recipe(place, recipe)
        place.write(BACKGROUNDS, parquet_bytes(to_table(backgrounds, JudgedBackground)))
        place.write(LEDGER, parquet_bytes(to_table(rows, LedgerRow)))
        place.write(SUMMARY, (json.dumps(result.summary, indent=1) + "\n").encode())
        sheet = reasons_sheet(sources, backgrounds, examples)
        if sheet is not None:
            place.write(SHEET, encode.png(sheet))
    return result


def reasons_sheet(
    sources: Mapping[str, OpenedBackgrounds], backgrounds: Sequence[JudgedBackground], examples: int
) -> NDArray[np.uint8] | None:
    """Draw up to `examples` backgrounds for each reason, one reason below the other; None where none can be read.

    Those nearest to the other side of the threshold come first: they are the ones worth a look.
    """
    by_reason: dict[str, list[JudgedBackground]] = defaultdict(list)
    for record in backgrounds:
        by_reason[record.reason or ""].append(record)
    rows = []
    for reason, records in sorted(by_reason.items()):
        kept = records[0].state == "ok"
        records.sort(key=lambda b: ((b.score or 0.0) * (-1 if kept else 1), derive_seed("reasons", b.id)))
        tiles = []
        for record in records[:examples]:
            try:
                data = read_input(sources[record.source].file(record))
                picture = load_background(data, rotation=record.rotation, srgb=bool(record.profile))
            except (RejectedInput, RefusedError):
                continue
            score = "" if record.score is None else f"{record.score:.3f} "
            tiles.append(tile([picture], f"{reason} {score}{record.id}"))
        if tiles:
            blank = np.full_like(tiles[0], 250)
            rows.append(grid([*tiles, *[blank] * (examples - len(tiles))], columns=examples))
    return np.concatenate(rows) if rows else None


def tier_counts(backgrounds: Sequence[JudgedBackground]) -> dict[str, dict[str, int]]:
    """Count by stratum (source, or source/tier): ``{"SUN397/no_polygons": {"found": n, "kept": n}}``."""
    found = Counter(stratum_of(record) for record in backgrounds)
    kept = Counter(stratum_of(record) for record in backgrounds if record.state == "ok")
    return {name: {"found": found[name], "kept": kept[name]} for name in sorted(found)}


def ledger_rows(backgrounds: Sequence[JudgedBackground]) -> list[LedgerRow]:
    """Build a ledger row for each background: kept ones are ``written``, with their reason for being kept."""
    return [
        LedgerRow(b.id, b.source, b.path, "written" if b.state == "ok" else b.state, b.reason or "", b.detail or "")
        for b in backgrounds
    ]
