"""Where a dataset lies: a folder, or any URL that fsspec knows. Bytes come back whole, or an error says what to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import fsspec

from matting_data.errors import DamageError, MissingExtraError, StorageError, UsageError
from matting_data.sources.fetching.throttle import back_off

REPAIR_LOCAL = "run 'mattingdata build' again to restore it"
REPAIR_REMOTE = "copy it there again; 'mattingdata verify' on the copied folder tells whether that one is whole"

_TRY_LATER = {408, 425, 429}

Result = TypeVar("Result")


class ByteSource(Protocol):
    """What samples are cut out of."""

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes from `start` of a file of the dataset, or all of it."""


class Storage:
    """The files of one dataset.

    Travels to other processes: each opens its own connections.

    Parameters
    ----------
    location : str or Path
        A folder, or a URL of a protocol that fsspec knows (``s3://``, ``https://``, ``memory://``, ...).
    options : mapping
        Passed to fsspec: credentials, endpoints.
    tries : int
        How often a read that fails for a reason that may pass is tried, the first included.
    wait : float
        Seconds before the second try; doubling from there.

    Raises
    ------
    UsageError
        An unknown protocol.
    MissingExtraError
        A known one whose package is not installed.
    """

    def __init__(
        self, location: str | Path, options: Mapping[str, Any] | None = None, tries: int = 4, wait: float = 0.5
    ) -> None:
        # a path is made absolute: workers may start elsewhere
        self._url = location if isinstance(location, str) and "://" in location else str(Path(location).absolute())
        self._options = dict(options or {})
        self._tries, self._wait = max(1, tries), wait
        self._opened: tuple[int, fsspec.AbstractFileSystem, str] | None = None
        filesystem, root = self._filesystem()
        self.local = "file" in _protocols(filesystem)
        self.name = root if self.local else self._url.rstrip("/")

    @property
    def repair(self) -> str:
        """What to do about a file that is missing or damaged."""
        return REPAIR_LOCAL if self.local else REPAIR_REMOTE

    def label(self, name: str) -> str:
        """Return what messages call a file."""
        return f"{self.name}/{name}"

    def size(self, name: str) -> int:
        """Return the length of a file; errors as of :meth:`read`."""
        filesystem, root = self._filesystem()
        return int(self._retried(name, lambda: filesystem.size(f"{root}/{name}")))

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes from `start` of a file, or all of it.

        Raises
        ------
        MissingFileError
            There is no such file.
        DamageError
            It ends before the last byte asked for.
        StorageError
            It could not be read, also when tried again.
        """
        filesystem, root = self._filesystem()

        def once() -> bytes:
            if length is None:
                return bytes(filesystem.cat_file(f"{root}/{name}"))
            data = bytes(filesystem.cat_file(f"{root}/{name}", start=start, end=start + length))
            if len(data) > length:  # an HTTP server that knows no ranges sends everything
                data = data[start : start + length]
            if len(data) < length:
                raise _TooShort(len(data))
            return data

        return self._retried(name, once)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    def _filesystem(self) -> tuple[fsspec.AbstractFileSystem, str]:
        if self._opened is None or self._opened[0] != os.getpid():
            # connections do not survive a fork
            self._opened = (os.getpid(), *_open(self._url, self._options))
        return self._opened[1:]

    def _retried(self, name: str, action: Callable[[], Result]) -> Result:
        for done in range(1, self._tries + 1):
            try:
                return action()
            except (FileNotFoundError, NotADirectoryError):
                raise MissingFileError(f"{self.label(name)} is missing: {self.repair}") from None
            except _TooShort:
                if self.local or done == self._tries:
                    raise DamageError(
                        f"{self.label(name)} is shorter than dataset.json and its manifest say: {self.repair}"
                    ) from None
            except Exception as error:  # every back-end raises classes of its own packages
                if not _may_pass(error) or done == self._tries:
                    tried = f" (tried {done} times)" if done > 1 else ""
                    raise StorageError(
                        f"cannot read {self.label(name)}{tried}: {_said(error)}; check that it can be reached and "
                        "read, then run the same command again"
                    ) from None
            time.sleep(back_off(self.label(name), done, self._wait))
        raise AssertionError("the last try returns or raises")


class MissingFileError(DamageError):
    """A file of the dataset is not there."""


class _TooShort(Exception):
    """Fewer bytes than asked for."""


def _open(url: str, options: Mapping[str, Any]) -> tuple[fsspec.AbstractFileSystem, str]:
    protocol = url.partition("://")[0]
    try:
        filesystem, root = fsspec.core.url_to_fs(url, **options)
    except ImportError:
        raise MissingExtraError("cloud", f"the packages that read {protocol}://") from None
    except ValueError as error:
        raise UsageError(f"cannot open {url}: {error}; name a folder or a URL that fsspec knows") from None
    return filesystem, str(root).rstrip("/")


def _protocols(filesystem: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (filesystem.protocol,) if isinstance(filesystem.protocol, str) else tuple(filesystem.protocol)


def _may_pass(error: Exception) -> bool:
    """Tell whether the same request may succeed later: everything but a refusal."""
    status = getattr(error, "status", None)
    if isinstance(status, int) and 400 <= status < 500:
        return status in _TRY_LATER
    return not isinstance(error, (PermissionError, IsADirectoryError))


def _said(error: Exception) -> str:
    words = str(error) or type(error).__name__
    return words.splitlines()[0]
