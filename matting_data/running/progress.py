"""One line of progress with rate and time left, on a terminal only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


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
    """Return a progress bar on standard error that is silent when that is no terminal."""
    return tqdm(
        total=total, initial=done, desc=label, unit=f" {unit}", disable=None, dynamic_ncols=True, smoothing=0.05
    )
