"""Write files and folders of the local disk whole, or not at all.

A file is written beside its target, flushed to the disk, hashed, and renamed over it; a reader sees the old file or
the new one. What a killed process leaves behind carries ``TEMPORARY`` in its name; the next build removes it. A
download is the exception: its unfinished file carries ``PARTIAL`` in its name, and the next run continues it.

Windows differs in two points. It cannot flush a folder to the disk, so a power cut may undo the latest renames (never
tear a file). And it refuses to replace a file that another process has open: the writer then raises StorageError.
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
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from matting_data.errors import StorageError

TEMPORARY = ".tmp-"
"""Part of the name of every unfinished file."""

_LEFTOVER = re.compile(re.escape(TEMPORARY) + r"(\d+)$")

_RANDOM_DIGITS = 9
_RANDOM = secrets.randbelow(10**_RANDOM_DIGITS)

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
    """A write-only file that counts and hashes the bytes written to it."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._digest = hashlib.sha256()
        self.bytes_written = 0

    def writable(self) -> bool:
        """Tell that the file takes bytes."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Append `data`, hashing it on the way."""
        with storage_errors(self._path):
            self._stream.write(data)
        self._digest.update(data)
        self.bytes_written += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Hex digest of everything written so far."""
        return self._digest.hexdigest()


def _temporary(path: Path) -> Path:
    """Name an unfinished file or folder so that no other process, of another machine either, names one the same."""
    return path.with_name(f"{path.name}{TEMPORARY}{os.getpid()}{_RANDOM:0{_RANDOM_DIGITS}d}")


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
    temporary = _temporary(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = open(temporary, "wb")  # noqa: SIM115 - closed below, where its errors count too
    try:
        file = HashingFile(stream, path)
        yield file
        _publish(stream, temporary, path)
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
        _publish(self._stream, self.path, self._target)

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
    """Replace `target` with a finished file of the same disk."""
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
            if (number := _LEFTOVER.search(left.name)) and left.is_dir():
                process = int(number[1][:-_RANDOM_DIGITS] or 0)
                if not (process and process_runs(process)):
                    shutil.rmtree(left)
        temporary = _temporary(path)
        temporary.mkdir()
    try:
        yield temporary
        with storage_errors(path):
            _sync_files(temporary)
            if sys.platform == "win32" and path.exists():
                path.rmdir()  # elsewhere renaming replaces an empty folder
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
        problem = f"{error.strerror or error}: check the disk and run the same command again"
        raise StorageError(f"cannot write {path}: {_REASONS.get(error.errno or 0, problem)}") from None


def remove_leftovers(folder: Path, deep: bool) -> int:
    """Delete what killed processes left unfinished in `folder`, and if `deep` below it; return the number of files."""
    try:
        found = folder.rglob(f"*{TEMPORARY}*") if deep else folder.glob(f"*{TEMPORARY}*")
        leftovers = [path for path in found if _LEFTOVER.search(path.name) and path.is_file()]
    except OSError:  # there is no folder, or it cannot be listed now: the next build may remove them
        return 0
    for path in leftovers:
        with suppress(OSError):
            path.unlink()
    return len(leftovers)


def sha256_file(path: Path) -> str:
    """Hash a file's content with SHA-256, as hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def process_runs(process: int) -> bool:
    """Tell whether a process of this machine runs; on Windows, where no signal can ask without harm, always True."""
    if sys.platform != "win32":
        try:
            with suppress(PermissionError):  # it runs, for another user
                os.kill(process, 0)
        except (ProcessLookupError, OverflowError):  # no such process, or no system has such a number
            return False
    return True


def _publish(stream: BinaryIO, temporary: Path, target: Path) -> None:
    """Flush a finished file to the disk, close it, and rename it over its target."""
    with storage_errors(target):
        stream.flush()
        os.fsync(stream.fileno())
        stream.close()
    move_file(temporary, target)


def _sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk, where the system can (Windows cannot)."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_files(folder: Path) -> None:
    """Flush all files below a folder to the disk; in one call where the system has one, since there may be 100,000."""
    if sys.platform != "win32":
        os.sync()
    else:
        for path in filter(Path.is_file, folder.rglob("*")):
            with open(path, "r+b") as stream:
                os.fsync(stream.fileno())
