"""Write files and folders of the local disk whole, or not at all.

A file is written beside its target, flushed to the disk, hashed, and renamed over it; a reader sees the old file or
the new one. What a killed process leaves behind carries ``TEMPORARY`` in its name; the next build removes it. A
download is the exception: its unfinished file carries ``PARTIAL`` in its name, and the next run continues it.

A target that is a link is replaced itself, never what it leads to. Where a function takes a `root`, links lead to that
folder, and none is followed below it (:mod:`matting_data.storage.beneath`); without one, to the target's own folder.

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
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from matting_data.errors import StorageError
from matting_data.storage.beneath import Folder, folder_below, folder_of
from matting_data.storage.regular_files import open_regular

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


def _temporary(name: str) -> str:
    """Name an unfinished file or folder so that no other process, of another machine either, names one the same."""
    return f"{name}{TEMPORARY}{os.getpid()}{_RANDOM:0{_RANDOM_DIGITS}d}"


@contextmanager
def atomic_file(path: Path, root: Path | None = None) -> Iterator[HashingFile]:
    """Open `path` for writing; it appears, complete, when the block ends without an exception.

    Parameters
    ----------
    path : Path
        Target; its folder is created.
    root : Path, optional
        A folder above it, below which no link is followed.

    Yields
    ------
    HashingFile
        Its ``sha256`` and ``bytes_written`` are final after the block's last write.

    Raises
    ------
    StorageError
        When the disk is full, read-only or refuses for another reason; the target is as it was before.
    UsageError
        A link lies between `root` and the target.
    """
    temporary = _temporary(path.name)
    with ExitStack() as opened:
        with storage_errors(path):
            folder = opened.enter_context(folder_of(path, root))
            folder.require_file(path.name)
            stream = folder.create(temporary)
        try:
            file = HashingFile(stream, path)
            yield file
            _publish(stream, folder, temporary, path)
        finally:
            with suppress(OSError):
                stream.close()
            with suppress(OSError):
                folder.remove(temporary)


class PartialFile:
    """A file that grows over several runs beside its target, and takes the target's name only when committed."""

    def __init__(self, stream: BinaryIO, folder: Folder, target: Path) -> None:
        self._stream, self._folder, self._target = stream, folder, target
        self.path = target.with_name(target.name + PARTIAL)
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
        _publish(self._stream, self._folder, self.path.name, self._target)

    def discard(self) -> None:
        """Delete what was written; nothing can be written afterwards."""
        with storage_errors(self.path):
            self._stream.close()
            self._folder.remove(self.path.name)


@contextmanager
def partial_file(path: Path, root: Path | None = None) -> Iterator[PartialFile]:
    """Open what an earlier run left of `path`, or a new file, for appending; it stays when the block ends early.

    Parameters
    ----------
    path : Path
        Target; its folder is created. It is not touched before :meth:`PartialFile.commit`.
    root : Path, optional
        A folder above it, below which no link is followed.

    Yields
    ------
    PartialFile
        With ``size`` bytes from earlier runs.

    Raises
    ------
    StorageError
        When the disk is full, read-only or refuses for another reason.
    UsageError
        A link lies between `root` and the target, or in the unfinished file's place.
    """
    with ExitStack() as opened:
        with storage_errors(path):
            folder = opened.enter_context(folder_of(path, root))
            stream = folder.append(path.name + PARTIAL)
        file = PartialFile(stream, folder, path)
        try:
            yield file
        finally:
            with storage_errors(file.path):
                stream.close()


def write_bytes(path: Path, data: bytes, root: Path | None = None) -> str:
    """Write `data` to `path` atomically and return its SHA-256; arguments and errors as of :func:`atomic_file`."""
    with atomic_file(path, root) as file:
        file.write(data)
    return file.sha256


def move_file(source: Path, target: Path, root: Path | None = None) -> None:
    """Replace `target` with a finished file of the same disk; errors as of :func:`atomic_file`."""
    with storage_errors(target), folder_of(source, root, create=False) as at, folder_of(target, root) as to:
        at.rename(source.name, to, target.name)
        to.sync()


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
            if (number := _LEFTOVER.search(left.name)) and left.is_dir() and not left.is_symlink():
                process = int(number[1][:-_RANDOM_DIGITS] or 0)
                if not (process and process_runs(process)):
                    shutil.rmtree(left)
        temporary = path.with_name(_temporary(path.name))
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


def remove_leftovers(root: Path, name: str = "", deep: bool = False) -> int:
    """Delete what killed processes left unfinished in the folder `name` below `root`; return the number of files.

    Parameters
    ----------
    deep : bool
        Also in the folders below it; links are not followed.

    Raises
    ------
    UsageError
        A link lies between `root` and the folder, or in its place.
    """
    removed, folders = 0, [name]
    while folders:
        name = folders.pop()
        with suppress(OSError), folder_below(root, name) as folder:  # gone, or it cannot be listed: the next build may
            for entry in folder.names():
                status = folder.status(entry)
                if status is None:
                    continue
                if stat.S_ISREG(status.st_mode) and _LEFTOVER.search(entry):
                    with suppress(OSError):
                        folder.remove(entry)
                        removed += 1
                elif deep and stat.S_ISDIR(status.st_mode):
                    folders.append(f"{name}/{entry}" if name else entry)
    return removed


def sha256_file(path: Path) -> str:
    """Hash a file's content with SHA-256, as hex; errors as of :func:`open_regular`."""
    with open_regular(path) as stream:
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


def _publish(stream: BinaryIO, folder: Folder, temporary: str, target: Path) -> None:
    """Flush a finished file to the disk, close it, and rename it over its target."""
    with storage_errors(target):
        stream.flush()
        os.fsync(stream.fileno())
        stream.close()
        folder.rename(temporary, folder, target.name)
        folder.sync()


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
