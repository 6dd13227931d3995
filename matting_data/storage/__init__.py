"""One interface to the files of a dataset or a source, in a folder or below any URL that fsspec knows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matting_data.errors import UsageError, shown
from matting_data.storage.base import ByteSource, FileInfo, MissingFileError, NotAFileError, Storage
from matting_data.storage.local import LocalStorage

__all__ = [
    "ByteSource",
    "FileInfo",
    "LocalStorage",
    "Location",
    "MissingFileError",
    "NotAFileError",
    "Storage",
    "open_folder",
    "open_storage",
]

Location = Storage | os.PathLike[str] | str
"""A folder, a URL, or what :func:`open_storage` made of one."""


def open_storage(
    location: Location, options: Mapping[str, Any] | None = None, tries: int = 4, wait: float = 0.5
) -> Storage:
    """Open the files below a location.

    Parameters
    ----------
    location : Storage, path or str
        A folder, or a URL of a protocol that fsspec knows (``s3://``, ``gs://``, ``https://``, ``memory://``, ...).
    options : mapping
        Passed to fsspec: credentials, endpoints.
    tries : int
        How often a request is made that fails for a reason that may pass, the first included.
    wait : float
        Seconds before the second try; doubling from there.

    Raises
    ------
    UsageError
        An unknown protocol, or neither a path nor a URL.
    MissingExtraError
        A known one whose package is not installed.
    """
    if isinstance(location, Storage):
        return location
    if not isinstance(location, str | os.PathLike) or not isinstance(os.fspath(location), str) or location == "":
        raise UsageError(f"{shown(location)} is not a place: name a folder, or a URL such as 's3://bucket/people'")
    if not isinstance(location, str):
        location = Path(location)
    if isinstance(location, str):
        location = location.removeprefix("file://").removeprefix("local://")
    if isinstance(location, Path) or "://" not in location:
        return LocalStorage(Path(location), tries, wait)
    storage = Storage(location.rstrip("/"), options, tries, wait)
    storage.filesystem()  # refuses unknown protocols now
    return storage


def open_folder(place: LocalStorage | Path) -> LocalStorage:
    """Open the files below a folder of this machine."""
    return place if isinstance(place, LocalStorage) else LocalStorage(place)
