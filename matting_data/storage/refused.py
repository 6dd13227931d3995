"""Telling what the system refused from what a file is: only the latter says anything about an input or a dataset."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matting_data.errors import RefusedError
from matting_data.storage.regular_files import NotRegularError

_OF_THE_FILE = frozenset(
    (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EFBIG, errno.EINVAL)
)
"""What stays so however often one asks: nothing is there, or something else is. All else may pass, or be lifted."""

_IN_RUST = re.compile(r"\(os error (\d+)\)")

_REMEDIES = {
    errno.EACCES: "change its permissions and run the same command again",
    errno.EPERM: "change its permissions and run the same command again",
    errno.EMFILE: "raise the limit on open files (ulimit -n) and run the same command again",
    errno.ENFILE: "close other programs and run the same command again",
    errno.ENOMEM: "free some memory and run the same command again",
}


def is_refusal(error: Exception) -> bool:
    """Tell whether the system refused to read, rather than finding nothing, or something else, in a file's place.

    Errors without a number are those of libraries that did not like what they read.
    """
    number = number_of(error)
    return number is not None and number not in _OF_THE_FILE and not isinstance(error, NotRegularError)


def number_of(error: Exception) -> int | None:
    """Find the system's number in an error, also of libraries written in Rust, which have it in their text alone."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _IN_RUST.search(str(error))
    return int(found[1]) if found else None


def refused(path: Path | str, error: Exception) -> RefusedError:
    """Build the sentence about a path that the system refused to read."""
    number = number_of(error) or 0
    why = os.strerror(number) if number else str(error)
    remedy = _REMEDIES.get(number, "check the disk, or the network, and run the same command again")
    return RefusedError(f"cannot read {path}: {why}; {remedy}", f"{Path(path).name}: {why}")


@contextmanager
def refusals(path: Path | str) -> Iterator[None]:
    """Raise what the block raises because the system refused to read `path` as RefusedError; all else passes."""
    try:
        yield
    except OSError as error:
        if is_refusal(error):
            raise refused(path, error) from None
        raise


def looked_up(path: Path) -> os.stat_result | None:
    """Look up what lies at a path, through links; None where nothing does, RefusedError where the system won't say.

    The methods of ``pathlib`` that answer the same with a bool take some refusals for absence.
    """
    try:
        with refusals(path):
            return path.stat()
    except (OSError, ValueError):  # no such place, or no path at all
        return None


def is_file(path: Path) -> bool:
    """Tell whether a regular file, or a link to one, lies at a path; errors as of :func:`looked_up`."""
    found = looked_up(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def is_folder(path: Path) -> bool:
    """Tell whether a folder, or a link to one, lies at a path; errors as of :func:`looked_up`."""
    found = looked_up(path)
    return found is not None and stat.S_ISDIR(found.st_mode)
