"""Running many independent tasks: in this process, in processes of this machine, or on a Ray cluster.

A task is a picklable callable; what it sets up on first use (a detector, a decoded table) stays in its process.
Results come back as they finish, so nothing that decides bytes may depend on their order, and a task may run more than
once for an item where a process or a machine was lost.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from matting_data.running.local_processes import run_here, run_in_processes

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Where tasks run."""

    def run(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
        """Yield ``task(item)`` once for each item, in the order in which they finish; errors as of :func:`run`."""


@runtime_checkable
class ReadsFiles(Protocol):
    """A task that can tell which files it reads, so that a machine which does not see them is told apart."""

    def files(self, item: Any) -> Iterator[Path]:
        """Yield the local files that the task needs for an item."""


Workers = int | Executor
"""A number of processes of this machine, 1 being this one, or an executor."""


def default_workers() -> int:
    """Count the processors that this process may use; outside Linux, all of the machine."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    else:
        return min(os.cpu_count() or 1, 61)  # Windows can wait for no more processes


def run(task: Callable[[Item], Result], items: Iterable[Item], workers: Workers) -> Generator[Result, None, None]:
    """Yield ``task(item)`` for all items, in the order in which they finish.

    Parameters
    ----------
    task : callable
        Picklable, unless `workers` is 1.
    items : iterable
        Drawn from lazily: few are under way at a time.
    workers : int or Executor
        Where to run.

    Raises
    ------
    MattingDataError
        A worker process died (most often for want of memory); what the tasks raise is passed on.
    """
    if not isinstance(workers, int):
        return workers.run(task, items)
    return run_in_processes(task, items, workers) if workers > 1 else run_here(task, items)


def at_most(workers: Workers, items: int) -> Workers:
    """Limit `workers` to the number of items, where they are processes of this machine."""
    return min(workers, max(1, items)) if isinstance(workers, int) else workers
