"""Pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from matting_data.foreign_text import UNPRINTABLE

_SPECIAL = re.compile(r"([\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w))")
_CONTROL = re.compile(f"{UNPRINTABLE.pattern}+")


def plain(text: str) -> str:
    """Escape a text so that Markdown shows it as it is, on one line; what a recipe says must not format the card."""
    return _SPECIAL.sub(r"\\\1", _CONTROL.sub(" ", text).strip())


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: int | None = None) -> str:
    """Format a Markdown table; columns from number `right` on are aligned to the right."""
    rule = ["---:" if right is not None and column >= right else "---" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])
