"""Writing one shard: a USTAR tar of adjacent members, the same bytes every time.

The WebDataset convention: all members of a sample share the name up to the first dot, and follow each other.
Time, owner and mode are constant.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Protocol


class ByteSink(Protocol):
    """What a shard is written to."""

    @property
    def bytes_written(self) -> int:
        """Length so far."""

    def write(self, data: bytes) -> int:
        """Append bytes."""


class ShardWriter:
    """Appends samples to a tar.

    Parameters
    ----------
    sink : ByteSink
        An empty file; :meth:`close` leaves it open.
    """

    def __init__(self, sink: ByteSink) -> None:
        self._sink = sink

    def add(self, key: str, members: Mapping[str, bytes]) -> dict[str, tuple[str, int, int]]:
        """Append one sample.

        Parameters
        ----------
        key : str
            Free of dots and slashes.
        members : mapping
            Field with extension (``image.jpg``) → content; written in the mapping's order.

        Returns
        -------
        dict
            Field → (member name, offset of its content in the tar, length).
        """
        places = {}
        position = self._sink.bytes_written
        for field, content in members.items():
            name = f"{key}.{field}"
            header = _header(name, len(content))
            places[field] = (name, position + len(header), len(content))
            padding = b"\0" * (-len(content) % tarfile.BLOCKSIZE)
            position += sum(self._sink.write(part) for part in (header, content, padding))
        return places

    def close(self) -> None:
        """Write the end of the archive: two empty blocks."""
        self._sink.write(b"\0" * (2 * tarfile.BLOCKSIZE))


class MemorySink(io.BytesIO):
    """A sink in memory, for sizes and tests."""

    @property
    def bytes_written(self) -> int:
        """Length so far."""
        return self.tell()


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, 0, 0o444
    return info.tobuf(tarfile.USTAR_FORMAT)
