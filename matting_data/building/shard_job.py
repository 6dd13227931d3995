"""Building and committing one shard: the unit of work of a build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matting_data.atomic import atomic_file, sha256_file, storage_errors
from matting_data.building.render import ForegroundRenderer
from matting_data.errors import DamageError, MattingDataError, RejectedInput
from matting_data.recipe_file import LoadedRecipe
from matting_data.records import (
    PARQUET_ERRORS,
    Background,
    Foreground,
    PlannedComposite,
    Sample,
    parquet_bytes,
    read_table,
    to_table,
    write_table,
)
from matting_data.shards.index import tool_versions
from matting_data.shards.layout import manifest_path, tar_path
from matting_data.shards.members import with_places
from matting_data.shards.writer import ShardWriter
from matting_data.sources.backgrounds import background_file
from matting_data.sources.colours import ColourCache
from matting_data.sources.files import InputFile, read_input
from matting_data.sources.foregrounds import foreground_files
from matting_data.sources.load import load_background, load_foreground

_METADATA = ("inputs_sha256", "tar_sha256", "tar_bytes", "rows_sha256", "failed")
"""What a manifest says of its shard, in its file's own metadata."""


@dataclass(frozen=True)
class Shard:
    """One shard to build, with the records its composites need."""

    split: str
    number: int
    composites: tuple[PlannedComposite, ...]
    foregrounds: Mapping[str, Foreground]
    backgrounds: Mapping[str, Background]


@dataclass(frozen=True)
class ShardResult:
    """A committed shard; `failed` holds (key, reason, detail) of composites that could not be made."""

    split: str
    number: int
    num_samples: int
    tar_bytes: int
    tar_sha256: str
    manifest_sha256: str
    failed: tuple[tuple[str, str, str], ...]


class Inputs:
    """Reads what a shard's records point to, refusing files that are not those that were checked.

    Parameters
    ----------
    recipe : LoadedRecipe
        Knows where sources lie.
    colours : ColourCache
        Estimated foreground colours.
    """

    def __init__(self, recipe: LoadedRecipe, colours: ColourCache) -> None:
        self._recipe, self._colours = recipe, colours

    def foreground(self, record: Foreground) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return clean colours H×W×3 and alpha H×W, uint8; raise RejectedInput where that is impossible."""
        image_path, alpha_path = foreground_files(self._recipe, record)
        image_bytes = _read_unchanged(image_path, record.image_sha256)
        alpha_bytes = _read_unchanged(alpha_path, record.alpha_sha256) if alpha_path else None
        image, alpha = load_foreground(image_bytes, alpha_bytes, record.opaque_from)
        return self._colours.clean(record, image, alpha), alpha

    def background(self, record: Background) -> NDArray[np.uint8]:
        """Return the photograph, H×W×3 uint8; raise RejectedInput where that is impossible."""
        data = _read_unchanged(background_file(self._recipe, record), record.sha256)
        return load_background(data, record.width * record.height, record.rotation)


@dataclass
class BuildShard:
    """The task of a build's workers: builds a :class:`Shard` below `out` and commits it."""

    recipe: LoadedRecipe
    out: Path
    cache: Path

    @cached_property
    def inputs(self) -> Inputs:
        """What reads the sources, set up once a process."""
        return Inputs(self.recipe, ColourCache(self.cache / "colours"))

    def __call__(self, shard: Shard) -> ShardResult:
        """Write the tar, then the manifest that makes it count."""
        rows: list[Sample] = []
        failed: list[tuple[str, str, str]] = []
        with storage_errors(self.out):  # what is replaced must not count while it is
            manifest_path(self.out, shard.split, shard.number).unlink(missing_ok=True)
        with atomic_file(tar_path(self.out, shard.split, shard.number)) as file:
            writer = ShardWriter(file)
            for identity, group in groupby(shard.composites, key=lambda composite: composite.foreground):
                composites = list(group)
                try:
                    record = shard.foregrounds[identity]
                    renderer = ForegroundRenderer(record, *self.inputs.foreground(record), self.recipe.recipe)
                except Exception as error:
                    failed += [(composite.key, *_failure(error)) for composite in composites]
                    continue
                for composite in composites:
                    try:
                        background = self.inputs.background(shard.backgrounds[composite.background])
                        rendered = renderer.render(composite, background)
                    except Exception as error:
                        failed.append((composite.key, *_failure(error)))
                        continue
                    rows.append(with_places(rendered.row, writer.add(composite.key, rendered.members)))
            writer.close()
        metadata = {
            "inputs_sha256": inputs_sha256(self.recipe, shard),
            "tar_sha256": file.sha256,
            "tar_bytes": str(file.bytes_written),
            "rows_sha256": rows_sha256(rows),
            "failed": json.dumps(failed),
        }
        manifest_sha256 = write_table(manifest_path(self.out, shard.split, shard.number), rows, Sample, metadata)
        return ShardResult(
            shard.split, shard.number, len(rows), file.bytes_written, file.sha256, manifest_sha256, tuple(failed)
        )


def committed(out: Path, recipe: LoadedRecipe, shard: Shard) -> ShardResult | None:
    """Return the result of a shard that an earlier run finished, or None where it has to be built (again).

    A shard counts when it was made of the same inputs by the same tools, none of its composites failed, and every
    byte of its tar and every row of its manifest is as written.
    """
    manifest, tar = manifest_path(out, shard.split, shard.number), tar_path(out, shard.split, shard.number)
    try:
        metadata = pl.read_parquet_metadata(manifest)
        if metadata["inputs_sha256"] != inputs_sha256(recipe, shard) or json.loads(metadata["failed"]):
            return None
        if tar.stat().st_size != int(metadata["tar_bytes"]) or sha256_file(tar) != metadata["tar_sha256"]:
            return None
        rows = read_table(manifest, Sample)
        own = {key: metadata[key] for key in _METADATA}
        if rows_sha256(rows) != metadata["rows_sha256"] or manifest.read_bytes() != parquet_bytes(
            to_table(rows, Sample), own
        ):
            return None
    except (*PARQUET_ERRORS, KeyError, ValueError, DamageError):
        return None
    return ShardResult(
        shard.split,
        shard.number,
        len(rows),
        int(metadata["tar_bytes"]),
        metadata["tar_sha256"],
        sha256_file(manifest),
        (),
    )


def rows_sha256(rows: Sequence[Sample]) -> str:
    """Hash the rows of a manifest."""
    return hashlib.sha256("\n".join(repr(astuple(row)) for row in rows).encode()).hexdigest()


def inputs_sha256(recipe: LoadedRecipe, shard: Shard) -> str:
    """Hash all that decides a shard's bytes: the recipe, the tools, its composites, and the records they use."""
    digest = hashlib.sha256(f"{recipe.sha256} {sorted(tool_versions().items())}".encode())
    for composite in shard.composites:
        digest.update(repr(astuple(composite)).encode())
    records: list[Foreground | Background] = [*shard.foregrounds.values(), *shard.backgrounds.values()]
    for record in sorted(records, key=lambda record: record.id):
        digest.update(repr(record.decides).encode())
    return digest.hexdigest()


def _read_unchanged(file: Path | InputFile, sha256: str) -> bytes:
    data = read_input(file)
    if hashlib.sha256(data).hexdigest() != sha256:
        path = file if isinstance(file, Path) else file.path
        raise RejectedInput("changed", f"{path.name} is no longer the file that was checked")
    return data


def _failure(error: Exception) -> tuple[str, str]:
    """Return reason and detail for the ledger; errors that concern the whole build are raised again."""
    if isinstance(error, RejectedInput):
        return error.reason, error.detail
    if isinstance(error, MattingDataError):
        raise error
    return "error", f"{type(error).__name__}: {error}"
