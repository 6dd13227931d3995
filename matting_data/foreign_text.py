"""Text that others wrote, such as names of files, where somebody reads it: on a terminal, in JSON, in a CSV file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Any

UNPRINTABLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters: a terminal obeys them
    "\u2028\u2029"  # line ends that look like none
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # directions: what follows is shown in another order
    "\ufeff\U000e0000-\U000e007f"  # shown as nothing
    "\ud800-\udfff"  # halves of characters, which cannot be encoded
    "]"
)

_FORMULA = re.compile(r"['\s]*(?:[=+\-@]|(?<=\t)|(?<=\r))")
"""What a spreadsheet takes for a formula, also behind blanks and apostrophes, of which it drops the first."""


def printable(text: str) -> str:
    r"""Show what a terminal would obey instead of show as an escape: ``\x1b``, ``\n``, ``\u202e``."""
    return UNPRINTABLE.sub(_escaped, text)


def json_text(value: Any, indent: int | None = 1) -> str:
    r"""Encode a value as JSON that can be printed: what :func:`printable` escapes stands there as ``\u001b``."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda match: match[0] if match[0] == "\n" else json.dumps(match[0])[1:-1], text)


def csv_bytes(header: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Encode a CSV file: UTF-8, its text as of :func:`csv_cell`; the same bytes for the same rows."""
    buffer = io.StringIO()
    plain = csv.writer(buffer, lineterminator="\n")
    quoting = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # Python 3.13 does it by itself
    plain.writerow(header)
    for row in rows:
        cells = [csv_cell(cell) if isinstance(cell, str) else cell for cell in row]
        (quoting if any("\r" in cell for cell in cells if isinstance(cell, str)) else plain).writerow(cells)
    return buffer.getvalue().encode(errors="backslashreplace")


def csv_cell(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula; numbers are left as they are."""
    return f"'{text}" if _FORMULA.match(text) else text


def from_csv_cell(cell: str) -> str:
    """Give back the text of which :func:`csv_cell` made a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
