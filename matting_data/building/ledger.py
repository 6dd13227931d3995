"""The ledger: where every input ended, exactly once. Pure functions of the plan and the built shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from matting_data.planning.apply_decisions import REJECTED
from matting_data.planning.plan import Plan
from matting_data.records.records import Background, Foreground, LedgerRow, PlannedComposite, Sample
from matting_data.records.tables import parquet_bytes, to_table
from matting_data.shards.commit import Commit

LEDGERS = ("foregrounds", "backgrounds", "composites")

NOT_DRAWN = "not_drawn"
"""Reason of a background that passed every check, but that no composite needed."""

NO_COMPOSITE = "no_composite"
"""Reason of an input that failed only because every composite planned with it did."""


def make_ledger(
    plan: Plan, results: Iterable[Commit[Sample]], stored: Set[str] = frozenset()
) -> dict[str, list[LedgerRow]]:
    """Return the rows of each ledger.

    Parameters
    ----------
    plan : Plan
        With all inputs, usable or not.
    results : iterable of Commit
        Of all shards.
    stored : set of str
        Backgrounds that the dataset holds whether or not a composite needs them.
    """
    failures = {key: (reason, detail) for result in results for key, reason, detail in result.failed}
    made = [composite for composite in plan.composites if composite.key not in failures]
    return {
        "foregrounds": _used(plan.foregrounds, plan.composites, made, "foreground", frozenset()),
        "backgrounds": _used(plan.backgrounds, plan.composites, made, "background", stored),
        "composites": [
            LedgerRow(c.key, c.split, f"{c.foreground} + {c.background}", "failed", *failures[c.key])
            if c.key in failures
            else LedgerRow(c.key, c.split, f"{c.foreground} + {c.background}", "written")
            for c in plan.composites
        ],
    }


def ledger_files(ledger: Mapping[str, Sequence[LedgerRow]]) -> dict[str, bytes]:
    """Return the tables of all ledgers, by file name."""
    return {f"ledger/{name}.parquet": parquet_bytes(to_table(ledger[name], LedgerRow)) for name in LEDGERS}


def summarise(rows: Sequence[LedgerRow]) -> dict[str, Any]:
    """Count a ledger: ``{"total", "written", "rejected": {reason: n}, "failed": {reason: n}}``."""
    outcomes = Counter(row.outcome for row in rows)
    reasons: dict[str, Counter[str]] = {
        outcome: Counter(row.reason for row in rows if row.outcome == outcome) for outcome in ("rejected", "failed")
    }
    return {
        "total": len(rows),
        "written": outcomes["written"],
        "rejected": dict(sorted(reasons["rejected"].items())),
        "failed": dict(sorted(reasons["failed"].items())),
    }


def _used(
    inputs: Sequence[Foreground] | Sequence[Background],
    planned: Sequence[PlannedComposite],
    made: Sequence[PlannedComposite],
    role: str,
    stored: Set[str],
) -> list[LedgerRow]:
    drawn, written = {getattr(c, role) for c in planned}, {getattr(c, role) for c in made} | stored
    rows = []
    for record in inputs:
        path = record.path if isinstance(record, Background) else record.image or record.alpha
        warnings = [] if isinstance(record, Background) else record.warnings
        outcome, reason, detail = record.state, record.reason, record.detail
        if record.state == "ok" and record.id in written:
            outcome = "written"
            reason, detail = (reason, detail) if reason.startswith(REJECTED) else ("", "")
        elif record.state == "ok" and record.id in drawn:
            outcome, reason, detail = "failed", NO_COMPOSITE, "every composite planned with it failed"
        elif record.state == "ok":
            outcome, reason, detail = "rejected", NOT_DRAWN, "passed every check; no composite needed it"
        rows.append(LedgerRow(record.id, record.source, path, outcome, reason, detail, warnings))
    return rows
