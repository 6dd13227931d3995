"""Keeping two builds out of one place.

In a folder, the kernel locks a file for as long as the process lives. In an object store there is nothing like it, so a
build creates an object, on the condition that there is none, and writes it anew twice a minute; one that was not
written for :data:`STALE` seconds belongs to a build that is no more. That is best effort: a build that hangs longer
than that and comes back finds out when it next writes the object, at the latest before it writes ``dataset.json``.
"""

from __future__ import annotations

import copy
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from matting_data.errors import StorageError
from matting_data.storage import MissingFileError, Storage
from matting_data.storage.atomic import storage_errors

LOCK = ".work/lock"

STALE = 180.0
"""Seconds without a sign of life after which the lock of an object store is taken over."""

_BEAT = 30.0

Held = Callable[[], None]
"""Raises StorageError when the lock went to another build."""


@contextmanager
def file_lock(path: Path, busy: str) -> Iterator[Held]:
    """Lock a file of the local disk; StorageError `busy` where another process has."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644), "w")
        os.utime(path)  # when this build began
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(busy) from None
        yield lambda: None


def file_is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock of :func:`file_lock`."""
    try:
        with open(path) as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


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
        lease.stop()
        beat.join(_BEAT)  # no longer: where the store cannot be reached, waiting helps nobody
        lease.release()


def holder(out: Storage, now: float | None = None) -> dict[str, Any] | None:
    """Return who holds the lock of an object store, with ``began`` in seconds since 1970; None where nobody does.

    Parameters
    ----------
    now : float, optional
        By the clock of the store; by default this machine's.
    """
    try:
        found = json.loads(out.read(LOCK))
        age = (time.time() if now is None else now) - out.info(LOCK).modified
        return None if age > STALE or _dead(found) else {**found, "age": max(0.0, age)}
    except (MissingFileError, ValueError, TypeError, KeyError):
        return None


class _Lease:
    """The lock object of one build."""

    def __init__(self, out: Storage) -> None:
        self._out = out
        self._id = uuid.uuid4().hex
        self._state = {"id": self._id, "host": _machine(), "process": os.getpid(), "began": time.time()}
        self._done, self._lost = threading.Event(), False
        self._once = copy.copy(out)
        self._once.tries = 1

    def acquire(self) -> None:
        content = json.dumps(self._state).encode()
        if self._out.create(LOCK, content) or self._is_own():  # its own, where the store's answer was lost
            return
        other = holder(self._out, self._now())
        if other is not None:
            raise StorageError(
                f"another build is writing to {self._out}, on {other['host']}, with a sign of life {other['age']:.0f} "
                f"seconds ago: wait for it; if it was killed, run the same command again after {STALE:.0f} seconds "
                f"without one, or delete {self._out.label(LOCK)}"
            )
        self._out.remove(LOCK)  # of a build that was killed
        if not self._out.create(LOCK, content):
            raise StorageError(f"another build has just begun to write to {self._out}: wait for it")

    def beat(self) -> None:
        while not self._done.wait(_BEAT):
            with suppress(StorageError):  # the network may be back for the next one
                if not self._is_own():
                    self._lost = True
                    return
                self._once.write(LOCK, json.dumps(self._state).encode())

    def stop(self) -> None:
        self._done.set()

    def require(self) -> None:
        if self._lost or not self._is_own():
            self._lost = True
            raise StorageError(
                f"another build took {self._out} over, since this one gave no sign of life for {STALE:.0f} seconds: "
                "run the same command again when that one has ended"
            )

    def release(self) -> None:
        with suppress(StorageError):
            if not self._lost and self._is_own():
                self._once.remove(LOCK)

    def _now(self) -> float:
        """Return the time by the clock of the store."""
        probe = f"{LOCK}-{self._id}"
        self._out.write(probe, b"")
        try:
            return self._out.info(probe).modified
        finally:
            self._out.remove(probe)

    def _is_own(self) -> bool:
        try:
            return bool(json.loads(self._once.read(LOCK))["id"] == self._id)
        except (MissingFileError, ValueError, TypeError, KeyError):
            return False


def _dead(lock: dict[str, Any]) -> bool:
    """Tell whether a lock is of a process of this machine that has ended."""
    if lock["host"] != _machine():
        return False
    try:
        os.kill(int(lock["process"]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _machine() -> str:
    """Return a name that two machines do not share, nor one before and after it was started."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        boot = ""
    return f"{socket.gethostname()} {boot}".strip()
