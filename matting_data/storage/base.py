"""The files of a dataset or a source, wherever they lie: in a folder, or below any URL that fsspec knows.

Names are POSIX paths below that place (``train/000000.tar``). Bytes come back whole and are written whole, or an error
says what to do. Object stores make an upload visible when it is complete, not before; a file system that is not an
object store may show a part of a file for a moment, and a reader tells it by the hashes in manifests and index.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from matting_data.errors import (
    DamageError,
    MattingDataError,
    MissingExtraError,
    RefusedError,
    StorageError,
    UsageError,
)
from matting_data.storage.atomic import HashingFile, storage_errors
from matting_data.storage.refused import is_refusal
from matting_data.storage.regular_files import NotRegularError
from matting_data.storage.retries import TRY_LATER, back_off
from matting_data.storage.scratch_file import scratch_file

if TYPE_CHECKING:
    import fsspec

Result = TypeVar("Result")

_BLOCK = 16 << 20
"""Bytes per request for a file that is read as a whole."""

_IN_EXTRA = ("http", "https", "s3", "s3a")

_FINAL = (
    FileNotFoundError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
    NotImplementedError,
    NotRegularError,
)
"""Errors that the same request would meet again."""

_OWN_ERRORS = (AssertionError, AttributeError, IndexError, KeyError, NameError, TypeError)
"""What a mistake in code raises; a file system that means to say something raises classes derived from them."""

_CREDENTIALS = ("Credential", "SSOToken", "TokenRetrieval", "ProfileNotFound")
"""Parts of the class names of errors that stand for missing credentials."""


class ByteSource(Protocol):
    """What samples are cut out of."""

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Read `length` bytes from `start` of a file of the dataset, or all of it."""


class MissingFileError(DamageError):
    """A file of the dataset is not there."""


class NotAFileError(StorageError):
    """A folder, a pipe, a device or a socket lies in a file's place; `what` says which, and what to do.

    It is no damage that could be mended by writing the file again, since nothing but a file is replaced.
    """

    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.what = what

    def __reduce__(self) -> tuple[type[NotAFileError], tuple[str, str]]:
        return type(self), (str(self), self.what)


class TooShortError(Exception):
    """Fewer bytes than asked for."""


@dataclass(frozen=True)
class FileInfo:
    """Length in bytes, and when it was written last, in seconds since 1970."""

    size: int
    modified: float


class Storage:
    """The files below one place; travels to other processes, each of which opens its own connections.

    Attributes
    ----------
    name : str
        What messages call it: the folder or the URL.
    local : bool
        Whether it is a folder of this machine's file system.
    tries : int
        How often a request is made that fails for a reason that may pass, the first included.
    options : dict
        Passed to fsspec: credentials, endpoints.
    """

    local = False

    def __init__(self, name: str, options: Mapping[str, Any] | None = None, tries: int = 4, wait: float = 0.5) -> None:
        self.name, self.options = name, dict(options or {})
        self.tries, self._wait = max(1, tries), wait
        self._opened: tuple[int, fsspec.AbstractFileSystem, str] | None = None

    def __str__(self) -> str:
        return self.name

    def __getstate__(self) -> dict[str, Any]:
        if self.name.startswith("memory://"):
            raise UsageError(f"{self.name} lies in the memory of one process: use one worker, or name a folder")
        return {**self.__dict__, "_opened": None}

    def label(self, name: str) -> str:
        """Name a file as messages do."""
        return f"{self.name}/{name}"

    @property
    def repair(self) -> str:
        """What to do about a file that is missing or damaged."""
        return f"copy it there again, or run 'mattingdata repair {self.name}' where its sources are at hand"

    def filesystem(self) -> tuple[fsspec.AbstractFileSystem, str]:
        """Open the file system of fsspec, and the path of this place in it.

        Raises
        ------
        UsageError
            An unknown protocol.
        MissingExtraError
            A known one whose package is not installed.
        """
        if self._opened is None or self._opened[0] != os.getpid():  # connections do not survive a fork
            self._opened = (os.getpid(), *_open(self.name, self.options))
        return self._opened[1:]

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Read `length` bytes from `start` of a file, or all of it.

        Raises
        ------
        MissingFileError
            There is no such file.
        DamageError
            It ends before the last byte asked for.
        StorageError
            It could not be read, also when tried again; NotAFileError where something else lies in its place.
        """
        filesystem, path = self._at(name)

        def once() -> bytes:
            if length is None:
                return bytes(filesystem.cat_file(path, start=start or None))
            data = bytes(filesystem.cat_file(path, start=start, end=start + length))
            if len(data) > length:  # an HTTP server that knows no ranges sends everything
                data = data[start : start + length]
            if len(data) < length:
                raise TooShortError
            return data

        return self._try("read", name, once)

    def read_whole(self, name: str, limit: int) -> bytes:
        """Read a file of at most `limit` bytes; DamageError where it has more, else errors as of :meth:`read`."""
        filesystem, path = self._at(name)
        data = self._try("read", name, lambda: bytes(filesystem.cat_file(path, start=0, end=limit + 1)))
        return self._within(name, limit, data)

    def _within(self, name: str, limit: int, data: bytes) -> bytes:
        if len(data) > limit:
            raise DamageError(f"{self.label(name)} has more than {limit:,} bytes: do not trust this dataset")
        return data

    def info(self, name: str) -> FileInfo:
        """Ask for length and time of a file; errors as of :meth:`read`."""
        filesystem, path = self._at(name)

        def once() -> FileInfo:
            entry = filesystem.info(path)
            if entry.get("type") == "directory":
                raise FileNotFoundError
            return _file_info(entry)

        return self._try("read", name, once)

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        try:
            self.info(name)
        except MissingFileError:
            return False
        return True

    def sha256(self, name: str) -> str:
        """Hash a file's content with SHA-256, as hex, without holding it in memory; errors as of :meth:`read`."""
        digest = hashlib.sha256()
        for block in self._blocks(name):
            digest.update(block)
        return digest.hexdigest()

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        """Give a file as one of the local disk, for the block; errors as of :meth:`read`."""
        with scratch_file() as (stream, path):
            with storage_errors(path):
                stream.writelines(self._blocks(name))
                stream.flush()
            yield path

    def files(self, folder: str = "", deep: bool = False) -> dict[str, FileInfo]:
        """List the files in a folder by name below the dataset, sorted; if `deep`, those below its folders too."""
        found = self._entries(folder, deep)
        return {name: _file_info(found[name]) for name in sorted(found) if found[name]["type"] == "file"}

    def names(self) -> set[str]:
        """List the names of all files and folders directly below."""
        return {name.strip("/") for name in self._entries("", deep=False)} - {""}

    def write(self, name: str, data: bytes) -> str:
        """Write a file, whole or not at all, and hash it; StorageError says why that is impossible."""
        filesystem, path = self._at(name)
        self._try("write", name, lambda: filesystem.pipe_file(path, data))
        return hashlib.sha256(data).hexdigest()

    @contextmanager
    def writing(self, name: str) -> Iterator[HashingFile]:
        """Open a file that appears, complete, when the block ends without an exception; errors as of :meth:`write`."""
        filesystem, target = self._at(name)
        with scratch_file() as (stream, path):
            yield HashingFile(stream, path)
            with storage_errors(path):
                stream.flush()
            self._try("write", name, lambda: filesystem.put_file(str(path), target))

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one, which False tells; errors as of :meth:`write`.

        Stores that know no such condition are asked first, which leaves a moment in which another process can write.
        """
        filesystem, path = self._at(name)

        def once() -> bool:
            try:
                filesystem.pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
            except (NotImplementedError, TypeError):  # it knows no such condition
                if self.exists(name):
                    return False
                filesystem.pipe_file(path, data)
            return True

        return self._try("write", name, once)

    def move(self, source: str, target: str) -> None:
        """Replace a file with another, which loses its old name; errors as of :meth:`write`."""
        filesystem, path = self._at(source)
        self._try("write", target, lambda: filesystem.cp_file(path, self._at(target)[1]))
        self.remove(source)

    def remove(self, name: str) -> None:
        """Delete a file if there is one; errors as of :meth:`write`."""
        filesystem, path = self._at(name)

        def once() -> None:
            with suppress(FileNotFoundError):
                filesystem.rm_file(path)

        self._try("write", name, once)

    def remove_folder(self, folder: str) -> None:
        """Delete all files below a folder."""
        for name in self.files(folder, deep=True):
            self.remove(name)

    def below(self, folder: str) -> Storage:
        """Open the files below a folder as a storage of its own."""
        return Storage(f"{self.name}/{folder}", self.options, self.tries, self._wait)

    def _at(self, name: str) -> tuple[fsspec.AbstractFileSystem, str]:
        """Give the file system, with nothing cached of earlier listings, and the path of a file in it."""
        filesystem, root = self.filesystem()
        filesystem.invalidate_cache()
        return filesystem, f"{root}/{name}".rstrip("/")

    def _entries(self, folder: str, deep: bool) -> dict[str, Mapping[str, Any]]:
        """List what lies in a folder, by name below the dataset, as fsspec describes it."""
        filesystem, path = self._at(folder)
        start = len(self.filesystem()[1]) + 1

        def once() -> dict[str, Mapping[str, Any]]:
            try:
                entries = filesystem.find(path, detail=True).values() if deep else filesystem.ls(path, detail=True)
            except FileNotFoundError:
                return {}
            named = {entry["name"][start:]: entry for entry in entries}
            return {name: entry for name, entry in named.items() if name}

        return self._try("read", folder, once)

    def _blocks(self, name: str) -> Iterator[bytes]:
        size = self.info(name).size
        for start in range(0, size, _BLOCK):
            yield self.read(name, start, min(_BLOCK, size - start))

    def _try(self, verb: Literal["read", "write"], name: str, action: Callable[[], Result]) -> Result:
        """Do something with a file, again where that failed for a reason that may pass; errors name file and remedy."""
        done = 1
        while True:
            try:
                return action()
            except MattingDataError:  # has its sentence
                raise
            except Exception as error:  # every file system of fsspec raises classes of its own packages
                if type(error) in _OWN_ERRORS:
                    raise
                if done >= self.tries or not _may_pass(error):
                    raise self._failure(verb, name, done, error) from None
            time.sleep(back_off(self.label(name), done, self._wait))
            done += 1

    def _failure(self, verb: str, name: str, tried: int, error: Exception) -> MattingDataError:
        if isinstance(error, TooShortError):
            return DamageError(f"{self.label(name)} is shorter than dataset.json and its manifest say: {self.repair}")
        if verb == "read" and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return MissingFileError(f"{self.label(name)} is missing: {self.repair}")
        if isinstance(error, NotRegularError):
            what = f"{error.strerror}: remove it and run the same command again"
            return NotAFileError(f"{self.label(name)} {what}", what)
        if isinstance(error, FileNotFoundError):
            remedy = "create the bucket, or choose another --out"
        elif not self.local and (_without_credentials(error) or isinstance(error, PermissionError)):
            remedy = (
                "set credentials that may read and write there (for s3://, AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY), then run the same command again"
            )
        else:
            remedy = "check that it can be reached and read, then run the same command again"
        times = f" (tried {tried} times)" if tried > 1 else ""
        why = _first_line(error)
        sentence = f"cannot {verb} {self.label(name)}{times}: {why}; {remedy}"
        if _without_credentials(error):  # which no time will give
            return StorageError(sentence)
        if verb == "read" and (not self.local or (isinstance(error, OSError) and is_refusal(error))):
            return RefusedError(sentence, f"{name.rpartition('/')[2]}: {why}")
        return StorageError(sentence)


def _open(url: str, options: Mapping[str, Any]) -> tuple[fsspec.AbstractFileSystem, str]:
    import fsspec  # takes a tenth of a second, and folders do without

    protocol = url.partition("://")[0]
    try:
        filesystem, root = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        if protocol in _IN_EXTRA:
            raise MissingExtraError("cloud", f"the packages that read {protocol}://") from None
        raise UsageError(f"cannot open {url}: {_first_line(error)}") from None
    except ValueError as error:
        raise UsageError(f"cannot open {url}: {error}; name a folder or a URL that fsspec knows") from None
    return filesystem, str(root).rstrip("/")


def _file_info(entry: Mapping[str, Any]) -> FileInfo:
    moments = (entry.get(key) for key in ("LastModified", "mtime", "updated", "created"))
    moment = next((value for value in moments if value is not None), time.time())
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return FileInfo(int(entry["size"] or 0), moment.timestamp() if isinstance(moment, datetime) else float(moment))


def _may_pass(error: Exception) -> bool:
    """Tell whether the same request may succeed later."""
    status = getattr(error, "status", None)
    if isinstance(status, int) and 400 <= status < 500:
        return status in TRY_LATER
    return not isinstance(error, _FINAL) and not _without_credentials(error)


def _without_credentials(error: Exception) -> bool:
    return any(part in type(error).__name__ for part in _CREDENTIALS)


def _first_line(error: Exception) -> str:
    words = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return words.splitlines()[0]
