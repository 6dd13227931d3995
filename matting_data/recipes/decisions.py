"""Decisions of people about single inputs: the rows of ``overrides.csv``, which a recipe names as ``overrides``.

The file is a history: rows are appended, and the last one about an input counts. Who decided, when and why travel into
the ledger of the dataset.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path

from matting_data.configuration import decoded
from matting_data.errors import UsageError, nearest
from matting_data.foreign_text import csv_bytes, from_csv_cell
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.storage.atomic import write_bytes
from matting_data.storage.regular_files import read_regular

FILE_NAME = "overrides.csv"

SUBSET = "subset:"
"""Prefix of the tag that moves a foreground to another subset."""

_MOST_BYTES = 64 << 20
"""Of a file of decisions; a row has some 100."""

TAGS = {"background": ("human", "reject", "clean"), "foreground": ("reject", "clean", f"{SUBSET}NAME")}
"""What can be said of each kind of input."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about one input.

    Attributes
    ----------
    kind : {"background", "foreground"}
    id : str
        Of the input, as in the tables of a dataset.
    tag : str
        ``reject``: leave it out. ``human``, of a background: leave it out, since it shows a person. ``clean``, of a
        background: use it although labels or the detector rejected it; of both kinds: takes an earlier tag back.
        ``subset:NAME``, of a foreground: it belongs to that subset.
    who, why : str
        `why` may be empty.
    when : str
        ISO 8601 with the offset of UTC, such as ``2025-03-01T12:00:00Z``.
    """

    kind: str
    id: str
    tag: str
    who: str
    when: str
    why: str = ""

    def __str__(self) -> str:
        """Say it as the ledger does: ``reject by WHO on WHEN: WHY``."""
        return f"{self.tag} by {self.who} on {self.when}" + (f": {self.why}" if self.why else "")


COLUMNS = tuple(field.name for field in fields(Decision))


def parse(text: str, name: str) -> list[Decision]:
    """Read the rows of an ``overrides.csv``.

    Parameters
    ----------
    text : str
        Its content.
    name : str
        What errors call it.

    Raises
    ------
    UsageError
        A column is missing or unknown, a row has an unknown kind or tag, no id, no name, no time, or is there twice.
    """
    reader = csv.DictReader(io.StringIO(text), strict=True)
    rows: list[Decision] = []
    seen: dict[Decision, int] = {}
    try:
        header = reader.fieldnames
        if header is None:
            raise UsageError(f"{name} is empty: its first line names the columns {','.join(COLUMNS)}")
        missing = [column for column in COLUMNS if column not in header]
        if missing:
            raise UsageError(f"{name} has no column {missing[0]!r}: its first line names {','.join(COLUMNS)}")
        for cells in reader:
            where = f"{name} line {reader.line_num}"
            row = Decision(**{column: from_csv_cell(cells.get(column) or "").strip() for column in COLUMNS})
            _require_valid(row, where)
            if row in seen:
                raise UsageError(f"{where} repeats line {seen[row]}: remove one of the two")
            seen[row] = reader.line_num
            rows.append(row)
    except csv.Error as error:
        raise UsageError(f"{name} line {reader.line_num} is not CSV ({error}): correct it") from None
    return rows


def to_csv(rows: Iterable[Decision]) -> bytes:
    """Encode decisions as the CSV file that :func:`parse` reads."""
    return csv_bytes(COLUMNS, map(astuple, rows))


def effective(rows: Iterable[Decision]) -> list[Decision]:
    """Keep the last row about each input, in the order of those rows."""
    last: dict[tuple[str, str], Decision] = {}
    for row in rows:
        last.pop((row.kind, row.id), None)
        last[row.kind, row.id] = row
    return list(last.values())


def news(rows: Iterable[Decision], decisions: Iterable[Decision]) -> list[Decision]:
    """List the decisions that `rows` do not hold yet: those whose tag differs from the last row's of their input."""
    current = {(row.kind, row.id): row.tag for row in rows}
    fresh = []
    for decision in decisions:
        if current.get((decision.kind, decision.id)) != decision.tag:
            current[decision.kind, decision.id] = decision.tag
            fresh.append(decision)
    return fresh


def read(path: Path) -> list[Decision]:
    """Read a file of decisions; none where there is no file yet. UsageError where it cannot be read."""
    try:
        data = read_regular(path, _MOST_BYTES)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"cannot read the decisions in {path}: {error}") from None
    return parse(decoded(data, f"the decisions in {path}"), str(path))


def append(path: Path, decisions: Sequence[Decision]) -> list[Decision]:
    """Add to a file the decisions it does not hold yet; return those. Its earlier rows stay, as history."""
    rows = read(path)
    fresh = news(rows, decisions)
    if fresh:
        write_bytes(path, to_csv([*rows, *fresh]))
    return fresh


def decisions_path(recipe: LoadedRecipe) -> Path | None:
    """Locate the decisions file that a recipe names; None where it names none."""
    named = recipe.recipe.overrides
    return recipe.resolve(named) if named else None


def load_decisions(recipe: LoadedRecipe) -> list[Decision]:
    """Read the rows of a recipe's file of decisions; none where it names no file, or one that is not there yet."""
    path = decisions_path(recipe)
    return read(path) if path else []


def _require_valid(row: Decision, where: str) -> None:
    if row.kind not in TAGS:
        raise UsageError(f"{where}: the kind is {row.kind!r}; write 'background' or 'foreground'")
    if not row.id:
        raise UsageError(f"{where} has no id: write the {row.kind}'s, as in the ledger")
    known = TAGS[row.kind]
    subset = row.kind == "foreground" and row.tag.startswith(SUBSET) and row.tag != SUBSET
    if not subset and row.tag not in [tag for tag in known if not tag.startswith(SUBSET)]:
        raise UsageError(
            f"{where}: {row.tag!r} cannot be said of a {row.kind}{nearest(row.tag, known)}; write {', '.join(known)}"
        )
    if not row.who:
        raise UsageError(f"{where} does not say who decided: fill the column 'who'")
    try:
        offset = datetime.fromisoformat(row.when).utcoffset()
    except ValueError:
        offset = None
    if offset != timedelta(0):
        raise UsageError(f"{where}: the time is {row.when!r}; write it in UTC as 2025-03-01T12:00:00Z")
