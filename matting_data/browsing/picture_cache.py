"""The pictures that FiftyOne shows: files outside the dataset, as many as a limit allows.

FiftyOne shows files; a dataset keeps its pictures in tars. They are unpacked into a folder for each FiftyOne dataset.
When the limit is reached, pictures of the dataset that was opened longest ago go first; what goes is made again when
that dataset is opened the next time.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2
import numpy as np

from matting_data.imaging import encode
from matting_data.storage.atomic import storage_errors, write_bytes

_USED = ".used"
_PLACEHOLDER = "not-in-the-cache.png"


def default_cache() -> Path:
    """Name the folder of pictures made for browsing: below ``XDG_CACHE_HOME``, else ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mattingdata" / "browse"


class MediaCache:
    """The folder of pictures of one FiftyOne dataset, within the limit for all of them.

    Parameters
    ----------
    root : Path
        Of all datasets.
    name : str
        Of this one; its folder is made, and counts as used now.
    limit : int
        Bytes that all datasets together may take.

    Attributes
    ----------
    total : int
        Bytes that the pictures of all datasets take.
    """

    def __init__(self, root: Path, name: str, limit: int) -> None:
        self.folder = root.resolve() / name
        self._root, self._limit, self._lock = root.resolve(), limit, threading.Lock()
        with storage_errors(root):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self.folder / _USED, b"")
            self._sizes = {entry.name: entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file()}
            self.total = sum(self._sizes.values()) + sum(_size(folder) for folder in self._others())

    def path(self, name: str) -> Path:
        """Name the path of a picture, whether or not it is in the cache."""
        return self.folder / name

    def holds(self, name: str) -> bool:
        """Tell whether a picture is there."""
        return name in self._sizes

    def put(self, name: str, data: bytes) -> bool:
        """Keep a picture; return False where it does not fit."""
        with self._lock:
            if not self._make_room(len(data)):
                return False
            self.total += len(data) - self._sizes.get(name, 0)
            self._sizes[name] = len(data)
        write_bytes(self.folder / name, data)
        return True

    def keep_only(self, names: set[str]) -> None:
        """Remove the pictures of this dataset that nothing refers to any more."""
        for name in self._sizes.keys() - names - {_USED, _PLACEHOLDER}:
            self.total -= self._sizes.pop(name)
            with storage_errors(self.folder):
                (self.folder / name).unlink(missing_ok=True)

    def placeholder(self) -> Path:
        """Name the path of a picture that stands for those not at hand; it is written where it does not exist yet."""
        path = self.folder / _PLACEHOLDER
        if not path.exists():
            canvas = np.full((240, 320, 3), 235, np.uint8)
            for line, text in enumerate(("not in the cache,", "or its source is", "not at hand")):
                cv2.putText(canvas, text, (40, 95 + 35 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (120, 120, 120), 2)
            write_bytes(path, encode.png(canvas))
        return path

    def _make_room(self, size: int) -> bool:
        for folder in sorted(self._others(), key=lambda folder: (folder / _USED).stat().st_mtime_ns):
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.stat().st_mtime_ns):
                if self.total + size <= self._limit:
                    return True
                if entry.is_file() and entry.name != _USED:
                    self.total -= entry.stat().st_size
                    with storage_errors(self._root):
                        Path(entry.path).unlink()
        return self.total + size <= self._limit

    def _others(self) -> list[Path]:
        return [p for p in self._root.iterdir() if p.is_dir() and p != self.folder and (p / _USED).is_file()]


def _size(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
