"""The one way anything is written: whole, or not at all.

A file is written beside its target, flushed to the disk, hashed, and renamed over it; a reader sees the old file or
the new one. What a killed process leaves behind carries ``TEMPORARY`` in its name and is removed by the next build.
A download is the exception: what there is of it waits under ``PARTIAL`` for the next run to continue it.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import io
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from matting_data.errors import StorageError

TEMPORARY = ".tmp-"
"""Part of the name of every unfinished file."""

_LEFTOVER = re.compile(re.escape(TEMPORARY) + r"\d+$")

_HERE = secrets.randbelow(10**9)


PARTIAL = ".part"
"""Suffix of a file that a later run may continue; :func:`remove_leftovers` leaves it alone."""

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


def _own_number() -> str:
    """Return digits that no other process writes under, be it on another machine that shares the folder."""
    return f"{os.getpid()}{_HERE:09d}"


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
    temporary = path.with_name(f"{path.name}{TEMPORARY}{_own_number()}")
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


class PartialFile:
    """A file that grows over several runs beside its target, and takes the target's name only when committed."""

    def __init__(self, stream: BinaryIO, target: Path, partial: Path) -> None:
        self._stream = stream
        self._target = target
        self.path = partial
        self.size = stream.tell()

    def write(self, data: bytes) -> None:
        """Append `data`."""
        with storage_errors(self.path):
            self._stream.write(data)
        self.size += len(data)

    def restart(self) -> None:
        """Drop everything written so far."""
        with storage_errors(self.path):
            self._stream.truncate(0)
            self._stream.seek(0)
        self.size = 0

    def flush(self) -> None:
        """Let readers of :attr:`path` see everything written so far."""
        with storage_errors(self.path):
            self._stream.flush()

    def commit(self) -> None:
        """Flush to the disk and take the target's name; nothing can be written afterwards."""
        with storage_errors(self._target):
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self.path.replace(self._target)
            _sync_folder(self._target.parent)

    def discard(self) -> None:
        """Delete what was written; nothing can be written afterwards."""
        with storage_errors(self.path):
            self._stream.close()
            self.path.unlink(missing_ok=True)


@contextmanager
def partial_file(path: Path) -> Iterator[PartialFile]:
    """Open what an earlier run left of `path`, or a new file, for appending; it stays when the block ends early.

    Parameters
    ----------
    path : Path
        Target; its folder is created. It is not touched before :meth:`PartialFile.commit`.

    Yields
    ------
    PartialFile
        With ``size`` bytes from earlier runs.

    Raises
    ------
    StorageError
        When the disk is full, read-only or refuses for another reason.
    """
    partial = path.with_name(path.name + PARTIAL)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = open(partial, "ab")  # noqa: SIM115 - closed below, where its errors count too
    try:
        yield PartialFile(stream, path, partial)
    finally:
        with storage_errors(partial):
            stream.close()


def write_bytes(path: Path, data: bytes) -> str:
    """Write `data` to `path` atomically and return its SHA-256."""
    with atomic_file(path) as file:
        file.write(data)
    return file.sha256


def move_file(source: Path, target: Path) -> None:
    """Let a file that was written to the end take the place of `target`, on the same disk."""
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        _sync_folder(target.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that appears under its name, complete, when the block ends without an exception.

    Parameters
    ----------
    path : Path
        Target: absent or an empty folder; the folder above it is created.

    Yields
    ------
    Path
        An empty folder beside the target, to be filled by any means; it is removed when the block fails.

    Raises
    ------
    StorageError
        When the target holds something, or the disk refuses.
    """
    with storage_errors(path):
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise StorageError(f"{path} exists and is not an empty folder: name a new one")
        for left in path.parent.glob(f"{glob.escape(path.name)}{TEMPORARY}*"):
            if _LEFTOVER.search(left.name) and left.is_dir() and not _alive(left):
                shutil.rmtree(left)
        temporary = path.with_name(f"{path.name}{TEMPORARY}{_own_number()}")
        temporary.mkdir()
    try:
        yield temporary
        with storage_errors(path):
            os.sync()  # one for all: a folder may hold a hundred thousand files
            temporary.rename(path)
            _sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a :class:`StorageError` that names `path` and the remedy."""
    try:
        yield
    except OSError as error:
        raise _storage_error(path, error) from None


def remove_leftovers(folder: Path, deep: bool) -> int:
    """Delete what killed processes left unfinished in `folder`, and if `deep` below it; return the number of files."""
    if not folder.is_dir():
        return 0
    found = folder.rglob(f"*{TEMPORARY}*") if deep else folder.glob(f"*{TEMPORARY}*")
    leftovers = [path for path in found if _LEFTOVER.search(path.name) and path.is_file()]
    for path in leftovers:
        with suppress(OSError):
            path.unlink()
    return len(leftovers)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content as hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _storage_error(path: Path, error: OSError) -> StorageError:
    reason = _REASONS.get(error.errno or 0, f"{error.strerror or error}: check the disk and run the same command again")
    return StorageError(f"cannot write {path}: {reason}")


def _alive(temporary: Path) -> bool:
    """Tell whether the process that a temporary name carries still runs."""
    try:
        os.kill(int(temporary.name.rpartition("-")[2]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
