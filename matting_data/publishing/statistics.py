"""What a dataset holds, in numbers: from its manifests and ledger only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from matting_data.records.stored import Sample
from matting_data.shards.index import INCOMPLETE, read_index
from matting_data.shards.manifests import read_manifest
from matting_data.shards.reader import shard_entries
from matting_data.storage import Location


@dataclass(frozen=True)
class Statistics:
    """Numbers of one dataset; `rows` are all its samples."""

    dataset: str
    index: Mapping[str, Any]
    rows: Sequence[Sample]

    def summaries(self) -> list[tuple[str, str, dict[str, Any]]]:
        """List split, subset and summary of each group of samples, sorted, and of all as ("all", "") at the end."""
        groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
        for row in self.rows:
            groups[row.split, row.subset].append(row)
        return [(*names, summary(rows)) for names, rows in [*sorted(groups.items()), (("all", ""), self.rows)]]

    def as_mapping(self) -> dict[str, Any]:
        """Convert the numbers to plain values."""
        *groups, (_, _, total) = self.summaries()
        return {
            "dataset": self.dataset,
            "name": self.index["name"],
            "content_sha256": self.index["content_sha256"],
            "groups": [{"split": split, "subset": subset, **found} for split, subset, found in groups],
            "total": total,
            "ledger": self.index["ledger"],
            **({INCOMPLETE: self.index[INCOMPLETE]} if INCOMPLETE in self.index else {}),
        }

    def table(self) -> list[list[str]]:
        """Write each group of :meth:`summaries` as a row of text: split, subset, counts, sizes, shares."""
        rows = []
        for split, subset, s in self.summaries():
            counts = [f"{s[name]:,}" for name in ("composites", "foregrounds", "backgrounds")]
            sizes = f"{s['megapixels_min']:.2f} to {s['megapixels_max']:.2f}"
            rows.append([split, subset or "–", *counts, sizes, f"{s['coverage']:.1%}", f"{s['soft']:.1%}"])
        return rows

    def lines(self) -> list[str]:
        """Format the numbers as lines of a table for people."""
        header = ["split", "subset", "composites", "people", "backgrounds", "megapixels", "coverage", "soft"]
        table = [header, *self.table()]
        columns = [[cell.ljust(max(map(len, column))) for cell in column] for column in zip(*table, strict=True)]
        return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)] + [
            *ledger_lines(self.index["ledger"]),
            *incomplete_lines(self.index),
        ]


def read_statistics(out: Location) -> Statistics:
    """Read the numbers of a finished dataset; DamageError where it is unfinished or damaged."""
    index = read_index(out)
    return Statistics(str(out), index, [row for _, entry in shard_entries(index) for row in read_manifest(out, entry)])


def summary(rows: Sequence[Sample]) -> dict[str, Any]:
    """Compute counts, sizes, mean alpha coverage and mean share of soft pixels of some samples."""
    pixels = np.array([row.width * row.height for row in rows] or [0]) / 1e6
    return {
        "composites": len(rows),
        "foregrounds": len({row.foreground for row in rows}),
        "backgrounds": len({row.background for row in rows}),
        "megapixels_min": round(float(pixels.min()), 3),
        "megapixels_max": round(float(pixels.max()), 3),
        "coverage": round(float(np.mean([row.coverage for row in rows] or [0])), 4),
        "soft": round(float(np.mean([row.soft for row in rows] or [0])), 4),
    }


def ledger_lines(ledger: Mapping[str, Any]) -> list[str]:
    """Say in one line for each ledger where its inputs ended."""
    lines = []
    for name, counts in ledger.items():
        parts = [f"{counts['written']} written"]
        parts += [f"{count} {outcome} ({reason})" for outcome, reason, count in left_out(counts)]
        lines.append(f"{name}: {counts['total']} = {' + '.join(parts)}")
    return lines


def incomplete_lines(index: Mapping[str, Any]) -> list[str]:
    """Say of a dataset that was finished without what the system refused to read that it is incomplete."""
    if INCOMPLETE not in index:
        return []
    missing = " and ".join(f"{count} {name}" for name, count in index[INCOMPLETE].items() if count)
    return [
        f"incomplete: {missing} failed because the system refused to read files; once these can be read, the same "
        "build completes the dataset"
    ]


def left_out(counts: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """List outcome, reason and number of the inputs of a ledger that were not written."""
    return [(outcome, *found) for outcome in ("rejected", "failed") for found in counts[outcome].items()]
