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
        places, parts = {}, []
        position = self._sink.bytes_written
        for field, content in members.items():
            name = f"{key}.{field}"
            padding = -len(content) % tarfile.BLOCKSIZE
            parts += [_header(name, len(content)), content, bytes(padding)]
            places[field] = (name, position + tarfile.BLOCKSIZE, len(content))
            position += tarfile.BLOCKSIZE + len(content) + padding
        for part in (*parts[:2], b"".join(parts[2:])):  # the image as it is; of the others a copy is cheaper than calls
            self._sink.write(part)
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
    encoded = name.encode("ascii")
    if len(encoded) > tarfile.LENGTH_NAME or size > _LARGEST:
        return _info(name, size).tobuf(tarfile.USTAR_FORMAT)  # a prefix, or a refusal
    header = bytearray(_TEMPLATE)
    header[: len(encoded)] = encoded
    header[_SIZE] = b"%011o\0" % size
    header[_CHECKSUM] = b"%06o\0 " % (_TEMPLATE_SUM + sum(encoded) + sum(header[_SIZE]))
    return bytes(header)


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, 0, 0o444
    return info


_SIZE, _CHECKSUM = slice(124, 136), slice(148, 156)
"""Fields of a header (POSIX.1-1988, ustar); the checksum is the sum of all bytes, with blanks in its own place."""

_LARGEST = 8**11 - 1

_TEMPLATE = _info("", 0).tobuf(tarfile.USTAR_FORMAT)
"""Every header but for name, size and checksum: tarfile takes three times as long to make one."""

_TEMPLATE_SUM = sum(_TEMPLATE) - sum(_TEMPLATE[_SIZE]) - sum(_TEMPLATE[_CHECKSUM]) + 8 * ord(" ")
