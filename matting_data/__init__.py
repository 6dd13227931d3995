"""mattingdata: human-matting training sets, composited, filtered, verified and sharded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matting_data import forks as forks  # first: it has to see every fork
from matting_data.version import __version__

if TYPE_CHECKING:
    from matting_data.readers.dataset import open as open  # the lazy one below, for type checkers

__all__ = ["__version__", "open"]


def __getattr__(name: str) -> Any:
    """Import :func:`matting_data.readers.dataset.open` when it is first asked for: the command line starts without."""
    if name == "open":
        from matting_data.readers.dataset import open

        return open
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
