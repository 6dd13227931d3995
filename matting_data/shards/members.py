"""The members of a sample: their names, what the JSON one says, and where the manifest finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from matting_data.imaging.geometry import Placement
from matting_data.imaging.trimap import Radii
from matting_data.records.planned import PlannedForeground
from matting_data.records.stored import Sample
from matting_data.shards.names import MEMBERS

_PLACES = {f"{member}{part}" for member in MEMBERS for part in ("", "_offset", "_bytes")}

COLUMNS = tuple(field.name for field in fields(Sample) if field.name not in _PLACES)
"""Columns of a manifest that mean something outside the tar."""


def member_of(field: str) -> str:
    """Name the member that a field with extension belongs to: ``image.jpg`` and ``foreground.webp`` → ``image``."""
    name = field.partition(".")[0]
    return "image" if name == "foreground" else name


def sample_json(row: Sample) -> bytes:
    """Encode a sample's own JSON: its manifest row without the places in the tar."""
    values = {name: getattr(row, name) for name in COLUMNS}
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()


def foreground_json(record: PlannedForeground) -> bytes:
    """Encode the own JSON of a foreground in a store of layers."""
    names = ("id", "split", "subset", "license", "author", "url", "width", "height", "x0", "y0", "x1", "y1", "coverage")
    values = {name: getattr(record, name) for name in names}
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()


def with_places(row: Sample, places: Mapping[str, tuple[str, int, int]]) -> Sample:
    """Copy a manifest row and fill in where its members lie: field → (name, offset, length)."""
    values: dict[str, Any] = {}
    for field, (name, offset, length) in places.items():
        member = member_of(field)
        values |= {member: name, f"{member}_offset": offset, f"{member}_bytes": length}
    return replace(row, **values)


def placement_of(row: Sample) -> Placement:
    """Read from a manifest row how its background is enlarged and cut."""
    return Placement(row.background_width, row.background_height, row.background_x, row.background_y)


def radii_of(row: Sample) -> Radii:
    """Read the structuring elements of the trimap from a manifest row."""
    return Radii("disc" if row.trimap_kind == "adaptive" else "ellipse", row.trimap_dilate, row.trimap_erode)
