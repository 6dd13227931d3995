"""Opening files of which only a name is known: what is no regular file is refused before it is waited for.

Opening a pipe waits for a writer, and a device may never end; both can lie where a dataset or a recipe names a file.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


class NotRegularError(OSError):
    """A pipe, a device, a socket or a folder lies where a file was expected; ``strerror`` says which."""


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
    stat.S_IFREG: "a file",
}


def kind_of(mode: int) -> str:
    """Name what has this ``st_mode``: ``a folder``, ``a pipe``, ``a link``, ..."""
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")


def open_regular(path: Path | str) -> BufferedReader:
    """Open a regular file, or a link to one, for reading; it never waits for another process.

    Raises
    ------
    NotRegularError
        Something else lies there.
    OSError
        As ``open`` does.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):  # a socket, or a device without a driver
            raise NotRegularError(error.errno, f"is {_KINDS[stat.S_IFSOCK]}, not a file", str(path)) from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise NotRegularError(errno.EINVAL, f"is {kind_of(mode)}, not a file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path | str, limit: int | None = None) -> bytes:
    """Read a regular file whole; errors as of :func:`open_regular`, ``EFBIG`` where it has more than `limit` bytes."""
    with open_regular(path) as stream:
        data = stream.read(-1 if limit is None else limit + 1)
    if limit is not None and len(data) > limit:
        raise OSError(errno.EFBIG, f"has more than {limit:,} bytes", str(path))
    return data
