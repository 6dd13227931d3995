"""Whole shards of a distant dataset kept on the local disk, the least recently used ones making room."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from matting_data.errors import DamageError, UsageError
from matting_data.storage import Storage
from matting_data.storage.atomic import atomic_file, storage_errors
from matting_data.storage.regular_files import open_regular

_BLOCK = 8 << 20

_SHARD = re.compile(r"[0-9a-f]{64}\.tar")
"""Files of the cache: a tar of the user's own that lies in its folder neither counts nor goes."""


class ShardCache:
    """Reads like :class:`Storage`, fetching a shard as a whole when it is first touched.

    Files carry the SHA-256 of their content as name, so that datasets with equal shards share them, and all processes
    of a machine may share one folder: a shard is downloaded once, the others wait for it.

    Parameters
    ----------
    storage : Storage
        Where the dataset lies.
    folder : Path
        On the local disk; created.
    limit : int
        Bytes that all files of the folder may take together; a single shard that is larger is refused.
    shards : mapping
        Name → (bytes, sha256) of the files that are kept; all others are read from `storage`.

    Raises
    ------
    UsageError
        A shard is larger than the limit.
    """

    def __init__(self, storage: Storage, folder: Path, limit: int, shards: Mapping[str, tuple[int, str]]) -> None:
        self._storage, self._folder, self._limit, self._shards = storage, folder, limit, dict(shards)
        (size, _), largest = max(((place, name) for name, place in shards.items()), default=((0, ""), ""))
        if size > limit:
            raise UsageError(f"the cache limit {limit:,} is below the {size:,} bytes of {largest}: raise cache_limit")
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Read `length` bytes of a file from `start`, or all of it; errors as for :meth:`Storage.read`."""
        if name not in self._shards:
            return self._storage.read(name, start, length)
        size, sha256 = self._shards[name]
        while True:
            path = self._fetched(name)
            try:
                with open_regular(path) as stream:
                    stream.seek(start)
                    data = stream.read(size - start if length is None else length)
            except FileNotFoundError:
                continue  # another process made room in between
            if length is not None and len(data) < length:
                raise DamageError(
                    f"{self._storage.label(name)} is shorter than its manifest says: delete {sha256}.tar from the "
                    "cache folder and run the same command again"
                )
            return data

    def _fetched(self, name: str) -> Path:
        size, sha256 = self._shards[name]
        path = self._folder / f"{sha256}.tar"
        if not _is_whole(path, size):
            lock = self._folder / f"{sha256}.lock"
            with storage_errors(lock), FileLock(lock):
                if not _is_whole(path, size):
                    self._make_room(size)
                    self._download(name, path)
        now = time.time()
        with suppress(OSError):
            os.utime(path, (now, now))  # used last: the time that :meth:`_make_room` goes by
        return path

    def _download(self, name: str, path: Path) -> None:
        size, sha256 = self._shards[name]
        with atomic_file(path) as file:
            for start in range(0, size, _BLOCK):
                file.write(self._storage.read(name, start, min(_BLOCK, size - start)))
            if file.sha256 != sha256:
                raise DamageError(
                    f"{self._storage.label(name)} is not the file that dataset.json names: {self._storage.repair}"
                )

    def _make_room(self, size: int) -> None:
        kept: list[tuple[float, int, Path]] = []
        for path in self._folder.iterdir():
            if not _SHARD.fullmatch(path.name):
                continue
            with suppress(FileNotFoundError):
                status = path.stat()
                if stat.S_ISREG(status.st_mode):
                    kept.append((status.st_mtime, status.st_size, path))
        used = sum(length for _, length, _ in kept)
        for _, length, path in sorted(kept):
            if used + size <= self._limit:
                return
            path.unlink(missing_ok=True)
            used -= length


def _is_whole(path: Path, size: int) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size
