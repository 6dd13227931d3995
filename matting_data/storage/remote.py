"""An object store, or any other place that fsspec knows: a file is prepared here and published by one request.

Object stores make an upload visible when it is complete, not before; what is no object store may show a part of a
file for a moment, which the hashes in manifests and index tell from a whole one.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import fsspec

from matting_data.errors import MissingExtraError, StorageError, UsageError
from matting_data.storage.atomic import HashingFile, storage_errors
from matting_data.storage.base import FileInfo, Result, Storage, TooShortError, said

_BLOCK = 16 << 20
"""Bytes that are asked for at once of a file that is read as a whole."""

_IN_EXTRA = ("http", "https", "s3", "s3a")

_TRY_LATER = {408, 425, 429}

_NO_CONDITION = (NotImplementedError, TypeError)
"""What packages of stores raise that cannot create a file on the condition that there is none."""

_FINAL = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, NotImplementedError)
"""What the same request would meet again: it is not there, not allowed, or nothing that the store's package can do."""

_CREDENTIALS = ("Credential", "SSOToken", "TokenRetrieval", "ProfileNotFound")
"""Parts of the names of errors that say that nobody told who is asking."""


class RemoteStorage(Storage):
    """The files below a URL.

    Parameters
    ----------
    url : str
        Of a protocol that fsspec knows.
    options : mapping
        Passed to fsspec: credentials, endpoints.
    tries, wait : int, float
        As for :func:`matting_data.storage.open_storage`.
    """

    local = False

    def __init__(self, url: str, options: Mapping[str, Any] | None = None, tries: int = 4, wait: float = 0.5) -> None:
        super().__init__(tries, wait)
        self.name = url.rstrip("/")
        self._options = dict(options or {})
        self._opened: tuple[int, fsspec.AbstractFileSystem, str] | None = None
        self._filesystem()

    @property
    def repair(self) -> str:
        """What to do about a file that is missing or damaged."""
        return f"copy it there again, or run 'mattingdata repair {self.name}' where its sources are at hand"

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes from `start` of a file, or all of it."""
        filesystem, root = self._filesystem()

        def once() -> bytes:
            if length is None:
                return bytes(filesystem.cat_file(f"{root}/{name}", start=start or None))
            data = bytes(filesystem.cat_file(f"{root}/{name}", start=start, end=start + length))
            if len(data) > length:  # an HTTP server that knows no ranges sends everything
                data = data[start : start + length]
            if len(data) < length:
                raise TooShortError
            return data

        return self._reading(name, once)

    def info(self, name: str) -> FileInfo:
        """Return length and time of a file."""
        filesystem, root = self._filesystem()

        def once() -> FileInfo:
            filesystem.invalidate_cache()
            entry = filesystem.info(f"{root}/{name}")
            if entry.get("type") == "directory":
                raise FileNotFoundError
            return _info(entry)

        return self._reading(name, once)

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file's content as hex."""
        digest = hashlib.sha256()
        for block in self._blocks(name):
            digest.update(block)
        return digest.hexdigest()

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        """Give a copy of a file that goes with the block."""
        with _unnamed_file() as (stream, path):
            for block in self._blocks(name):
                with storage_errors(path):
                    stream.write(block)
            with storage_errors(path):
                stream.flush()
            yield path

    def files(self, folder: str = "", deep: bool = False) -> dict[str, FileInfo]:
        """Return the files in a folder by name, sorted."""
        filesystem, root = self._filesystem()
        path = f"{root}/{folder}".rstrip("/")

        def once() -> dict[str, FileInfo]:
            filesystem.invalidate_cache()
            try:
                entries = filesystem.find(path, detail=True).values() if deep else filesystem.ls(path, detail=True)
            except FileNotFoundError:
                return {}
            found = {entry["name"]: entry for entry in entries if entry["type"] == "file"}
            return {name[len(root) + 1 :]: _info(found[name]) for name in sorted(found) if len(name) > len(root) + 1}

        return self._reading(folder, once)

    def names(self) -> set[str]:
        """Return the names of all that lies directly below the URL."""
        filesystem, root = self._filesystem()

        def once() -> set[str]:
            filesystem.invalidate_cache()
            try:
                entries = filesystem.ls(root, detail=False)
            except FileNotFoundError:
                return set()
            return {entry[len(root) + 1 :].strip("/") for entry in entries} - {""}

        return self._reading("", once)

    def write(self, name: str, data: bytes) -> str:
        """Upload a file and return its SHA-256."""
        filesystem, root = self._filesystem()
        self._writing(name, lambda: filesystem.pipe_file(f"{root}/{name}", data))
        return hashlib.sha256(data).hexdigest()

    @contextmanager
    def writing(self, name: str) -> Iterator[HashingFile]:
        """Give a file of the local disk, which is uploaded when the block ends without an exception."""
        filesystem, root = self._filesystem()
        with _unnamed_file() as (stream, path):
            yield HashingFile(stream, path)
            with storage_errors(path):
                stream.flush()
            self._writing(name, lambda: filesystem.put_file(str(path), f"{root}/{name}"))

    def create(self, name: str, data: bytes) -> bool:
        """Upload a file unless there is one; where the store cannot tell at once, by looking first."""
        filesystem, root = self._filesystem()

        def once() -> bool:
            try:
                filesystem.pipe_file(f"{root}/{name}", data, mode="create")
            except FileExistsError:
                return False
            except _NO_CONDITION:
                if self.exists(name):
                    return False
                filesystem.pipe_file(f"{root}/{name}", data)
            return True

        return self._writing(name, once)

    def move(self, source: str, target: str) -> None:
        """Copy a file within the store over another, and delete it."""
        filesystem, root = self._filesystem()
        self._writing(target, lambda: filesystem.cp_file(f"{root}/{source}", f"{root}/{target}"))
        self.remove(source)

    def remove(self, name: str) -> None:
        """Delete a file if there is one."""
        filesystem, root = self._filesystem()

        def once() -> None:
            with suppress(FileNotFoundError):
                filesystem.rm_file(f"{root}/{name}")

        self._writing(name, once)

    def remove_folder(self, folder: str) -> None:
        """Delete all that lies below a folder."""
        for name in self.files(folder, deep=True):
            self.remove(name)

    def below(self, folder: str) -> RemoteStorage:
        """Return the files below a folder."""
        return RemoteStorage(f"{self.name}/{folder}", self._options, self.tries, self._wait)

    def __copy__(self) -> RemoteStorage:
        return RemoteStorage(self.name, self._options, self.tries, self._wait)

    def __getstate__(self) -> dict[str, Any]:
        if self.name.startswith("memory://"):
            raise UsageError(f"{self.name} lies in the memory of one process: use one worker, or name a folder")
        return {**self.__dict__, "_opened": None}

    def _filesystem(self) -> tuple[fsspec.AbstractFileSystem, str]:
        if self._opened is None or self._opened[0] != os.getpid():
            # connections do not survive a fork
            self._opened = (os.getpid(), *_open(self.name, self._options))
        return self._opened[1:]

    def _blocks(self, name: str) -> Iterator[bytes]:
        size = self.info(name).size
        for start in range(0, size, _BLOCK):
            yield self.read(name, start, min(_BLOCK, size - start))

    def _writing(self, name: str, action: Callable[[], Result]) -> Result:
        """Do something that changes the store."""

        def refuse(error: Exception, tried: int) -> NoReturn:
            if isinstance(error, FileNotFoundError):
                raise StorageError(
                    f"cannot write {self.label(name)}: {said(error)}; create the bucket, or choose another --out"
                ) from None
            raise self._failure("write", name, tried, error) from None

        return self._tried(name, action, refuse)

    def _may_pass(self, error: Exception) -> bool:
        status = getattr(error, "status", None)
        if isinstance(status, int) and 400 <= status < 500:
            return status in _TRY_LATER
        return not isinstance(error, _FINAL) and not _unknown_caller(error)

    def _remedy(self, error: Exception) -> str:
        if _unknown_caller(error) or isinstance(error, PermissionError):
            return (
                f"{said(error)}; set credentials that may read and write there (for s3://, AWS_PROFILE, or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), then run the same command again"
            )
        return f"{said(error)}; check that it can be reached and read, then run the same command again"


@contextmanager
def _unnamed_file() -> Iterator[tuple[BinaryIO, Path]]:
    """Give a file in the folder for temporary files that vanishes with this process, however that ends."""
    folder = Path(tempfile.gettempdir())
    with storage_errors(folder):
        stream = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below
    with stream:
        yield stream, Path(f"/proc/self/fd/{stream.fileno()}")


def _open(url: str, options: Mapping[str, Any]) -> tuple[fsspec.AbstractFileSystem, str]:
    protocol = url.partition("://")[0]
    try:
        filesystem, root = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        if protocol in _IN_EXTRA:
            raise MissingExtraError("cloud", f"the packages that read {protocol}://") from None
        raise UsageError(f"cannot open {url}: {said(error)}") from None
    except ValueError as error:
        raise UsageError(f"cannot open {url}: {error}; name a folder or a URL that fsspec knows") from None
    return filesystem, str(root).rstrip("/")


def _info(entry: Mapping[str, Any]) -> FileInfo:
    moments = (entry.get(key) for key in ("LastModified", "mtime", "updated", "created"))
    moment = next((value for value in moments if value is not None), time.time())
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return FileInfo(int(entry["size"] or 0), moment.timestamp() if isinstance(moment, datetime) else float(moment))


def _unknown_caller(error: Exception) -> bool:
    return any(part in type(error).__name__ for part in _CREDENTIALS)
