"""From tags in FiftyOne to the rows of ``overrides.csv``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from matting_data.recipes.decisions import SUBSET, Decision

WHY = "why:"
"""Prefix of a tag that says why: ``why:a hand at the left edge``."""

Tagged = tuple[str, str, Sequence[str]]
"""Foreground (empty where there is none), background and tags of a sample."""


def collect_tags(dataset: Any, who: str, why: str = "") -> tuple[list[Decision], list[str]]:
    """Collect the decisions that the tags of a FiftyOne dataset stand for, dated now; as :func:`decisions`.

    Parameters
    ----------
    dataset : fiftyone.Dataset
        That ``mattingdata browse`` made.
    who : str
        Who decided.
    why : str
        Of samples without a tag ``why:...``.
    """
    tagged = dataset.match({"tags": {"$ne": []}})
    of_backgrounds = dataset.info.get("shows") == "backgrounds"
    backgrounds, tags = tagged.values(["background", "tags"])
    foregrounds = [""] * len(tags) if of_backgrounds else tagged.values("foreground")
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return decisions(zip(foregrounds, backgrounds, tags, strict=True), who, why, moment)


def decisions(samples: Iterable[Tagged], who: str, why: str, when: str) -> tuple[list[Decision], list[str]]:
    """Turn tags into rows, and into notes about tags that say two things of one input; a pure function.

    On a background, ``human``, ``reject`` and ``clean`` are about it. On a composite, ``human`` is about its
    background, ``reject`` and ``subset:NAME`` about its foreground, and ``clean`` says nothing. Other tags are left
    alone. Two different tags for one input are a note and no row.
    """
    said: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for foreground, background, tags in samples:
        reason = "; ".join(tag.removeprefix(WHY).strip() for tag in tags if tag.startswith(WHY)) or why
        for tag in tags:
            about = _about(tag, foreground, background)
            if about is not None:
                said[about].setdefault(tag, reason)
    rows, notes = [], []
    for (kind, identity), found in said.items():
        if len(found) == 1:
            [(tag, reason)] = found.items()
            rows.append(Decision(kind, identity, tag, who, when, reason))
        else:
            notes.append(f"{kind} {identity} is tagged {' and '.join(sorted(found))}: keep one of the tags")
    return rows, notes


def _about(tag: str, foreground: str, background: str) -> tuple[str, str] | None:
    if tag == "human" or (not foreground and tag in ("reject", "clean")):
        return "background", background
    if foreground and (tag == "reject" or (tag.startswith(SUBSET) and tag != SUBSET)):
        return "foreground", foreground
    return None
