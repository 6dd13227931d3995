"""Fetch files into one folder: keep those that are there, download the rest, and record where each one ended."""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from matting_data.errors import UsageError
from matting_data.fetching.client import Client, Throttle
from matting_data.fetching.download import download
from matting_data.fetching.fetch_ledger import Fetched, Ledger, open_ledger, read_ledger
from matting_data.fetching.wanted import Wanted
from matting_data.imaging.limits import MAX_PIXELS

Task = TypeVar("Task")
Result = TypeVar("Result")

_LOG = logging.getLogger(__package__)

_HOPELESS = 20
_TICK = 0.5
_PATIENCE = 2.0


@dataclasses.dataclass(frozen=True)
class FetchOptions:
    """How to fetch.

    Attributes
    ----------
    jobs : int
        Files at a time.
    tries : int
        For one file, before it has failed.
    timeout : float
        Seconds without an answer, or with less than a kilobyte, after which a try fails.
    first_wait : float
        Seconds of the first back-off; later ones double.
    requests_per_second, bytes_per_second : float, optional
        Limits over all jobs.
    retry_rejected : bool
        Ask again for what an earlier run found cannot be had.
    max_pixels : int
        Images whose header claims more are not kept.
    """

    jobs: int = 8
    tries: int = 5
    timeout: float = 30.0
    first_wait: float = 0.5
    requests_per_second: float | None = None
    bytes_per_second: float | None = None
    retry_rejected: bool = False
    max_pixels: int = MAX_PIXELS


@dataclasses.dataclass
class FetchResult:
    """Where everything asked for ended; ``written``, ``rejected`` and ``failed`` make ``total``.

    Attributes
    ----------
    total, written : int
        Files asked for that have ended, and those that are there now.
    kept : int
        Of those written, how many an earlier run had written.
    settled : int
        Of all, how many an earlier run had written or found cannot be had.
    rejected, failed : Counter
        Reason → files.
    bytes : int
        Received in this run, including what came in vain.
    problems : list of Fetched
        The first hundred rows that are not ``written``.
    """

    total: int = 0
    written: int = 0
    kept: int = 0
    settled: int = 0
    rejected: Counter[str] = dataclasses.field(default_factory=Counter)
    failed: Counter[str] = dataclasses.field(default_factory=Counter)
    bytes: int = 0
    problems: list[Fetched] = dataclasses.field(default_factory=list)

    def count(self, row: Fetched, settled: bool = False) -> None:
        """Count a row, which an earlier run may have settled."""
        self.total += 1
        self.settled += settled
        if row.outcome == "written":
            self.written += 1
            self.kept += settled
            return
        (self.rejected if row.outcome == "rejected" else self.failed)[row.reason] += 1
        if len(self.problems) < 100:
            self.problems.append(row)

    def as_mapping(self) -> dict[str, Any]:
        """Give the counts as plain values, reasons in alphabetical order."""
        counts = {name: value for name, value in vars(self).items() if name not in ("settled", "problems")}
        return {name: dict(sorted(n.items())) if isinstance(n, Counter) else n for name, n in counts.items()}


def fetch(
    asked: Iterable[Wanted | Fetched],
    folder: Path,
    options: FetchOptions | None = None,
    progress: Callable[[FetchResult], None] = lambda result: None,
) -> FetchResult:
    """Fetch files into `folder` and write its ledger.

    Files that the ledger knows and that still have their length are not asked for again, nor is what was found to be
    gone. A file of unknown origin is accepted when its hash, or every pixel of it, is in order. When twenty files in
    a row (or four a job) have failed, the rest is not tried: the network or the server is down.

    Parameters
    ----------
    asked : iterable of Wanted or Fetched
        Each id once: a file to fetch, or the row of what cannot be asked for.
    folder : Path
        Created if need be; files lie in it side by side.
    progress : callable
        Called in the caller's thread with the counts so far, when files have ended and about twice a second.

    Raises
    ------
    StorageError
        The folder cannot be written, or another run fetches into it.
    DamageError
        Its ledger cannot be read.
    """
    options = options or FetchOptions()
    throttle = Throttle(options.requests_per_second, options.bytes_per_second)
    client = Client(throttle, options.jobs, options.timeout)
    result = FetchResult()
    work = partial(
        download,
        folder=folder,
        client=client,
        tries=options.tries,
        first_wait=options.first_wait,
        max_pixels=options.max_pixels,
    )

    def tick() -> None:
        result.bytes = throttle.received
        progress(result)

    _LOG.info("fetching into %s: %d at a time", folder, options.jobs)
    with open_ledger(folder) as ledger:
        run = _Run(folder, ledger, options, result)
        for row in in_threads(run.to_fetch(asked), work, options.jobs, throttle.stop, tick):
            run.failed_in_a_row = run.failed_in_a_row + 1 if row.outcome == "failed" else 0
            run.record(row)
            _LOG.debug("%s: %s %s", row.id, row.outcome, row.reason or "")
        tick()
        ledger.close()
    counts = result.written, result.rejected.total(), result.failed.total()
    _LOG.info("fetched into %s: %d written, %d rejected, %d failed", folder, *counts)
    return result


def missing(asked: Iterable[Wanted | Fetched], folder: Path) -> Iterator[Wanted | Fetched]:
    """Yield the files that `folder` lacks and the rows of what cannot be asked for, without any request.

    A file counts as there when it has the length the ledger or the metadata tells, or any length when neither does.
    """
    written = read_ledger(folder).filter(outcome="written")
    lengths = dict(zip(written["id"], written["bytes"], strict=True))
    for item in asked:
        if isinstance(item, Fetched) or not _is_there(folder, item, lengths.get(item.id, item.bytes)):
            yield item


@dataclasses.dataclass
class _Run:
    """One run's bookkeeping, all of it in the caller's thread."""

    folder: Path
    ledger: Ledger
    options: FetchOptions
    result: FetchResult
    failed_in_a_row: int = 0

    def to_fetch(self, asked: Iterable[Wanted | Fetched]) -> Iterator[Wanted]:
        """Yield the files to download; record those that are settled, and those that cannot be asked for."""
        seen: set[str] = set()
        for item in asked:
            if item.id in seen:
                raise UsageError(f"{item.id!r} is asked for twice: name each file once")
            seen.add(item.id)
            if isinstance(item, Fetched):
                self.record(item)
            elif before := self._settled(item):
                self.result.count(before, settled=True)
            elif self.failed_in_a_row >= max(_HOPELESS, 4 * self.options.jobs):
                detail = f"not asked for: {self.failed_in_a_row} files before it failed in a row"
                self.record(Fetched(item.id, "failed", "not_tried", detail, url=item.url))
            else:
                yield item

    def record(self, row: Fetched) -> None:
        """Record where a file ended."""
        self.ledger.add(row)
        self.result.count(row)

    def _settled(self, item: Wanted) -> Fetched | None:
        """Look up where an earlier run left a file; None if it has to be fetched again."""
        before = self.ledger.settled(item.id)
        if before is None:
            return None
        if before.outcome == "written":
            again = not _is_there(self.folder, item, before.bytes)
        else:
            again = self.options.retry_rejected or before.url != item.url or (self.folder / item.name).exists()
        return None if again else before


def _is_there(folder: Path, item: Wanted, length: int) -> bool:
    path = folder / item.name
    found = path.stat().st_size if path.is_file() else 0
    return found > 0 and found == (length or found)


def in_threads(
    tasks: Iterable[Task],
    work: Callable[[Task], Result],
    threads: int,
    stop: Callable[[], None],
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Yield the results of `work` as they come.

    Tasks are taken as threads become free, so that their iterable may be long. Threads are daemons, unlike those of
    ``ThreadPoolExecutor``, which Python joins before it exits: one that hangs in a read delays the end of an
    interrupted run by two seconds at most.

    Parameters
    ----------
    stop : callable
        Makes `work` end soon in all threads; called when the caller stops iterating or anything was raised.
    tick : callable
        Called in the caller's thread after results have come, and about twice a second while waiting.

    Raises
    ------
    BaseException
        The first that `work` raised.
    """
    waiting: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[Future[Result]] = queue.SimpleQueue()
    pending = 0

    def ended() -> Iterator[Result]:
        nonlocal pending
        with suppress(queue.Empty):
            future = done.get(timeout=_TICK)
            pending -= 1
            yield future.result()
        tick()

    def serve() -> None:
        while (task := waiting.get()) is not None:
            future: Future[Result] = Future()
            try:
                future.set_result(work(task))
            except BaseException as error:
                future.set_exception(error)
            done.put(future)

    pool = [threading.Thread(target=serve, daemon=True) for _ in range(threads)]
    for thread in pool:
        thread.start()
    try:
        for task in tasks:
            waiting.put(task)
            pending += 1
            while pending >= 2 * threads:
                yield from ended()
        while pending:
            yield from ended()
    except BaseException:
        stop()
        raise
    finally:
        for _ in pool:
            waiting.put(None)
        deadline = time.monotonic() + _PATIENCE
        for thread in pool:
            thread.join(max(0.0, deadline - time.monotonic()))
