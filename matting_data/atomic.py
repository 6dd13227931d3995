"""The one way anything is written: whole, or not at all.

A file is written beside its target, flushed to the disk, hashed, and renamed over it; a reader sees the old file or
the new one. What a killed process leaves behind carries ``TEMPORARY`` in its name and is removed by the next build.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from matting_data.errors import StorageError

TEMPORARY = ".tmp-"
"""Part of the name of every unfinished file."""

_REASONS = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EROFS: "the file system is read-only: choose another --out",
    errno.EACCES: "writing there is not permitted: choose another --out or change its permissions",
    errno.EPERM: "writing there is not permitted: choose another --out or change its permissions",
    errno.EEXIST: "a part of that path is a file, not a folder: choose another --out",
    errno.ENOTDIR: "a part of that path is a file, not a folder: choose another --out",
}


class HashingFile(io.RawIOBase):
    """A write-only file that keeps the SHA-256 and the length of what went through it."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._digest = hashlib.sha256()
        self._length = 0

    def writable(self) -> bool:
        """Tell that the file takes bytes."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Append `data`, hashing it on the way."""
        with storage_errors(self._path):
            self._stream.write(data)
        self._digest.update(data)
        self._length += len(data)
        return len(data)

    @property
    def bytes_written(self) -> int:
        """Length so far."""
        return self._length

    @property
    def sha256(self) -> str:
        """Hex digest of everything written so far."""
        return self._digest.hexdigest()


@contextmanager
def atomic_file(path: Path) -> Iterator[HashingFile]:
    """Open `path` for writing; it appears, complete, when the block ends without an exception.

    Parameters
    ----------
    path : Path
        Target; its folder is created.

    Yields
    ------
    HashingFile
        Its ``sha256`` and ``bytes_written`` are final after the block's last write.

    Raises
    ------
    StorageError
        When the disk is full, read-only or refuses for another reason; the target is as it was before.
    """
    temporary = path.with_name(f"{path.name}{TEMPORARY}{os.getpid()}")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = open(temporary, "wb")  # noqa: SIM115 - closed below, where its errors count too
    try:
        file = HashingFile(stream, path)
        yield file
        with storage_errors(path):
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            temporary.replace(path)
            _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            stream.close()
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> str:
    """Write `data` to `path` atomically and return its SHA-256."""
    with atomic_file(path) as file:
        file.write(data)
    return file.sha256


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a :class:`StorageError` that names `path` and the remedy."""
    try:
        yield
    except OSError as error:
        raise _storage_error(path, error) from None


def remove_leftovers(folder: Path) -> int:
    """Delete unfinished files below `folder` that a killed process left; return how many there were."""
    leftovers = [path for path in folder.rglob(f"*{TEMPORARY}*") if path.is_file()]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content as hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _storage_error(path: Path, error: OSError) -> StorageError:
    reason = _REASONS.get(error.errno or 0, f"{error.strerror or error}: check the disk and run the same command again")
    return StorageError(f"cannot write {path}: {reason}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
