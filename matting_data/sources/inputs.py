"""One input: where its bytes lie, reading them, and telling whether they are still the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from matting_data.errors import RejectedInput
from matting_data.sources.source_paths import RemotePath, SourcePath
from matting_data.storage import MissingFileError
from matting_data.storage.refused import looked_up, refusals
from matting_data.storage.regular_files import open_regular

_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class InputFile:
    """Where an input's bytes lie.

    Attributes
    ----------
    path : Path or RemotePath
        The file, or the tar that holds it.
    offset, size : int, int or None
        The part of `path` that is the input, in bytes; without a size, all of it.
    """

    path: SourcePath
    offset: int = 0
    size: int | None = None


def read_input(file: SourcePath | InputFile) -> bytes:
    """Read an input's bytes.

    Only regular files are opened: a pipe would wait for ever, a device never end.

    Raises
    ------
    RejectedInput
        ``unreadable`` where nothing is there, no file is, or it ends too early, or ``too_large``: what the input is
        decides so, today and whenever it is read again.
    RefusedError
        The system, or an object store, did not let it be read: nothing is known of the input.
    """
    if not isinstance(file, InputFile):
        file = InputFile(file)
    path = file.path
    try:
        if isinstance(path, RemotePath):
            _require_photograph_size(path.info().size)
            return path.read()
        with refusals(path), open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size if file.size is None else file.size
            _require_photograph_size(size)
            stream.seek(file.offset)
            data = stream.read(size)
    except MissingFileError:
        raise RejectedInput("unreadable", "No such file or directory") from None
    except OSError as error:
        raise RejectedInput("unreadable", f"{error.strerror or error}") from None
    if file.size is not None and len(data) < size:
        raise RejectedInput("unreadable", f"{path.name} ends {size - len(data)} bytes before the image does")
    return data


def _require_photograph_size(size: int) -> None:
    if size > _MAX_BYTES:
        raise RejectedInput("too_large", f"its {size:,} bytes are more than any photograph has")


def local_files(files: Iterable[SourcePath | InputFile | None]) -> Iterator[Path]:
    """Yield the files of this machine's file system among inputs: what a worker elsewhere may not see."""
    for file in files:
        path = file.path if isinstance(file, InputFile) else file
        if isinstance(path, Path):
            yield path


def state_of(file: SourcePath | InputFile) -> str:
    """Describe an input's place, size and time of change: the text stays the same as long as the file does.

    Raises
    ------
    RefusedError
        As of :func:`read_input`.
    """
    place = file if isinstance(file, InputFile) else InputFile(file)
    try:
        if isinstance(place.path, RemotePath):
            info = place.path.info()
            return f"{place.path} {info.size}:{info.modified}"
    except MissingFileError:
        return "missing"
    status = looked_up(place.path)
    if status is None:
        return "missing"
    part = "" if place.size is None else f" {place.offset}+{place.size}"
    return f"{place.path} {status.st_size}:{status.st_mtime_ns}{part}"
