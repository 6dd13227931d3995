"""Estimated foreground colours, kept between runs: the estimate costs a hundred composites' time.

Only soft pixels differ from the source image, so only theirs are stored, under the hash of the files they were
estimated from, with a checksum of that and of the colours. They are not compressed: that saves four tenths of the room,
and takes a fifth of a millisecond of every composite. The checksum is a CRC: SHA-256 takes two to eight times as long.
"""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RefusedError
from matting_data.imaging.colour import estimate_soft_colours, soft_pixels, with_soft_colours
from matting_data.records.checked import CheckedForeground
from matting_data.records.planned import PlannedForeground
from matting_data.storage import Location, MissingFileError, open_storage

_METHOD = "multi-level-1"
"""Part of the name: a new method or setting needs a new word, or old estimates would be taken for its own."""


class ColourCache:
    """Clean foreground colours by content.

    Parameters
    ----------
    place : Path, str or Storage
        Where estimates are kept; a folder is created when the first is written.
    keep : bool
        Write new estimates; verifying only reads.
    """

    def __init__(self, place: Location, keep: bool = True) -> None:
        self._place, self._keep = open_storage(place), keep

    def clean(
        self, record: CheckedForeground | PlannedForeground, image: NDArray[np.uint8], alpha: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """Give `image` clean colours at soft pixels, in place, as the record asks; return it.

        Parameters
        ----------
        record : CheckedForeground or PlannedForeground
            With its hashes and `colour`; ``as_is`` changes nothing.
        image, alpha : ndarray
            H×W×3 and H×W uint8, as :func:`matting_data.sources.decoded.load_foreground` returns them.
        """
        if record.colour != "estimated":
            return image
        identity = f"{_METHOD} {record.image_sha256} {record.alpha_sha256 or ''} {record.opaque_from}"
        if record.profile:
            identity += f" {record.profile}"
        name = hashlib.sha256(identity.encode()).hexdigest()
        file = f"{name[:2]}/{name}.rgb"
        count = int(np.count_nonzero(soft_pixels(alpha)))
        colours = self._read(file, count, identity)
        if colours is None:
            colours = estimate_soft_colours(image, alpha)
            if self._keep:
                self._place.write(file, colours.tobytes() + _checksum(colours.tobytes(), identity))
        return with_soft_colours(image, alpha, colours)

    def _read(self, file: str, count: int, identity: str) -> NDArray[np.uint8] | None:
        try:
            data = memoryview(self._place.read(file))
        except (MissingFileError, RefusedError):  # estimating again gives the same
            return None
        if len(data) != 3 * count + 4 or data[-4:] != _checksum(data[:-4], identity):
            return None  # damaged, or of other files: estimating again repairs it
        return np.frombuffer(data[:-4], np.uint8).reshape(count, 3)


def _checksum(data: bytes | memoryview, identity: str) -> bytes:
    return zlib.crc32(data, zlib.crc32(identity.encode())).to_bytes(4, "big")
