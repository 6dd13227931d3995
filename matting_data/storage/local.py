"""A folder of this machine's file system: files are written beside their targets and renamed over them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from matting_data.errors import DamageError
from matting_data.storage.atomic import (
    HashingFile,
    atomic_file,
    move_file,
    remove_leftovers,
    sha256_file,
    storage_errors,
    write_bytes,
)
from matting_data.storage.base import FileInfo, Storage
from matting_data.storage.beneath import folder_below, folder_of
from matting_data.storage.refused import is_refusal, refusals
from matting_data.storage.regular_files import NotRegularError, kind_of, open_regular


class LocalStorage(Storage):
    """The files below a folder; each method promises what :class:`Storage` does, without loading fsspec.

    What writes, moves or removes follows no link below `root` and raises UsageError where one is in the way; a link in
    a file's own place is replaced. What reads follows links, but opens regular files only.

    Attributes
    ----------
    path : Path
        The folder, absolute: workers may start elsewhere.
    root : Path
        The folder that was opened first, of which this is one below; up to here links are the user's own.
    """

    local = True

    def __init__(self, path: Path, tries: int = 4, wait: float = 0.5, root: Path | None = None) -> None:
        super().__init__(str(path), None, tries, wait)
        self.path = path.absolute()
        self.root = self.path if root is None else root

    @property
    def repair(self) -> str:
        """What to do about a file that is missing or damaged."""
        return "run 'mattingdata build' again to restore it"

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Read `length` bytes from `start` of a file, or all of it."""

        def once() -> bytes:
            with open_regular(self.path / name) as stream:
                stream.seek(start)
                return stream.read(-1 if length is None else length)

        data = self._try("read", name, once)
        if length is not None and len(data) < length:
            raise DamageError(f"{self.label(name)} is shorter than dataset.json and its manifest say: {self.repair}")
        return data

    def read_whole(self, name: str, limit: int) -> bytes:
        """Read a file of at most `limit` bytes."""

        def once() -> bytes:
            with open_regular(self.path / name) as stream:
                return stream.read(limit + 1)

        return self._within(name, limit, self._try("read", name, once))

    def info(self, name: str) -> FileInfo:
        """Ask for length and time of a file."""

        def once() -> FileInfo:
            path = self.path / name
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise NotRegularError(0, f"is {kind_of(status.st_mode)}, not a file", str(path))
            return _info(status)

        return self._try("read", name, once)

    def sha256(self, name: str) -> str:
        """Hash a file's content with SHA-256, as hex."""
        return self._try("read", name, lambda: sha256_file(self.path / name))

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        """Give a file as it lies there."""
        self.info(name)
        yield self.path / name

    def files(self, folder: str = "", deep: bool = False) -> dict[str, FileInfo]:
        """List the files in a folder by name, sorted; links to folders are not followed, pipes and the like count."""

        def once() -> dict[str, FileInfo]:
            found: dict[str, FileInfo] = {}
            folders = [self.path / folder]
            while folders:
                with _absence(), os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir():
                            if deep and not entry.is_symlink():
                                folders.append(Path(entry.path))
                            continue
                        with suppress(FileNotFoundError):  # gone since, or a link to nothing
                            found[Path(entry.path).relative_to(self.path).as_posix()] = _info(entry.stat())
            return dict(sorted(found.items()))

        return self._try("read", folder, once)

    def names(self) -> set[str]:
        """List the names of all that lies directly below; none where there is no folder."""
        try:
            with refusals(self.path):
                return {path.name for path in self.path.iterdir()}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def write(self, name: str, data: bytes) -> str:
        """Write a file atomically, and hash it."""
        return write_bytes(self.path / name, data, self.root)

    @contextmanager
    def writing(self, name: str) -> Iterator[HashingFile]:
        """Open a file that appears, complete, when the block ends without an exception."""
        with atomic_file(self.path / name, self.root) as file:
            yield file

    @contextmanager
    def creating(self, name: str) -> Iterator[BinaryIO]:
        """Open a new file that may be torn or lost when this process or the machine dies; it is as fast as can be."""
        path = self.path / name
        with storage_errors(path), folder_of(path, self.root) as folder, folder.create(path.name) as stream:
            yield stream

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one."""
        if (self.path / name).exists():
            return False
        self.write(name, data)
        return True

    def move(self, source: str, target: str) -> None:
        """Rename a file over another."""
        move_file(self.path / source, self.path / target, self.root)

    def remove(self, name: str) -> None:
        """Delete a file if there is one."""
        path = self.path / name
        with storage_errors(path), suppress(FileNotFoundError), folder_of(path, self.root, create=False) as folder:
            folder.remove(path.name)

    def remove_folder(self, folder: str) -> None:
        """Delete a folder and all that lies below, as far as that is possible."""
        path = self.path / folder
        with storage_errors(path), suppress(FileNotFoundError), folder_of(path, self.root, create=False) as above:
            above.remove_folder(path.name)

    def remove_leftovers(self, folder: str = "", deep: bool = False) -> None:
        """Delete what killed processes left unfinished in a folder; if `deep`, also in those below it."""
        path = (self.path / folder).relative_to(self.root).as_posix()
        with storage_errors(self.path / folder):
            remove_leftovers(self.root, "" if path == "." else path, deep)

    def make_folder(self) -> None:
        """Make this folder, and those between it and the root."""
        with storage_errors(self.path), folder_below(self.root, self.path.relative_to(self.root).as_posix(), True):
            pass

    def below(self, folder: str) -> LocalStorage:
        """Open the files below a folder as a storage of its own."""
        return LocalStorage(self.path / folder, self.tries, self._wait, self.root)


def _info(status: os.stat_result) -> FileInfo:
    return FileInfo(status.st_size, status.st_mtime)


@contextmanager
def _absence() -> Iterator[None]:
    """Pass over what is gone, or never was; what the system refuses is raised."""
    try:
        yield
    except OSError as error:
        if is_refusal(error):
            raise
