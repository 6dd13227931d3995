"""From a block to its usable rows; what is unusable is named by line and problem.

The usual block has no malformed row and is parsed by polars at once. A block that fails any check is halved until the
rows at fault stand alone, so that a file with many of them costs little more.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl

from matting_data.sources.openimages.blocks import Block, Layout, count

Problems = list[tuple[int, str]]

_ID_PATTERN = "^[0-9a-f]{16}$"
_ID = re.compile(r"[0-9a-fA-F]{16}")
_SMALL = 1 << 14
"""Bytes below which a block is parsed row by row."""


@dataclass
class Rows:
    """Usable rows of a block.

    Attributes
    ----------
    table : DataFrame
        ``ImageID`` in lower case, with ``LabelName``, ``Confidence`` (Float64), ``Source`` where there is one, and for
        boxes ``IsGroupOf`` and ``IsDepiction`` (Float64); of lists of images all their columns as strings.
    runs : DataFrame
        ``image`` (the id as UInt64) and ``rows``: how many rows in a row have that id.
    problems : list of (int, str)
        Line and problem of the unusable rows.
    """

    table: pl.DataFrame
    runs: pl.DataFrame
    problems: Problems = field(default_factory=list)


def parse(block: Block, layout: Layout) -> Rows:
    """Parse a block into its usable rows."""
    if isinstance(block.data, pl.DataFrame):
        parts = [_parse_strings(block.data, block.line, layout)]
    else:
        parts = list(_parse_bytes(block.data, block.line, layout))
    table = parts[0][0] if len(parts) == 1 else pl.concat(part for part, _ in parts)
    return Rows(table, runs_of(table), [problem for _, problems in parts for problem in problems])


def runs_of(table: pl.DataFrame) -> pl.DataFrame:
    """Count the rows in a row that have one id: :attr:`Rows.runs`."""
    runs = table["ImageID"].rle().struct.unnest()
    return runs.select(ids_to_numbers(pl.col("value")).alias("image"), pl.col("len").cast(pl.UInt32).alias("rows"))


def ids_to_numbers(ids: pl.Expr) -> pl.Expr:
    """Read 16 hex digits as numbers."""
    return ids.str.to_integer(base=16, dtype=pl.UInt64)


def _parse_bytes(data: bytes, line: int, layout: Layout) -> Iterator[tuple[pl.DataFrame, Problems]]:
    table = _parse_fast(data, layout)
    if table is not None:
        yield table, []
        return
    cut = layout.cut_before(data, len(data) // 2) if len(data) > _SMALL else 0
    if cut == 0:
        yield _sorted_out(_cells(data, line, layout), layout)
        return
    yield from _parse_bytes(data[:cut], line, layout)
    yield from _parse_bytes(data[cut:], line + count(data[:cut], "\n"), layout)


def _parse_fast(data: bytes, layout: Layout) -> pl.DataFrame | None:
    """Parse a block in which every row is as it should be; None for any other."""
    lines = count(data, "\n") + (not data.endswith(b"\n"))
    if not layout.quoted and b'"' in data:
        return None
    names = [str(number) for number in range(len(layout.columns))]  # a file may repeat a name
    types = {name: _type(column) for name, column in zip(names, layout.columns, strict=True)}
    wanted = _wanted(layout)
    last = len(names) - 1
    places = sorted({*(layout.columns.index(column) for column in wanted), last})
    columns, quote = (None, '"') if layout.quoted else (places, None)
    skips = not layout.quoted and len(places) < len(names)  # then polars does not see rows that are too long
    if skips and count(data, ",") != lines * last:
        return None
    try:
        table = pl.read_csv(data, has_header=False, schema=types, columns=columns, quote_char=quote)
    except (pl.exceptions.PolarsError, OSError):
        return None
    if table.height != lines or (not layout.quoted and table[names[last]].null_count()):
        return None
    table = table.select(pl.col(names[layout.columns.index(column)]).alias(column) for column in wanted)
    return table if _all_usable(table, layout) else None


def _all_usable(table: pl.DataFrame, layout: Layout) -> bool:
    ids = table["ImageID"].rle().struct.field("value")
    if ids.null_count() or not ids.str.contains(_ID_PATTERN).all():
        return False
    if layout.quoted:
        checks = []
        if "License" in table.columns:
            checks.append(pl.col("License").str.starts_with("http") | (pl.col("License") == ""))
        if "Rotation" in table.columns:
            rotation = pl.col("Rotation")
            number = rotation.cast(pl.Float64, strict=False)
            checks.append(number.is_not_null() | rotation.is_null() | (rotation == ""))
        return all(table.select(check.fill_null(value=False).all()).item() for check in checks)
    if any(column.null_count() for column in table.get_columns()):
        return False
    sure = table["Confidence"]
    return bool(sure.is_between(0, 1).all() and table["LabelName"].str.starts_with("/").all())


def _cells(data: bytes, line: int, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Split rows one by one, with their lines; a stray quotation mark damages its own row only."""
    text = data.decode("utf-8", "replace")
    if not layout.quoted:
        for offset, content in enumerate(text.removesuffix("\n").split("\n")):
            yield line + offset, next(csv.reader([content]), []) if '"' in content else content.split(",")
        return
    for record in _records(text):
        reader = csv.reader(record.splitlines(keepends=True))
        before = 0
        for row in reader:
            yield line + before, row
            before = reader.line_num
        line += record.count("\n")


def _sorted_out(rows: Iterable[tuple[int, list[str]]], layout: Layout) -> tuple[pl.DataFrame, Problems]:
    """Keep the usable rows, and name the line and the problem of each other."""
    judged = [(line, row, _problem(row, layout)) for line, row in rows]
    good = [row for _, row, problem in judged if not problem]
    return _typed(good, layout), [(line, problem) for line, _, problem in judged if problem]


def _records(text: str) -> list[str]:
    starts = [match.start() for match in re.finditer(r"^[0-9a-fA-F]{16},", text, re.MULTILINE)]
    cuts = sorted({0, *starts, len(text)})
    return [text[a:b] for a, b in pairwise(cuts)]


def _parse_strings(table: pl.DataFrame, line: int, layout: Layout) -> tuple[pl.DataFrame, Problems]:
    typed = table.select(pl.col(column).cast(_type(column), strict=False) for column in _wanted(layout))
    if _all_usable(typed, layout):
        return typed, []
    return _sorted_out(enumerate(([cell or "" for cell in row] for row in table.rows()), line), layout)


def _problem(cells: list[str], layout: Layout) -> str:
    """Name what makes a row unusable, or return an empty string."""
    if not any(cell.strip() for cell in cells):
        return "blank_row"
    if len(cells) != len(layout.columns):
        return "column_count"
    row = dict(zip(layout.columns, cells, strict=True))
    if not _ID.fullmatch(row["ImageID"]):
        return "bad_image_id"
    if layout.quoted:
        rotation = row.get("Rotation", "")
        return "bad_rotation" if rotation and _number(rotation) is None else ""
    if not row["LabelName"].startswith("/"):
        return "bad_label"
    sure = _number(row["Confidence"])
    if sure is None or not 0 <= sure <= 1:
        return "bad_confidence"
    if layout.kind == "boxes" and any(_number(row[flag]) is None for flag in ("IsGroupOf", "IsDepiction")):
        return "bad_flag"
    return ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _typed(rows: list[list[str]], layout: Layout) -> pl.DataFrame:
    wanted = _wanted(layout)
    places = {column: layout.columns.index(column) for column in wanted}
    cells = {column: [row[place] for row in rows] for column, place in places.items()}
    table = pl.DataFrame(cells, schema=dict.fromkeys(wanted, pl.String))
    return table.with_columns(
        pl.col("ImageID").str.to_lowercase(),
        *(pl.col(column).str.strip_chars().cast(_type(column)) for column in wanted if _type(column) != pl.String),
    )


def _wanted(layout: Layout) -> list[str]:
    if layout.quoted:
        return list(dict.fromkeys(layout.columns))
    flags = ("IsGroupOf", "IsDepiction") if layout.kind == "boxes" else ("Source",)
    return [name for name in ("ImageID", "LabelName", "Confidence", *flags) if name in layout.columns]


def _type(column: str) -> type[pl.String] | type[pl.Float64]:
    return pl.Float64 if column in ("Confidence", "IsGroupOf", "IsDepiction") else pl.String
