"""The folder an export grows in: files are added, copied or linked, and counted."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from matting_data.errors import DamageError, StorageError
from matting_data.storage.atomic import storage_errors

_CHUNK = 1 << 20


class Staging:
    """Writes below a folder that :func:`matting_data.storage.atomic.atomic_folder` will rename.

    Parameters
    ----------
    root : Path
        The unfinished folder.
    link : bool
        Where bytes are the same, make hard links instead of copies.
    """

    def __init__(self, root: Path, link: bool) -> None:
        self._root, self._link = root, link
        self.files = self.bytes = self.linked = 0

    def add(self, name: str, data: bytes) -> None:
        """Write a file."""
        path = self._path(name)
        with storage_errors(path), open(path, "xb") as stream:
            stream.write(data)
        self.bytes += len(data)
        self.files += 1

    def repeat(self, name: str, earlier: str) -> None:
        """Let a file have the bytes of one added earlier."""
        self._same(self._root / earlier, self._path(name))

    def take(self, name: str, file: Path, sha256: str) -> None:
        """Let a file have the bytes of one of the dataset's; DamageError where those are not what the index says."""
        try:
            with open(file, "rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise DamageError(
                f"cannot read {file}: {error.strerror}; run 'mattingdata build' again to restore it"
            ) from None
        if found != sha256:
            raise DamageError(f"{file} is damaged: run 'mattingdata build' again to restore it")
        self._same(file, self._path(name))

    def _same(self, source: Path, target: Path) -> None:
        with storage_errors(target):
            if self._link:
                try:
                    os.link(source, target)
                except OSError as error:
                    raise StorageError(
                        f"cannot link {target} to {source} ({error.strerror}): leave out --link, or export to the "
                        "same file system"
                    ) from None
                self.linked += 1
            else:
                shutil.copyfile(source, target)
                self.bytes += target.stat().st_size
        self.files += 1

    def _path(self, name: str) -> Path:
        path = self._root / name
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise DamageError(f"{name!r} leads out of the export: the dataset was not written by mattingdata")
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path
