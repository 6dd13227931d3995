"""Keep two builds from writing to one object store.

A folder has :mod:`matting_data.storage.file_lock`. Object stores have no locks, so a build creates an object, on the
condition that there is none, and rewrites it twice a minute as a sign of life; another build takes over an object that
is older than :data:`STALE` seconds. That is best effort: a build that hangs longer than that and comes back finds out
when it next rewrites the object, at the latest before it writes ``dataset.json``.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from matting_data.errors import DamageError, StorageError
from matting_data.json_text import parse_json
from matting_data.storage import Storage, open_storage
from matting_data.storage.atomic import process_runs

LOCK = ".work/lock"

STALE = 180.0
"""Seconds without a sign of life after which another build takes over the lock of an object store."""

_BEAT = 30.0

_DAMAGED = (DamageError, ValueError, TypeError, KeyError)

Held = Callable[[], None]
"""Raises StorageError when another build took the lock over."""


@contextmanager
def object_lock(out: Storage) -> Iterator[Held]:
    """Hold an object store for one build.

    Yields
    ------
    callable
        To be called before anything is written that another build must not find replaced.

    Raises
    ------
    StorageError
        Another build holds it, or the store refuses.
    """
    lease = _Lease(out)
    lease.acquire()
    beat = threading.Thread(target=lease.beat, daemon=True)
    beat.start()
    try:
        yield lease.require
    finally:
        lease.done.set()
        beat.join(_BEAT)  # no longer: where the store cannot be reached, waiting helps nobody
        lease.release()


def holder(out: Storage, now: float | None = None) -> dict[str, Any] | None:
    """Read who holds the lock of an object store, with ``began`` in seconds since 1970; None where nobody does.

    Parameters
    ----------
    now : float, optional
        By the clock of the store; by default this machine's.
    """
    try:
        found = parse_json(out.read(LOCK), LOCK)
        age = (time.time() if now is None else now) - out.info(LOCK).modified
        dead = found["host"] == _machine() and not process_runs(int(found["process"]))
        return None if age > STALE or dead else {**found, "age": max(0.0, age)}
    except _DAMAGED:
        return None


class _Lease:
    """The lock object of one build."""

    def __init__(self, out: Storage) -> None:
        self._out, self._once = out, open_storage(out.name, out.options, tries=1)
        self._id = uuid.uuid4().hex
        state = {"id": self._id, "host": _machine(), "process": os.getpid(), "began": time.time()}
        self._content = json.dumps(state).encode()
        self.done, self._lost = threading.Event(), False

    def acquire(self) -> None:
        if self._out.create(LOCK, self._content) or self._is_own():  # its own, where the store's answer was lost
            return
        other = holder(self._out, self._store_time())
        if other is not None:
            raise StorageError(
                f"another build is writing to {self._out}, on {other['host']}, with a sign of life {other['age']:.0f} "
                f"seconds ago: wait for it; if it was killed, run the same command again after {STALE:.0f} seconds "
                f"without one, or delete {self._out.label(LOCK)}"
            )
        self._out.remove(LOCK)  # of a build that was killed
        if not self._out.create(LOCK, self._content):
            raise StorageError(f"another build has just begun to write to {self._out}: wait for it")

    def beat(self) -> None:
        while not self._lost and not self.done.wait(_BEAT):
            with suppress(StorageError):  # the network may be back for the next one
                if self._keeps():
                    self._once.write(LOCK, self._content)

    def require(self) -> None:
        if not self._keeps():
            raise StorageError(
                f"another build took {self._out} over, since this one gave no sign of life for {STALE:.0f} seconds: "
                "run the same command again when that one has ended"
            )

    def release(self) -> None:
        with suppress(StorageError):
            if self._keeps():
                self._once.remove(LOCK)

    def _keeps(self) -> bool:
        """Tell whether no other build took the lock over; once lost, it stays lost."""
        self._lost = self._lost or not self._is_own()
        return not self._lost

    def _is_own(self) -> bool:
        try:
            return bool(parse_json(self._once.read(LOCK), LOCK)["id"] == self._id)
        except _DAMAGED:
            return False

    def _store_time(self) -> float:
        """Read the clock of the store off an object written now."""
        probe = f"{LOCK}-{self._id}"
        self._out.write(probe, b"")
        try:
            return self._out.info(probe).modified
        finally:
            self._out.remove(probe)


def _machine() -> str:
    """Name this machine; on Linux differently after each boot, so that no new process passes for one from before."""
    boot = ""
    if sys.platform == "linux":
        with suppress(OSError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    return f"{socket.gethostname()} {boot}".strip()
