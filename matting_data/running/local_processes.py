"""Running tasks in this process, or in worker processes of this machine."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import cv2

from matting_data.errors import OutOfMemoryError
from matting_data.running.raised import WorkerTraceback, portable
from matting_data.running.shared_memory import REMEDY, SHARED, refusal

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOG = logging.getLogger(__package__)

_AHEAD = 3
"""Items handed to each worker in advance: enough to keep it busy, few enough to keep memory flat."""

_task: Any = b""
"""Of this worker; pickled before its first item."""


def run_here(task: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """Yield ``task(item)`` for all items, in order, from this process."""
    settle_opencv()
    for item in items:
        yield task(item)


def run_in_processes(
    task: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[Result, None, None]:
    """Yield ``task(item)`` for all items, from processes of this machine, in the order in which they finish.

    Where there is no shared memory to coordinate processes, everything is done in this one, and the log says so.
    """
    pool = _pool(task, workers)
    if pool is None:
        yield from run_here(task, items)
        return
    others = set(multiprocessing.active_children())
    pending: set[Future[tuple[Any, tuple[Exception, str] | None]]] = set()
    source = iter(items)
    try:
        while True:
            for item in islice(source, workers * _AHEAD - len(pending)):
                with _interrupts_held():  # workers start here, and inherit it
                    pending.add(pool.submit(_run_task, item))
            if not pending:
                break
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                result, raised = future.result()
                if raised is not None:
                    raise raised[0] from WorkerTraceback(raised[1])
                yield result
    except BrokenProcessPool:
        raise OutOfMemoryError(
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


def _pool(task: Any, workers: int) -> ProcessPoolExecutor | None:
    """Make worker processes, all their semaphores first; None where the system has no place for these."""
    # fresh processes: forking one that runs threads (polars, onnxruntime) can lock up
    context, pickled = multiprocessing.get_context("spawn"), pickle.dumps(task)
    try:
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker, initargs=(pickled,))
    except (OSError, ImportError, NotImplementedError) as error:
        if (why := refusal(error)) is None:
            raise
        _say_alone(why)
        return None


@functools.cache
def _say_alone(why: str) -> None:
    """Say once a process that it works without others."""
    _LOG.warning("note: one process does all the work: worker processes need %s (%s); %s", SHARED, why, REMEDY)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for the block, and for processes started in it: what it means is the parent's to decide.

    Windows cannot: there Ctrl-C also ends a worker that is still starting, and with it the run.
    """
    if sys.platform == "win32":
        yield
    else:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_worker(pickled: bytes) -> None:
    global _task
    _task = pickled  # an error of unpickling it here would end the pool as a killed worker does
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def settle_opencv() -> None:
    """One thread a process; and none of Intel's IPP, whose results depend on the processor."""
    cv2.setNumThreads(1)
    cv2.ipp.setUseIPP(False)


def _follow(parent: BaseProcess) -> None:
    """End this process when its parent has, however that ended."""
    parent.join()
    os._exit(1)


def _run_task(item: Any) -> tuple[Any, tuple[Exception, str] | None]:
    """Run the task on an item for its result or what to raise: an error that cannot be pickled would end the pool."""
    global _task
    try:
        if isinstance(_task, bytes):
            settle_opencv()
            _task = pickle.loads(_task)
        task: Any = _task
        return task(item), None
    except Exception as error:
        return None, portable(error)
