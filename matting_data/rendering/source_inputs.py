"""Where the pixels of a plan come from: the files of its sources, as they were when they were checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput
from matting_data.records.planned import PlannedBackground, PlannedForeground
from matting_data.sources.decoded import load_background, load_foreground
from matting_data.sources.inputs import InputFile, local_files, read_input
from matting_data.sources.opened import Sources
from matting_data.sources.source_paths import SourcePath
from matting_data.workspace.colour_cache import ColourCache


class SourceInputs:
    """Reads the files that records point to, refusing those that are not what was checked.

    Parameters
    ----------
    sources : Sources
        Know where files lie.
    colours : ColourCache
        Estimated foreground colours.
    """

    def __init__(self, sources: Sources, colours: ColourCache) -> None:
        self._sources, self._colours = sources, colours

    def foreground(self, record: PlannedForeground) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read clean colours and alpha from the foreground's source."""
        image_path, alpha_path = self._sources.foreground_files(record)
        image_bytes = _read_unchanged(image_path, record.image_sha256)
        alpha_bytes = _read_unchanged(alpha_path, record.alpha_sha256) if alpha_path else None
        image, alpha = load_foreground(image_bytes, alpha_bytes, record.opaque_from, bool(record.profile))
        return self._colours.clean(record, image, alpha), alpha

    def background(self, record: PlannedBackground) -> NDArray[np.uint8]:
        """Read and decode the photograph."""
        plain = (record.format, record.mode, record.orientation) == ("JPEG", "RGB", 1)
        data, pixels = self.background_bytes(record), record.width * record.height
        return load_background(data, pixels, record.rotation, plain, bool(record.profile))

    def files(
        self, foregrounds: Iterable[PlannedForeground], backgrounds: Iterable[PlannedBackground]
    ) -> Iterator[Path]:
        """Yield the files that records point to, but for paths that are refused when they are read."""
        for foreground in foregrounds:
            with suppress(RejectedInput):
                yield from local_files(self._sources.foreground_files(foreground))
        for background in backgrounds:
            with suppress(RejectedInput):
                yield from local_files([self._sources.background_file(background)])

    def background_bytes(self, record: PlannedBackground) -> bytes:
        """Read the bytes of the photograph's file."""
        return _read_unchanged(self._sources.background_file(record), record.sha256)


def _read_unchanged(file: SourcePath | InputFile, sha256: str) -> bytes:
    data = read_input(file)
    if hashlib.sha256(data).hexdigest() != sha256:
        path = file.path if isinstance(file, InputFile) else file
        raise RejectedInput("changed", f"{path.name} is no longer the file that was checked")
    return data
