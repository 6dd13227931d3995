"""What can be done with the files of a dataset, wherever they lie.

Names are POSIX paths below the dataset (``train/000000.tar``). Bytes come back whole and are written whole, or an
error says what to do.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

from matting_data.errors import DamageError, StorageError
from matting_data.storage.atomic import HashingFile
from matting_data.storage.retries import back_off

Result = TypeVar("Result")


class ByteSource(Protocol):
    """What samples are cut out of."""

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes from `start` of a file of the dataset, or all of it."""


class MissingFileError(DamageError):
    """A file of the dataset is not there."""


class TooShortError(Exception):
    """Fewer bytes than asked for."""


@dataclass(frozen=True)
class FileInfo:
    """Length in bytes, and when it was written last, in seconds since 1970."""

    size: int
    modified: float


class Storage(ABC):
    """The files of one dataset; travels to other processes, each of which opens its own connections.

    Attributes
    ----------
    name : str
        What messages call it: the folder or the URL.
    local : bool
        Whether it is a folder of this machine's file system.
    tries : int
        How often what fails for a reason that may pass is tried, the first included.
    """

    name: str
    local: bool

    def __init__(self, tries: int, wait: float) -> None:
        self.tries, self._wait = max(1, tries), wait

    def __str__(self) -> str:
        return self.name

    def label(self, name: str) -> str:
        """Return what messages call a file."""
        return f"{self.name}/{name}"

    @property
    @abstractmethod
    def repair(self) -> str:
        """What to do about a file that is missing or damaged."""

    @abstractmethod
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

    @abstractmethod
    def info(self, name: str) -> FileInfo:
        """Return length and time of a file; errors as of :meth:`read`."""

    @abstractmethod
    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file's content as hex, without holding it in memory; errors as of :meth:`read`."""

    @abstractmethod
    def fetched(self, name: str) -> AbstractContextManager[Path]:
        """Give a file as one of this machine's file system, fetched if need be; errors as of :meth:`read`."""

    @abstractmethod
    def files(self, folder: str = "", deep: bool = False) -> dict[str, FileInfo]:
        """Return the files in a folder by name below the dataset, sorted; if `deep`, those below its folders too."""

    @abstractmethod
    def names(self) -> set[str]:
        """Return the names of all that lies directly below, files and folders."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> str:
        """Write a file, whole or not at all, and return its SHA-256; StorageError says why that is impossible."""

    @abstractmethod
    def writing(self, name: str) -> AbstractContextManager[HashingFile]:
        """Open a file that appears, complete, when the block ends without an exception; errors as of :meth:`write`."""

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one, which False tells; errors as of :meth:`write`."""

    @abstractmethod
    def move(self, source: str, target: str) -> None:
        """Let a file take the place of another; errors as of :meth:`write`."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Delete a file if there is one; errors as of :meth:`write`."""

    @abstractmethod
    def remove_folder(self, folder: str) -> None:
        """Delete all that lies below a folder, as far as that is possible."""

    @abstractmethod
    def below(self, folder: str) -> Storage:
        """Return the files below a folder as a storage of its own."""

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        try:
            self.info(name)
        except MissingFileError:
            return False
        return True

    def _reading(self, name: str, action: Callable[[], Result]) -> Result:
        """Do something with a file that should be there."""

        def refuse(error: Exception, tried: int) -> NoReturn:
            if isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise MissingFileError(f"{self.label(name)} is missing: {self.repair}") from None
            if isinstance(error, TooShortError):
                raise DamageError(
                    f"{self.label(name)} is shorter than dataset.json and its manifest say: {self.repair}"
                ) from None
            raise self._failure("read", name, tried, error) from None

        return self._tried(name, action, refuse)

    def _tried(self, name: str, action: Callable[[], Result], refuse: Callable[[Exception, int], NoReturn]) -> Result:
        for done in range(1, self.tries + 1):
            try:
                return action()
            except Exception as error:  # every back-end raises classes of its own packages
                if done == self.tries or not self._may_pass(error):
                    refuse(error, done)
            time.sleep(back_off(self.label(name), done, self._wait))
        raise AssertionError("the last try returns or raises")

    def _failure(self, action: str, name: str, tried: int, error: Exception) -> StorageError:
        """Return what is raised where a file could not be read or written for no reason of its own."""
        times = f" (tried {tried} times)" if tried > 1 else ""
        return StorageError(f"cannot {action} {self.label(name)}{times}: {self._remedy(error)}")

    @abstractmethod
    def _may_pass(self, error: Exception) -> bool:
        """Tell whether the same request may succeed later."""

    @abstractmethod
    def _remedy(self, error: Exception) -> str:
        """Say what went wrong and what to do about it."""


def said(error: Exception) -> str:
    """Return the first line of what an error says."""
    words = str(error) or type(error).__name__
    return words.splitlines()[0]
