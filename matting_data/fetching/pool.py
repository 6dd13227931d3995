"""Threads that wait for the network, and a caller that can be interrupted at any time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
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

    Threads are daemons: one that hangs in a read delays the end of an interrupted run by two seconds at most. Tasks
    are taken as threads become free, so that their iterable may be long.

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
    waiting: queue.SimpleQueue[tuple[Task] | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()

    def serve() -> None:
        while (task := waiting.get()) is not None:
            try:
                done.put((work(*task), None))
            except BaseException as error:
                done.put((None, error))

    def collect() -> Result:
        while True:
            try:
                result, error = done.get(timeout=_TICK)
            except queue.Empty:
                tick()
                continue
            if error is not None:
                raise error
            return result  # type: ignore[return-value]

    pool = [threading.Thread(target=serve, name=f"fetch-{number}", daemon=True) for number in range(threads)]
    for thread in pool:
        thread.start()
    pending, finished = 0, False
    try:
        for task in tasks:
            if pending >= 2 * threads:
                yield collect()
                pending -= 1
            waiting.put((task,))
            pending += 1
        for _ in range(pending):
            yield collect()
        finished = True
    finally:
        if not finished:
            stop()
            with suppress(queue.Empty):
                while True:
                    waiting.get_nowait()
        for _ in pool:
            waiting.put(None)
        deadline = time.monotonic() + _PATIENCE
        for thread in pool:
            thread.join(max(0.0, deadline - time.monotonic()))
