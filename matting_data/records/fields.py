"""Reading records by their fields; ``dataclasses.astuple`` would copy every value."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

Wider = TypeVar("Wider")


def field_names(record: type) -> tuple[str, ...]:
    """List the names of a record class's fields, in order."""
    return tuple(field.name for field in dataclasses.fields(record))


def values(record: object, kind: type | None = None) -> tuple[Any, ...]:
    """Read the values of a record: all, or those of the fields (two or more) that the class `kind` has."""
    result: tuple[Any, ...] = _getter(kind or type(record))(record)
    return result


def widened(record: object, kind: type[Wider], **more: Any) -> Wider:
    """Make the record of the next stage, a subclass: its new fields are unknown, but for those given."""
    return kind(*values(record), **more)


@lru_cache
def _getter(record: type) -> attrgetter[Any]:
    return attrgetter(*field_names(record))
