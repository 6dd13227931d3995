"""What the classes of a recipe have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=40)]

Layouts = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Keys that each layout needs, and those that it may have."""

Profile = Literal["to_srgb", "ignore"]
"""Whether colours are converted to sRGB from another profile that a file carries, or taken as they are stored."""


def converts_profiles(source: Any) -> bool:
    """Tell whether a source's colours become sRGB; by default the bundled sample's stay as they are."""
    default = "ignore" if source.layout == "bundled" else "to_srgb"
    return (source.profile or default) == "to_srgb"


def require_for_layout(source: Any, layouts: Layouts) -> None:
    """Raise ValueError when a source lacks a key that its layout needs, or has one that only other layouts know.

    Parameters
    ----------
    source
        A source of a recipe, with a ``layout``.
    layouts : Layouts
        Of all sources of its kind.
    """
    required, optional = layouts[source.layout]
    for key in dict.fromkeys(key for needed, may in layouts.values() for key in needed + may):
        given = getattr(source, key) is not None
        if key in required and not given:
            raise ValueError(f"layout {source.layout!r} needs the key {key!r}")
        if given and key not in required + optional:
            raise ValueError(f"layout {source.layout!r} has no key {key!r}: remove it, or choose another layout")
