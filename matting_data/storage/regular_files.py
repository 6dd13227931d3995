"""Opening files of which only a name is known: what is no regular file is refused before it is waited for.

Opening a pipe waits for a writer, and a device may never end; both can lie where a dataset or a recipe names a file.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotRegularError(OSError):
    """A pipe, a device, a socket or a folder lies where a file was expected; ``strerror`` says which."""


_KINDS = {
    stat.S_IFDIR: "is a folder, not a file",
    stat.S_IFIFO: "is a pipe, not a file",
    stat.S_IFSOCK: "is a socket, not a file",
    stat.S_IFCHR: "is a device, not a file",
    stat.S_IFBLK: "is a device, not a file",
}


def open_regular(path: Path | str) -> BinaryIO:
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
            raise NotRegularError(error.errno, _KINDS[stat.S_IFSOCK], str(path)) from None
        raise
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if kind != stat.S_IFREG:
            raise NotRegularError(errno.EINVAL, _KINDS.get(kind, "is no regular file"), str(path))
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
