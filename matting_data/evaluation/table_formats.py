"""Tables and scores as text, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from matting_data.evaluation.columns import View
from matting_data.evaluation.scoring import ImageScore
from matting_data.evaluation.table import Cell, Table

_ABOUT = ("key", "subset", "foreground", "background", "source", "width", "height", "pixels")
_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "\\": r"\textbackslash{}",
          "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "·": r"$\cdot$", "–": "--"}  # fmt: skip


def text(table: Table) -> str:
    """Return aligned tables for a terminal, one a view."""
    blocks = []
    for view, rows in _by_view(table):
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        lines = [f"{view.name}: {view.meaning}"]
        for row in rows:
            cells = [
                cell.ljust(w) if not place else cell.rjust(w)
                for place, (cell, w) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, *_remarks(table)]) + "\n"


def markdown(table: Table) -> str:
    """Return one Markdown table a view."""
    blocks = []
    for view, (header, *rows) in _by_view(table):
        lines = [f"**{view.name}** – {view.meaning}", ""]
        lines += [f"| {' | '.join(_pipe(cell) for cell in header)} |", f"|---|{'---:|' * (len(header) - 1)}"]
        lines += [f"| {' | '.join(_pipe(cell) for cell in row)} |" for row in rows]
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, *_remarks(table)]) + "\n"


def latex(table: Table) -> str:
    """Return one LaTeX tabular a view; needs the package booktabs."""
    blocks = []
    for view, (header, *rows) in _by_view(table):
        lines = [f"% {view.name}: {view.meaning}", rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"\toprule"]
        lines += [" & ".join(_tex(cell) for cell in header) + r" \\", r"\midrule"]
        lines += [" & ".join(_tex(cell) for cell in row) + r" \\" for row in rows]
        blocks.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}"]))
    return "\n\n".join(blocks) + "\n"


def summary_csv(table: Table) -> str:
    """Return the table in long form, one number a row, unrounded."""
    rows = [
        (group.kind, group.name, group.images, group.people, view.name, column.metric, column.label,
         repr(cell.mean), *(("", "") if cell.interval is None else map(repr, cell.interval)))
        for group in table.groups
        for view, cells in zip(table.views, group.cells, strict=True)
        for column, cell in zip(view.columns, cells, strict=True)
    ]  # fmt: skip
    return _csv(("kind", "name", "images", "people", "view", "metric", "column", "mean", "low", "high"), rows)


def images_csv(scores: Sequence[ImageScore]) -> str:
    """Return the raw values of every image, unrounded; what was not scored has a reason instead."""
    metrics = list(dict.fromkeys(metric for score in scores for metric in score.values))
    rows = [
        (
            *(getattr(score, name) for name in _ABOUT),
            *(repr(score.values[metric]) if metric in score.values else "" for metric in metrics),
            score.note,
            score.reason,
            score.detail,
        )
        for score in scores
    ]
    return _csv((*_ABOUT, *metrics, "note", "reason", "detail"), rows)


def as_mapping(table: Table) -> dict[str, Any]:
    """Return the table as plain values for JSON, unrounded."""
    return {
        "views": {view.name: view.meaning for view in table.views},
        "groups": [
            {
                "kind": group.kind,
                "name": group.name,
                "images": group.images,
                "people": group.people,
                **{
                    view.name: {
                        column.metric: {"label": column.label, "mean": cell.mean, "interval": cell.interval}
                        for column, cell in zip(view.columns, cells, strict=True)
                    }
                    for view, cells in zip(table.views, group.cells, strict=True)
                },
            }
            for group in table.groups
        ],
        "failed": table.failed,
        "noted": table.noted,
    }


def score_mapping(score: ImageScore) -> dict[str, Any]:
    """Return one image's score as plain values for JSON."""
    about = {name: getattr(score, name) for name in _ABOUT}
    return {**about, **score.values, "note": score.note, "reason": score.reason, "detail": score.detail}


def _by_view(table: Table) -> list[tuple[View, list[list[str]]]]:
    """Return for each view its header and rows as strings."""
    blocks = []
    for number, view in enumerate(table.views):
        header = ["", "images", *(column.label for column in view.columns)]
        rows = [
            [group.label, str(group.images), *(cell_text(cell) for cell in group.cells[number])]
            for group in table.groups
        ]
        blocks.append((view, [header, *rows]))
    return blocks


def cell_text(cell: Cell) -> str:
    """Return a mean with its interval, four significant digits each."""
    if cell.interval is None:
        return _number(cell.mean)
    return f"{_number(cell.mean)} [{_number(cell.interval[0])}–{_number(cell.interval[1])}]"


def _number(value: float) -> str:
    """Four significant digits, without exponent where one is not needed."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        digits = 3 if value == 0 else max(0, 3 - int(f"{value:.3e}".split("e")[1]))
        return f"{value:.{digits}f}"
    return f"{value:.3e}"


def _remarks(table: Table) -> list[str]:
    remarks = []
    if table.failed:
        parts = ", ".join(f"{count} {reason}" for reason, count in table.failed.items())
        remarks.append(f"not scored: {parts}")
    if table.noted:
        remarks.append("changed before scoring: " + ", ".join(f"{n} {note}" for note, n in table.noted.items()))
    return remarks


def _csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def _pipe(cell: str) -> str:
    return cell.replace("|", r"\|")


def _tex(cell: str) -> str:
    return "".join(_LATEX.get(character, character) for character in cell)
