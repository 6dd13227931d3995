"""The members of a sample: their names, what the JSON one says, and where the manifest finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace

from matting_data.records import Sample

MEMBERS = ("image", "alpha", "trimap", "json")
"""The members of every sample, in their order in the tar; their fields add an extension (``image.jpg``)."""


def member_of(field: str) -> str:
    """Return the member that a field with extension belongs to: ``image.jpg`` → ``image``."""
    return field.partition(".")[0]


def sample_json(row: Sample) -> bytes:
    """Return what a sample says of itself: its manifest row without the places in the tar."""
    places = {f"{member}{part}" for member in MEMBERS for part in ("", "_offset", "_bytes")}
    values = {field.name: getattr(row, field.name) for field in fields(row) if field.name not in places}
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()


def with_places(row: Sample, places: Mapping[str, tuple[str, int, int]]) -> Sample:
    """Return a manifest row that knows where its members lie: field → (name, offset, length)."""
    values: dict[str, str | int] = {}
    for field, (name, offset, length) in places.items():
        member = member_of(field)
        values |= {member: name, f"{member}_offset": offset, f"{member}_bytes": length}
    return replace(row, **values)  # type: ignore[arg-type]
