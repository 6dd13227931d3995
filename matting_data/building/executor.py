"""Running many independent tasks: in this process, or in worker processes.

A task is a picklable callable; what it sets up on first use (a detector, a decoded table) stays in its process.
Results come back as they finish, so nothing that decides bytes may depend on their order.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import cv2

from matting_data.errors import MattingDataError

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 3
"""Items handed to each worker in advance: enough to keep it busy, few enough to keep memory flat."""

_task: Callable[[Any], Any] | None = None


def default_workers() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0))


def run(task: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Generator[Result, None, None]:
    """Yield ``task(item)`` for all items, in the order in which they finish.

    Parameters
    ----------
    task : callable
        Picklable when `workers` is above 1.
    items : iterable
        Drawn from lazily.
    workers : int
        Processes; 1 runs everything in this one.

    Raises
    ------
    MattingDataError
        A worker process died (most often for want of memory); what the tasks raise is passed on.
    """
    if workers <= 1:
        _settle_opencv()
        for item in items:
            yield task(item)
        return
    # fresh processes: forking one that runs threads (polars, onnxruntime) can lock up
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker, initargs=(task,))
    others = set(multiprocessing.active_children())
    pending: set[Future[Result]] = set()
    source = iter(items)
    try:
        exhausted = False
        while True:
            while not exhausted and len(pending) < workers * _AHEAD:
                try:
                    item = next(source)
                    with _interrupts_held():  # workers start here, and inherit it
                        pending.add(pool.submit(_run_task, item))
                except StopIteration:
                    exhausted = True
            if not pending:
                break
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise MattingDataError(
            "a worker process was killed, most often for want of memory: "
            "run the same command again with fewer --workers"
        ) from None
    except BaseException:
        # Ctrl-C, a full disk, a closed generator: finished work is on disk, nothing running is worth waiting for
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for the block, and for processes started in it: what it means is the parent's to decide."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_worker(task: Callable[[Any], Any]) -> None:
    global _task
    _task = task
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _settle_opencv()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _settle_opencv() -> None:
    """One thread a process; and none of Intel's IPP, whose results depend on the processor."""
    cv2.setNumThreads(1)
    cv2.ipp.setUseIPP(False)


def _follow(parent: BaseProcess) -> None:
    """End this process when its parent has, however that ended."""
    parent.join()
    os._exit(1)


def _run_task(item: Any) -> Any:
    assert _task is not None
    return _task(item)
