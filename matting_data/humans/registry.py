"""Detectors by name. Nothing is imported before a name is asked for."""

from __future__ import annotations

from collections.abc import Callable

from matting_data.errors import UsageError, nearest
from matting_data.humans.detector import Detector


def _default() -> Detector:
    from matting_data.humans.default import DefaultDetector

    return DefaultDetector()


_FACTORIES: dict[str, Callable[[], Detector]] = {"default": _default}


def available() -> list[str]:
    """Return the names :func:`load` accepts, in alphabetical order."""
    return sorted(_FACTORIES)


def load(name: str) -> Detector:
    """Return a new detector.

    Parameters
    ----------
    name : str
        One of :func:`available`; ``"default"`` works offline with the weights inside this package.

    Returns
    -------
    Detector
        Its weights are opened on the first image.

    Raises
    ------
    UsageError
        If the name is unknown.
    """
    factory = _FACTORIES.get(name)
    if factory is None:
        known = ", ".join(available())
        hint = nearest(name, [*available(), "none"])
        raise UsageError(f"unknown human detector {name!r}: available are {known}, and none{hint}")
    return factory()
