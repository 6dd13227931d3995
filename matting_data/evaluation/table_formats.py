"""Tables and scores as text, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matting_data.evaluation.score_columns import View
from matting_data.evaluation.scoring import ImageScore
from matting_data.evaluation.table import Cell, Table
from matting_data.foreign_text import csv_bytes, printable
from matting_data.publishing.markdown import plain
from matting_data.publishing.markdown import table as markdown_table

_ABOUT = ("key", "subset", "foreground", "background", "source", "width", "height", "pixels")
_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "\\": r"\textbackslash{}",
          "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "·": r"$\cdot$", "–": "--"}  # fmt: skip


def text(table: Table) -> str:
    """Format aligned tables for a terminal, one per view."""
    blocks = []
    for view, rows in _by_view(table):
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{view.name}: {view.meaning}"]
        for label, *cells in rows:
            right = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
            lines.append("  ".join([label.ljust(widths[0]), *right]).rstrip())
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, *_remarks(table)]) + "\n"


def markdown(table: Table) -> str:
    """Write one Markdown table a view."""
    blocks = []
    for view, (header, *rows) in _by_view(table):
        escaped = [[plain(label), *cells] for label, *cells in rows]
        blocks.append(f"**{view.name}** – {view.meaning}\n\n{markdown_table(header, escaped, 1)}")
    return "\n\n".join([*blocks, *_remarks(table)]) + "\n"


def latex(table: Table) -> str:
    """Format one LaTeX tabular per view; needs the package booktabs."""
    blocks = []
    for view, (header, *rows) in _by_view(table):
        lines = [f"% {view.name}: {view.meaning}", rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"\toprule"]
        lines += [" & ".join(_tex(cell) for cell in header) + r" \\", r"\midrule"]
        lines += [" & ".join(_tex(cell) for cell in row) + r" \\" for row in rows]
        blocks.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}"]))
    return "\n\n".join(blocks) + "\n"


def summary_csv(table: Table) -> str:
    """Write the table as CSV in long form, one number a row, unrounded."""
    rows = [
        (group.kind, group.name, group.images, group.people, view.name, column.metric, column.label, cell.mean,
         *(cell.interval or ("", "")))
        for group in table.groups
        for view, cells in zip(table.views, group.cells, strict=True)
        for column, cell in zip(view.columns, cells, strict=True)
    ]  # fmt: skip
    header = ("kind", "name", "images", "people", "view", "metric", "column", "mean", "low", "high")
    return csv_bytes(header, rows).decode()


def images_csv(scores: Sequence[ImageScore]) -> str:
    """Write the raw values of every image, unrounded; what was not scored has a reason instead."""
    metrics = dict.fromkeys(metric for score in scores for metric in score.values)
    header = (*_ABOUT, *metrics, "note", "reason", "detail")
    rows = [[row.get(name, "") for name in header] for row in map(score_mapping, scores)]
    return csv_bytes(header, rows).decode()


def as_mapping(table: Table) -> dict[str, Any]:
    """Convert the table to plain values for JSON, unrounded."""
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
    """Convert one image's score to plain values for JSON."""
    about = {name: getattr(score, name) for name in _ABOUT}
    return {**about, **score.values, "note": score.note, "reason": score.reason, "detail": score.detail}


def _by_view(table: Table) -> list[tuple[View, list[list[str]]]]:
    """Format the header and the rows of each view as strings."""
    return [
        (view, [["", "images", *(column.label for column in view.columns)],
                *([printable(group.label), str(group.images), *map(cell_text, group.cells[number])]
                  for group in table.groups)])
        for number, view in enumerate(table.views)
    ]  # fmt: skip


def cell_text(cell: Cell) -> str:
    """Format a mean with its interval, four significant digits each."""
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
    kinds = (("not scored", table.failed), ("noted", table.noted))
    return [f"{title}: {', '.join(f'{n} {why}' for why, n in counts.items())}" for title, counts in kinds if counts]


def _tex(cell: str) -> str:
    return "".join(_LATEX.get(character, character) for character in cell)
