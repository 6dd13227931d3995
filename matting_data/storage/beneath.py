"""The one door to what is written below a folder: no link below it is followed.

A dataset that somebody else made can hold links that lead anywhere: a build or a repair that followed them would write
over files that are none of its business. So the way from the root of a dataset to a file is walked name by name, each
folder opened from the one before it and refused where it is a link. Links that lead to the root itself are the user's
own, and followed. Reading follows links, since hashes vouch for what is read: a shard may lie on another disk.

Windows has no handles of folders: there every name is looked at before it is used, which leaves a moment in which
another process could put a link in its place.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from matting_data.errors import StorageError, UsageError
from matting_data.storage.regular_files import kind_of

HANDLES = {os.open, os.mkdir, os.rename, os.unlink, os.stat, os.rmdir} <= os.supports_dir_fd
"""Whether folders are held open, so that nobody can exchange one for a link in between."""

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_JUNCTION = 0xA0000003
"""IO_REPARSE_TAG_MOUNT_POINT: what Windows uses for links to folders."""


class Folder:
    """An open folder, in which names are used without following links; made by :func:`folder_below`.

    Every method raises ``OSError`` as the system does, unless it says otherwise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = os.open(path, _FOLDER) if HANDLES else None

    def close(self) -> None:
        """Let go of the folder."""
        if self._handle is not None:
            os.close(self._handle)

    def enter(self, name: str, create: bool) -> None:
        """Go to a folder that lies in this one.

        Raises
        ------
        UsageError
            A link lies there.
        StorageError
            Something else that is not a folder lies there.
        FileNotFoundError
            Nothing does, and `create` is off.
        """
        path = self.path / name
        if create and self.status(name) is None:
            with suppress(FileExistsError):  # another process made it
                os.mkdir(self._place(name), dir_fd=self._handle)
        status = self.status(name)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise _refusal(path, status, "folder")
        if self._handle is None:
            if status is None:
                raise FileNotFoundError(path)
        else:
            inner = os.open(name, _FOLDER | _FLAGS, dir_fd=self._handle)
            os.close(self._handle)
            self._handle = inner
        self.path = path

    def status(self, name: str) -> os.stat_result | None:
        """Ask what lies under a name, links not followed; None where nothing does."""
        try:
            return _without_junctions(os.stat(self._place(name), dir_fd=self._handle, follow_symlinks=False))
        except FileNotFoundError:
            return None

    def require_file(self, name: str, links: bool = True) -> None:
        """Refuse what is not a file: StorageError, and UsageError for links where `links` is off.

        A link that is about to be replaced does no harm.
        """
        status = self.status(name)
        if status is None or stat.S_ISREG(status.st_mode) or (links and stat.S_ISLNK(status.st_mode)):
            return
        raise _refusal(self.path / name, status, "file")

    def create(self, name: str) -> BinaryIO:
        """Open a new file for writing; FileExistsError where anything lies there, be it a link to nothing."""
        return self._open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, "wb")

    def append(self, name: str) -> BinaryIO:
        """Open a file for appending, or a new one."""
        self.require_file(name, links=False)
        return self._open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, "ab")

    def rename(self, name: str, to: Folder, new: str) -> None:
        """Move a file, replacing what lies there; a link is replaced itself, not what it leads to."""
        to.require_file(new)
        # os.replace takes handles wherever os.rename does, of which alone Python tells
        os.replace(self._place(name), to._place(new), src_dir_fd=self._handle, dst_dir_fd=to._handle)

    def remove(self, name: str) -> None:
        """Delete a file or a link if there is one; StorageError where a folder lies there."""
        status = self.status(name)
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise _refusal(self.path / name, status, "file")
        with suppress(FileNotFoundError):
            os.unlink(self._place(name), dir_fd=self._handle)

    def remove_folder(self, name: str) -> None:
        """Delete a folder and all that lies below, as far as that is possible; a link to one stays."""
        status = self.status(name)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return  # rmtree would open a pipe, and wait
        with suppress(RecursionError):  # of folders within folders, a thousand deep
            if self._handle is not None:
                shutil.rmtree(name, ignore_errors=True, dir_fd=self._handle)
            else:
                shutil.rmtree(self.path / name, ignore_errors=True)

    def names(self) -> list[str]:
        """List what lies here."""
        with os.scandir(self.path if self._handle is None else self._handle) as entries:
            return [entry.name for entry in entries]

    def sync(self) -> None:
        """Flush the names to the disk, where the system can (Windows cannot)."""
        if self._handle is not None:
            os.fsync(self._handle)

    def set_time(self, name: str) -> None:
        """Let a file count as changed now."""
        if os.utime in os.supports_follow_symlinks:
            os.utime(self._place(name), dir_fd=self._handle, follow_symlinks=False)
        else:
            os.utime(self._place(name))

    def _place(self, name: str) -> str:
        """Name a file as system calls take it: by the handle, or else by its path."""
        return name if self._handle is not None else str(self.path / name)

    def _open(self, name: str, flags: int, mode: str) -> BinaryIO:
        descriptor = os.open(self._place(name), flags | _FLAGS, 0o666, dir_fd=self._handle)
        return os.fdopen(descriptor, mode)  # type: ignore[return-value]  # of a binary mode


@contextmanager
def folder_below(root: Path, name: str = "", create: bool = False) -> Iterator[Folder]:
    """Open a folder: links lead to `root`, but none leads on from there.

    Parameters
    ----------
    root : Path
        Where the way begins.
    name : str
        A POSIX path below it; empty for the root itself.
    create : bool
        Make the folders that are not there.

    Raises
    ------
    UsageError, StorageError, FileNotFoundError
        As of :meth:`Folder.enter`; StorageError also where `name` leads out of `root`.
    """
    parts = PurePosixPath(name).parts
    if ".." in parts or PurePosixPath(name).is_absolute() or Path(name).drive:
        raise StorageError(f"{name!r} leads out of {root}: do not trust what names it")
    if create:
        root.mkdir(parents=True, exist_ok=True)
    folder = Folder(root)
    try:
        for part in parts:
            folder.enter(part, create)
        yield folder
    finally:
        folder.close()


@contextmanager
def folder_of(path: Path, root: Path | None, create: bool = True) -> Iterator[Folder]:
    """Open the folder that a file lies in, as :func:`folder_below` does.

    Parameters
    ----------
    root : Path or None
        A folder above the file, from which on no link is followed; None for the file's own folder.
    """
    name = "" if root is None else path.parent.relative_to(root).as_posix()
    with folder_below(path.parent if root is None else root, name, create) as folder:
        yield folder


def _refusal(path: Path, status: os.stat_result, wanted: str) -> UsageError | StorageError:
    """Say that something lies where a file or a folder has to be, and what to do."""
    if stat.S_ISLNK(status.st_mode):
        remedy = "put a folder in its place" if wanted == "folder" else "remove it"
        return UsageError(f"{path} is a link, and writing there could end anywhere: {remedy}")
    kind = kind_of(status.st_mode)
    return StorageError(f"cannot write {path}: it is {kind}, not a {wanted}; remove it, or choose another --out")


def _without_junctions(status: os.stat_result) -> os.stat_result:
    """Let a junction of Windows, which looks like a folder, count as a link."""
    if getattr(status, "st_reparse_tag", 0) != _JUNCTION:
        return status
    return os.stat_result((stat.S_IFLNK | stat.S_IMODE(status.st_mode), *status[1:]))
