"""Locks on files of this machine's file systems. The kernel frees them when their process ends, however that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor

from matting_data.errors import StorageError
from matting_data.storage.atomic import storage_errors

_PATIENCE = 0.2
"""Seconds; :func:`file_is_locked` of another process holds the lock for less."""


@contextmanager
def file_lock(path: Path, busy: str) -> Iterator[None]:
    """Lock a file for the block, and set its time of change; StorageError `busy` where another process holds it."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(path).acquire(timeout=_PATIENCE)
        except Timeout:
            raise StorageError(busy) from None
    with held:
        os.utime(path)
        yield


def file_is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock of :func:`file_lock`; only the right to read the file is needed."""
    try:
        with open(path, "rb") as stream:  # closing it frees the lock
            return not lock_descriptor(stream.fileno(), blocking=False)
    except OSError:
        return False
