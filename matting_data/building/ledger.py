"""The ledger: where every input ended, exactly once. Pure functions of the plan and the built shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any, Literal

from matting_data.planning.apply_decisions import REJECTED
from matting_data.planning.plan import Plan
from matting_data.records.checked import CheckedForeground
from matting_data.records.codes import BuildReason, End, Reason, reason_of
from matting_data.records.judged import JudgedBackground
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.planned import PlannedComposite
from matting_data.records.tables import parquet_bytes, to_table
from matting_data.rendering.make_shards import BuiltShards
from matting_data.shards.commit import Failures

LEDGERS = ("foregrounds", "backgrounds", "composites")

NOT_DRAWN: BuildReason = "not_drawn"
"""Reason of a background that passed every check, but that no composite needed."""

NO_COMPOSITE: BuildReason = "no_composite"
"""Reason of an input that failed only because every composite planned with it did."""


def make_ledger(plan: Plan, built: BuiltShards, stored: Set[str] = frozenset()) -> dict[str, list[LedgerRow]]:
    """Build the rows of each ledger.

    Parameters
    ----------
    plan : Plan
        With all inputs, usable or not.
    built : BuiltShards
        All shards; those of backgrounds are held, or lost, whether or not a composite needs them.
    stored : set of str
        Ids of backgrounds that are yet to be stored.
    """
    failures = {key: (reason_of(reason), detail) for key, reason, detail in built.failed}
    made = [composite for composite in plan.composites if composite.key not in failures]
    return {
        "foregrounds": _used(plan.foregrounds, plan.composites, made, "foreground"),
        "backgrounds": _used(plan.backgrounds, plan.composites, made, "background", built.stored | stored, built.lost),
        "composites": [
            LedgerRow(c.key, c.split, f"{c.foreground} + {c.background}", "failed", *failures[c.key])
            if c.key in failures
            else LedgerRow(c.key, c.split, f"{c.foreground} + {c.background}", "written")
            for c in plan.composites
        ],
    }


def ledger_files(ledger: Mapping[str, Sequence[LedgerRow]]) -> dict[str, bytes]:
    """Encode the tables of all ledgers as Parquet files, by file name."""
    return {f"ledger/{name}.parquet": parquet_bytes(to_table(ledger[name], LedgerRow)) for name in LEDGERS}


def summarise(rows: Sequence[LedgerRow]) -> dict[str, Any]:
    """Count a ledger: ``{"total", "written", "rejected": {reason: n}, "failed": {reason: n}}``."""
    written = sum(row.outcome == "written" for row in rows)
    reasons = {end: Counter(row.reason for row in rows if row.outcome == end) for end in ("rejected", "failed")}
    return {"total": len(rows), "written": written} | {end: dict(sorted(n.items())) for end, n in reasons.items()}


def _used(
    inputs: Sequence[CheckedForeground] | Sequence[JudgedBackground],
    planned: Sequence[PlannedComposite],
    made: Sequence[PlannedComposite],
    role: str,
    stored: Set[str] = frozenset(),
    failures: Failures = (),
) -> list[LedgerRow]:
    drawn, written = {getattr(c, role) for c in planned}, {getattr(c, role) for c in made} | stored
    lost = {identity: (reason_of(reason), detail) for identity, reason, detail in failures}
    rows = []
    for record in inputs:
        path = record.path if isinstance(record, JudgedBackground) else record.image or record.alpha or ""
        warnings = [] if isinstance(record, JudgedBackground) else record.warnings
        rows.append(LedgerRow(record.id, record.source, path, *_end(record, drawn, written, lost), warnings))
    return rows


def _end(
    record: CheckedForeground | JudgedBackground,
    drawn: Set[str],
    written: Set[str],
    lost: Mapping[str, tuple[Reason, str]],
) -> tuple[End, Reason | Literal[""], str]:
    """Determine the outcome, reason and detail of one input."""
    reason, detail = record.reason or "", record.detail or ""
    if record.state != "ok":
        return record.state, reason, detail
    if record.id in written:
        return ("written", reason, detail) if reason.startswith(REJECTED) else ("written", "", "")
    if record.id in drawn:
        return "failed", NO_COMPOSITE, "every composite planned with it failed"
    if record.id in lost:
        return "failed", *lost[record.id]
    return "rejected", NOT_DRAWN, "passed every check; no composite needed it"
