"""Locks on files of this machine's file systems. The kernel frees them when their process ends, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor

from matting_data.errors import StorageError
from matting_data.storage.atomic import storage_errors
from matting_data.storage.beneath import folder_of
from matting_data.storage.regular_files import open_regular

_PATIENCE = 0.2
"""Seconds; :func:`file_is_locked` of another process holds the lock for less."""


@contextmanager
def file_lock(path: Path, busy: str, root: Path | None = None) -> Iterator[None]:
    """Lock a file for the block, and set its time of change; StorageError `busy` where another process holds it.

    Parameters
    ----------
    root : Path, optional
        A folder above the file, below which no link is followed: UsageError names one that lies in the way. The file
        itself must not be a link either.
    """
    with storage_errors(path), folder_of(path, root) as folder:
        folder.require_file(path.name, links=False)
        try:
            held = FileLock(path).acquire(timeout=_PATIENCE)
        except Timeout:
            raise StorageError(busy) from None
        folder.set_time(path.name)
    with held:
        yield


def file_is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock of :func:`file_lock`; only the right to read the file is needed."""
    try:
        with open_regular(path) as stream:  # closing it frees the lock
            return not lock_descriptor(stream.fileno(), blocking=False)
    except OSError:
        return False
