"""A folder of this machine's file system: files are written beside their targets and renamed over them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from matting_data.errors import DamageError
from matting_data.storage.atomic import HashingFile, atomic_file, move_file, sha256_file, storage_errors, write_bytes
from matting_data.storage.base import FileInfo, Storage
from matting_data.storage.refused import is_refusal, refusals


class LocalStorage(Storage):
    """The files below a folder; each method promises what :class:`Storage` does, without loading fsspec.

    Attributes
    ----------
    path : Path
        The folder, absolute: workers may start elsewhere.
    """

    local = True

    def __init__(self, path: Path, tries: int = 4, wait: float = 0.5) -> None:
        super().__init__(str(path), None, tries, wait)
        self.path = path.absolute()

    @property
    def repair(self) -> str:
        """What to do about a file that is missing or damaged."""
        return "run 'mattingdata build' again to restore it"

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Read `length` bytes from `start` of a file, or all of it."""

        def once() -> bytes:
            with open(self.path / name, "rb") as stream:
                stream.seek(start)
                return stream.read(-1 if length is None else length)

        data = self._try("read", name, once)
        if length is not None and len(data) < length:
            raise DamageError(f"{self.label(name)} is shorter than dataset.json and its manifest say: {self.repair}")
        return data

    def info(self, name: str) -> FileInfo:
        """Ask for length and time of a file."""
        return self._try("read", name, lambda: _info(self.path / name))

    def sha256(self, name: str) -> str:
        """Hash a file's content with SHA-256, as hex."""
        return self._try("read", name, lambda: sha256_file(self.path / name))

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        """Give a file as it lies there."""
        self.info(name)
        yield self.path / name

    def files(self, folder: str = "", deep: bool = False) -> dict[str, FileInfo]:
        """List the files in a folder by name, sorted; links to folders are not followed."""

        def refuse(error: OSError) -> None:
            if is_refusal(error):  # else it is gone, or never was
                raise error

        def once() -> dict[str, FileInfo]:
            found: dict[str, FileInfo] = {}
            for place, _, names in os.walk(self.path / folder, onerror=refuse):
                for name in names:
                    path = Path(place) / name
                    with suppress(FileNotFoundError):  # gone since, or a link to nothing
                        found[path.relative_to(self.path).as_posix()] = _info(path)
                if not deep:
                    break
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
        return write_bytes(self.path / name, data)

    @contextmanager
    def writing(self, name: str) -> Iterator[HashingFile]:
        """Open a file that appears, complete, when the block ends without an exception."""
        with atomic_file(self.path / name) as file:
            yield file

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one."""
        if (self.path / name).exists():
            return False
        self.write(name, data)
        return True

    def move(self, source: str, target: str) -> None:
        """Rename a file over another."""
        move_file(self.path / source, self.path / target)

    def remove(self, name: str) -> None:
        """Delete a file if there is one."""
        with storage_errors(self.path):
            (self.path / name).unlink(missing_ok=True)

    def remove_folder(self, folder: str) -> None:
        """Delete a folder and all that lies below, as far as that is possible."""
        shutil.rmtree(self.path / folder, ignore_errors=True)

    def below(self, folder: str) -> LocalStorage:
        """Open the files below a folder as a storage of its own."""
        return LocalStorage(self.path / folder, self.tries, self._wait)


def _info(path: Path) -> FileInfo:
    status = path.stat()
    return FileInfo(status.st_size, status.st_mtime)
