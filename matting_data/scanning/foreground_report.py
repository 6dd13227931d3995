"""A look at a recipe's foregrounds alone: what would be used, what not, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from matting_data.planning.plan import require_usable
from matting_data.planning.selection import reject_duplicates
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.checked import CheckedForeground
from matting_data.scanning.scan import scan_foregrounds
from matting_data.sources.opened import open_foregrounds
from matting_data.storage import Location
from matting_data.workspace import work_folder as workspace


@dataclass(frozen=True)
class ForegroundReport:
    """All foregrounds of a recipe, checked, duplicates marked; `notes` say what a user should know of their files."""

    records: list[CheckedForeground]
    notes: list[str]

    @property
    def rejected(self) -> list[CheckedForeground]:
        """Those that a build would not use."""
        return [record for record in self.records if record.state != "ok"]

    @property
    def warned(self) -> list[CheckedForeground]:
        """Those that are usable but odd."""
        return [record for record in self.records if record.state == "ok" and record.warnings]

    def as_mapping(self) -> dict[str, Any]:
        """Convert the report to plain values."""
        return {
            "total": len(self.records),
            "usable": len(self.records) - len(self.rejected),
            "rejected": [_row(record) for record in self.rejected],
            "warned": [_row(record) for record in self.warned],
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """Say it in lines for people."""
        usable = [record for record in self.records if record.state == "ok"]
        lines = [f"{len(usable)} of {len(self.records)} foregrounds can be used"]
        lines += [f"  {r.image or r.alpha}: {r.reason}: {r.detail}" for r in self.rejected]
        lines += [f"  {r.image}: warning: {', '.join(r.warnings)}" for r in self.warned]
        for subset, count in sorted(Counter(record.subset or "" for record in usable).items()):
            lines.append(f"  {count} of subset {subset}" if subset else f"  {count} without a subset")
        return lines + [f"note: {note}" for note in self.notes]


def _row(r: CheckedForeground) -> dict[str, Any]:
    return {"id": r.id, "file": r.image or r.alpha, "reason": r.reason, "detail": r.detail, "warnings": r.warnings}


def check_foregrounds(recipe: LoadedRecipe, out: Location, workers: int) -> ForegroundReport:
    """Check every foreground of a recipe; results are kept in `out` for the build.

    Raises
    ------
    UsageError
        There is not a single one to check.
    """
    rules = recipe.recipe.foregrounds
    with workspace.locked(out):
        colours = workspace.colour_store(out)
        scanned = scan_foregrounds(rules, open_foregrounds(recipe), workspace.work_folder(out), workers, colours)
    if not scanned.records:
        require_usable(scanned.records)
    return ForegroundReport(reject_duplicates(scanned.records, rules.duplicate_distance), scanned.notes)
