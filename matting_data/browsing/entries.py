"""What is to be seen of one sample, before FiftyOne knows of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Value = str | int | float | bool | list[str] | None


@dataclass(frozen=True)
class Picture:
    """A file to be made: its name in the cache, and what makes its bytes.

    `make` may raise RejectedInput where the pixels are not at hand.
    """

    name: str
    make: Callable[[], bytes]


@dataclass(frozen=True)
class Box:
    """A detection: label, score in [0, 1], and x, y, width, height as shares of the image."""

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Entry:
    """One sample of a FiftyOne dataset.

    Attributes
    ----------
    key : str
        Tells it from the others.
    identity : str
        Of all that is shown of it: another one replaces the sample.
    size : (int, int)
        Width and height of the original, in pixels.
    fields : mapping
        Field → value; None for unknown ones.
    image, overlays
        Its files; overlays by field.
    boxes : mapping
        Field → detections.
    """

    key: str
    identity: str
    size: tuple[int, int]
    fields: Mapping[str, Value]
    image: Picture
    overlays: Mapping[str, Picture] = field(default_factory=dict)
    boxes: Mapping[str, Sequence[Box]] = field(default_factory=dict)

    @property
    def pictures(self) -> list[Picture]:
        """All its files, the image first."""
        return [self.image, *self.overlays.values()]


def identity_of(*parts: object) -> str:
    """Hash what decides how a sample looks, to 16 hexadecimal digits."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
