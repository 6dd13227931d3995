"""Progress with rate and time left: one line on a terminal, elsewhere a line a minute in the log."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

LOG = logging.getLogger(__package__)
"""Where progress goes without a terminal."""

_EVERY = 60.0
"""Seconds between lines of the log."""


def track(items: Iterable[Item], total: int, label: str, unit: str, done: int = 0) -> Iterator[Item]:
    """Yield `items`, showing how far they have come.

    Parameters
    ----------
    total : int
        Number of units in all.
    label, unit : str
        What is done, and to what.
    done : int
        Units finished by an earlier run; they count, but not towards the rate.
    """
    with bar(total, label, unit, done) as progress:
        for item in items:
            progress.update(1)
            yield item


def bar(total: int, label: str, unit: str, done: int = 0) -> tqdm:
    """Make a progress bar on standard error, or one that logs at level INFO where that is not a terminal."""
    about = {"total": total, "initial": done, "desc": label, "unit": f" {unit}", "smoothing": 0.05}
    if sys.stderr is not None and sys.stderr.isatty():
        return tqdm(**about, dynamic_ncols=True)
    form = "{desc}: {n_fmt} of {total_fmt}{unit}, {rate_fmt}, {remaining} left"
    return tqdm(**about, file=_Log(), bar_format=form, ncols=120, mininterval=_EVERY, maxinterval=_EVERY, miniters=1,
                delay=_EVERY)  # fmt: skip


class _Log(io.StringIO):
    """What tqdm writes to: each line becomes a record of the log."""

    def write(self, text: str) -> int:
        if text.strip():
            LOG.info("%s", text.strip())
        return len(text)
