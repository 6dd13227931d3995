"""Threads that wait for the network, and a caller that can be interrupted at any time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_TICK = 0.5
_PATIENCE = 2.0


def in_threads(
    tasks: Iterable[Task],
    work: Callable[[Task], Result],
    threads: int,
    stop: Callable[[], None],
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Yield the results of `work` as they come.

    Each task gets a thread of its own when one of `threads` places is free, so that the iterable of tasks may be long.
    Threads are daemons, unlike those of ``ThreadPoolExecutor``, which Python joins before it exits: one that hangs in
    a read delays the end of an interrupted run by two seconds at most.

    Parameters
    ----------
    stop : callable
        Makes `work` end soon in all threads; called when the caller goes away or anything was raised.
    tick : callable
        Called about twice a second while waiting, in the caller's thread.

    Raises
    ------
    BaseException
        The first that `work` raised.
    """
    running: set[Future[Result]] = set()

    def ended() -> Iterator[Result]:
        done = wait(running, _TICK, FIRST_COMPLETED).done
        running.difference_update(done)
        yield from (future.result() for future in done)
        tick()

    try:
        for task in tasks:
            running.add(_start(work, task))
            while len(running) >= threads:
                yield from ended()
        while running:
            yield from ended()
    except BaseException:
        stop()
        wait(running, _PATIENCE)
        raise


def _start(work: Callable[[Task], Result], task: Task) -> Future[Result]:
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work(task))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
