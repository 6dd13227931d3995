"""Walking a folder of this machine: every visible file below it, through links, which may not lead in circles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from matting_data.errors import UsageError


def files_below(root: Path, key: str) -> Iterator[str]:
    """Yield the files below a folder as POSIX paths relative to it, in no particular order.

    Hidden files and folders are left out. Links to folders are followed, those to files count as files, and so do
    links that lead nowhere.

    Parameters
    ----------
    root : Path
        The folder.
    key : str
        What named it, for the errors.

    Raises
    ------
    UsageError
        A folder cannot be listed, or a link leads back to a folder that holds it.
    """

    def refuse(error: OSError) -> None:
        raise UsageError(f"{key}: cannot list {error.filename}: {error.strerror}; change its permissions") from None

    identities: dict[Path, tuple[int, int]] = {}
    for place, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        folder = Path(place)
        identities[folder] = identity = _identity(folder)
        for above in folder.parents if folder != root else ():
            if identities.get(above) == identity:
                raise UsageError(f"{key}: the link {folder} leads back to {above}, which holds it: remove the link")
            if above == root:
                break
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = folder.relative_to(root)
        yield from ((relative / name).as_posix() for name in files if not name.startswith("."))


def _identity(folder: Path) -> tuple[int, int]:
    """Read a folder's device and inode numbers, which all paths of the folder have in common."""
    status = folder.stat()
    return status.st_dev, status.st_ino
