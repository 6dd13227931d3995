"""Walking a folder of this machine: every visible file below it, through links, which may not lead in circles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from matting_data.errors import UsageError
from matting_data.imaging.codecs.formats import SUFFIXES
from matting_data.storage.refused import is_refusal, refused


def files_below(root: Path, key: str) -> Iterator[str]:
    """Yield the files below a folder as POSIX paths relative to it, in no particular order.

    Hidden files and folders are left out. Links to folders are followed, those to files count as files, and so do
    links that lead nowhere. (``os.walk`` takes a folder of which the system tells nothing for a file.)

    Parameters
    ----------
    root : Path
        The folder.
    key : str
        What named it, for the errors.

    Raises
    ------
    RefusedError
        The system does not let a folder be listed, so that what it holds is not known.
    UsageError
        A folder is gone, or a link leads back to a folder that holds it.
    """
    waiting = [(root, "", dict[tuple[int, int], Path]())]
    while waiting:
        folder, relative, above = waiting.pop()
        try:
            status = folder.stat()
            identity = status.st_dev, status.st_ino
            if identity in above:
                raise UsageError(
                    f"{key}: the link {folder} leads back to {above[identity]}, which holds it: remove the link"
                )
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):
                        waiting.append((folder / entry.name, f"{relative}{entry.name}/", above | {identity: folder}))
                    else:
                        yield f"{relative}{entry.name}"
        except OSError as error:
            place = error.filename or folder
            if is_refusal(error):
                raise refused(place, error) from None
            raise UsageError(f"{key}: cannot list {place}: {error.strerror}; run the same command again") from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:  # only links, and some network's entries, have to be looked up
        if is_refusal(error) and PurePath(entry.name).suffix.lower() not in SUFFIXES:
            raise
        return False  # a link in a circle, or a photograph, whose reading will be refused
