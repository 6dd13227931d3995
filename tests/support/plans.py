"""Recipes and records for plans, without files."""

from __future__ import annotations

import hashlib
from typing import Any

from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import validate
from matting_data.records.checked import CheckedBackground, CheckedForeground


def recipe(**changes: object) -> Recipe:
    """A recipe without detector; `changes` are values by dotted key with ``__`` for the dot."""
    document: dict[str, object] = {
        "name": "p",
        "seed": 3,
        "foregrounds": {"sources": [{"layout": "rgba", "root": "people"}], "split": {"test": 2}},
        "backgrounds": {"sources": [{"layout": "folder", "root": "photos"}], "humans": {"detector": "none"}},
        "composites": {"per_foreground": 3},
        "store": {"samples_per_shard": 6},
    }
    for key, value in changes.items():
        *parents, last = key.split("__")
        node: dict[str, Any] = document
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
    return validate(document)


def fingerprint(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def people(count: int) -> list[CheckedForeground]:
    return [
        CheckedForeground(f"f{i}", "s", f"{i}.png", subset="ab"[i % 2], fingerprint=fingerprint(f"f{i}"))
        for i in range(count)
    ]


def photos(count: int) -> list[CheckedBackground]:
    return [
        CheckedBackground(f"b{i}", "s", f"{i}.jpg", sha256=f"{i}", fingerprint=fingerprint(f"b{i}"))
        for i in range(count)
    ]
