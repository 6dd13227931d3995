"""From the Markdown that cards are written in to HTML: headings, paragraphs, lists, tables, bold and code."""

from __future__ import annotations

import html
import re

_ESCAPED = re.compile(r"\\([\\`*\[\]<>|#~_])")
_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_CELLS = re.compile(r"(?<!\\)\|")


def from_markdown(text: str) -> str:
    """Convert the Markdown that this package writes to HTML; what it escaped stays text."""
    return "\n".join(_block(block) for block in re.split(r"\n{2,}", text.strip()) if block)


def _block(block: str) -> str:
    lines = block.split("\n")
    if match := re.match(r"(#{1,4}) (.*)", block):
        level = len(match[1])
        return f"<h{level}>{_inline(match[2])}</h{level}>"
    if all(line.startswith("- ") for line in lines):
        return "<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>"
    if len(lines) > 1 and lines[0].startswith("|"):
        header, rule, *rows = [[cell.strip() for cell in _CELLS.split(line)[1:-1]] for line in lines]
        sides = [' class="right"' if cell.endswith(":") else "" for cell in rule]
        return (
            "<table><thead>" + _row("th", header, sides) + "</thead><tbody>"
            + "".join(_row("td", cells, sides) for cells in rows) + "</tbody></table>"
        )  # fmt: skip
    return f"<p>{_inline(' '.join(lines))}</p>"


def _row(tag: str, cells: list[str], sides: list[str]) -> str:
    inner = "".join(f"<{tag}{side}>{_inline(cell)}</{tag}>" for cell, side in zip(cells, sides, strict=False))
    return f"<tr>{inner}</tr>"


def _inline(text: str) -> str:
    # escaped characters stand aside as private ones, so that nothing takes them for marks
    kept = _ESCAPED.sub(lambda match: chr(0xE000 + ord(match[1])), text)
    marked = _BOLD.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", html.escape(kept)))
    return re.sub("[\ue000-\ue07f]", lambda match: html.escape(chr(ord(match[0]) - 0xE000)), marked)
