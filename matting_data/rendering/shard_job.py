"""Building and committing one shard: the unit of work of a build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import MattingDataError, RejectedInput
from matting_data.imaging import encode
from matting_data.imaging.trimap import person_extent
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import LoadedRecipe, as_mapping
from matting_data.records.fields import values
from matting_data.records.planned import PlannedBackground, PlannedComposite, PlannedForeground
from matting_data.records.stored import Sample
from matting_data.rendering.composites import ForegroundRenderer, sample_row
from matting_data.running.freed_memory import keep_freed_memory
from matting_data.shards.commit import Commit, Failures, commit
from matting_data.shards.commit import committed as committed_shard
from matting_data.shards.members import foreground_json, with_places
from matting_data.shards.names import manifest_name, shard_name, tar_name
from matting_data.shards.writer import ShardWriter
from matting_data.sources.decoded import load_background, load_foreground
from matting_data.sources.find_backgrounds import background_file
from matting_data.sources.find_foregrounds import foreground_files
from matting_data.sources.inputs import InputFile, local_files, read_input
from matting_data.sources.source_paths import SourcePath
from matting_data.storage import Storage
from matting_data.version import tool_versions
from matting_data.workspace.colour_cache import ColourCache
from matting_data.workspace.work_folder import witness


@dataclass(frozen=True)
class Shard:
    """One shard to build, with the records its composites need.

    `lost` says, in a store of layers, which backgrounds could not be stored: id → (reason, detail).
    """

    split: str
    number: int
    composites: tuple[PlannedComposite, ...]
    foregrounds: Mapping[str, PlannedForeground]
    backgrounds: Mapping[str, PlannedBackground]
    lost: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardResult:
    """A committed shard; `failed` holds (key, reason, detail) of composites that could not be made."""

    split: str
    number: int
    num_samples: int
    tar_bytes: int
    tar_sha256: str
    manifest_sha256: str
    failed: Failures

    @classmethod
    def of(cls, shard: Shard, done: Commit[Sample]) -> ShardResult:
        """Describe a committed shard."""
        made = len(done.rows)
        return cls(shard.split, shard.number, made, done.tar_bytes, done.tar_sha256, done.manifest_sha256, done.failed)


class Inputs(Protocol):
    """What reads the pixels that a plan's records stand for; raises RejectedInput where that is impossible."""

    def foreground(self, record: PlannedForeground) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return clean colours H×W×3 and alpha H×W, uint8."""
        ...

    def background(self, record: PlannedBackground) -> NDArray[np.uint8]:
        """Return the photograph, H×W×3 uint8."""
        ...

    def files(
        self, foregrounds: Iterable[PlannedForeground], backgrounds: Iterable[PlannedBackground]
    ) -> Iterator[Path]:
        """Yield the local files that hold them."""
        ...


class SourceInputs:
    """Reads the files that records point to, refusing those that are not what was checked.

    Parameters
    ----------
    recipe : LoadedRecipe
        Knows where sources lie.
    colours : ColourCache
        Estimated foreground colours.
    """

    def __init__(self, recipe: LoadedRecipe, colours: ColourCache) -> None:
        self._recipe, self._colours = recipe, colours

    def foreground(self, record: PlannedForeground) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return clean colours and alpha."""
        image_path, alpha_path = foreground_files(self._recipe, record)
        image_bytes = _read_unchanged(image_path, record.image_sha256)
        alpha_bytes = _read_unchanged(alpha_path, record.alpha_sha256) if alpha_path else None
        image, alpha = load_foreground(image_bytes, alpha_bytes, record.opaque_from)
        return self._colours.clean(record, image, alpha), alpha

    def background(self, record: PlannedBackground) -> NDArray[np.uint8]:
        """Return the photograph."""
        plain = (record.format, record.mode, record.orientation) == ("JPEG", "RGB", 1)
        return load_background(self.background_bytes(record), record.width * record.height, record.rotation, plain)

    def files(
        self, foregrounds: Iterable[PlannedForeground], backgrounds: Iterable[PlannedBackground]
    ) -> Iterator[Path]:
        """Yield the files that records point to, but for paths that are refused when they are read."""
        for foreground in foregrounds:
            with suppress(RejectedInput):
                yield from local_files(foreground_files(self._recipe, foreground))
        for background in backgrounds:
            with suppress(RejectedInput):
                yield from local_files([background_file(self._recipe, background)])

    def background_bytes(self, record: PlannedBackground) -> bytes:
        """Return the photograph's file."""
        return _read_unchanged(background_file(self._recipe, record), record.sha256)


@dataclass
class BuildShard:
    """The task of a build's workers: builds a :class:`Shard` below `out` and commits it.

    Parameters
    ----------
    recipe : LoadedRecipe
        What to build, and into which kind of store.
    out : Storage
        The dataset.
    inputs : Inputs
        Where pixels come from: the recipe's sources, or the layers of another dataset.
    """

    recipe: LoadedRecipe
    out: Storage
    inputs: Inputs

    def files(self, shard: Shard) -> Iterator[Path]:
        """Yield the files that a shard is made of, and one of the folder it goes to."""
        yield from witness(self.out)
        yield from self.inputs.files(shard.foregrounds.values(), shard.backgrounds.values())

    def __call__(self, shard: Shard) -> ShardResult:
        """Write the tar, then the manifest that makes it count."""
        keep_freed_memory()
        rows: list[Sample] = []
        failed: list[tuple[str, str, str]] = []
        name = shard_name(shard.split, shard.number)
        self.out.remove(manifest_name(name))  # what is replaced must not count while it is
        add = self._add_layers if self.recipe.recipe.store.kind == "layers" else self._add_composites
        with self.out.writing(tar_name(name)) as file:
            writer = ShardWriter(file)
            for identity, group in groupby(shard.composites, key=lambda composite: composite.foreground):
                composites = list(group)
                try:
                    record = shard.foregrounds[identity]
                    image, alpha = self.inputs.foreground(record)
                except Exception as error:
                    failed += [(composite.key, *failure(error)) for composite in composites]
                    continue
                add(writer, shard, composites, (record, image, alpha), rows, failed)
            writer.close()
        tar = file.bytes_written, file.sha256
        done = commit(self.out, name, rows, Sample, inputs_sha256(self.recipe, shard), tar, failed)
        return ShardResult.of(shard, done)

    def _add_composites(
        self,
        writer: ShardWriter,
        shard: Shard,
        composites: Sequence[PlannedComposite],
        foreground: tuple[PlannedForeground, NDArray[np.uint8], NDArray[np.uint8]],
        rows: list[Sample],
        failed: list[tuple[str, str, str]],
    ) -> None:
        """Append a sample for each composite of a foreground."""
        try:
            renderer = ForegroundRenderer(*foreground, self.recipe.recipe)
        except Exception as error:
            failed += [(composite.key, *failure(error)) for composite in composites]
            return
        for composite in composites:
            try:
                background = self.inputs.background(shard.backgrounds[composite.background])
                rendered = renderer.render(composite, background)
            except Exception as error:
                failed.append((composite.key, *failure(error)))
                continue
            rows.append(with_places(rendered.row, writer.add(composite.key, rendered.members)))

    def _add_layers(
        self,
        writer: ShardWriter,
        shard: Shard,
        composites: Sequence[PlannedComposite],
        foreground: tuple[PlannedForeground, NDArray[np.uint8], NDArray[np.uint8]],
        rows: list[Sample],
        failed: list[tuple[str, str, str]],
    ) -> None:
        """Append a foreground once, and a row for each of its composites."""
        record, image, alpha = foreground
        made = [composite for composite in composites if composite.background not in shard.lost]
        failed += [(c.key, *shard.lost[c.background]) for c in composites if c.background in shard.lost]
        if not made:
            return
        suffix, content = encode.lossless(np.where(alpha[..., None] > 0, image, np.uint8(0)))
        members = {
            f"foreground.{suffix}": content,
            "alpha.png": encode.matte_png(alpha),
            "json": foreground_json(record),
        }
        places = writer.add(record.id, members)
        extent = person_extent(alpha)
        for composite in made:
            background = shard.backgrounds[composite.background]
            row = sample_row(composite, record, extent, (background.width, background.height), self.recipe.recipe)
            rows.append(with_places(row, places))


def committed(out: Storage, recipe: LoadedRecipe, shard: Shard, keep_failed: bool = False) -> ShardResult | None:
    """Return the result of a shard that an earlier run finished, or None where it has to be built (again)."""
    done = committed_shard(
        out, shard_name(shard.split, shard.number), Sample, inputs_sha256(recipe, shard), keep_failed
    )
    if done is None or not shard.lost.keys() <= _lost(shard, done):
        return None
    return ShardResult.of(shard, done)


def _lost(shard: Shard, done: Commit[Sample]) -> set[str]:
    """Return the backgrounds of which every composite failed."""
    made = {row.key for row in done.rows}
    return shard.backgrounds.keys() - {c.background for c in shard.composites if c.key in made}


def inputs_sha256(recipe: LoadedRecipe, shard: Shard) -> str:
    """Hash all that decides a shard's bytes: how it is made, by which tools, its composites, and what they use."""
    digest = hashlib.sha256(f"{_manner(recipe.recipe)} {sorted(tool_versions().items())}".encode())
    for composite in shard.composites:
        digest.update(repr(values(composite)).encode())
    for _, foreground in sorted(shard.foregrounds.items()):
        digest.update(repr(values(foreground)).encode())
    for _, background in sorted(shard.backgrounds.items()):
        digest.update(repr(background.decides).encode())
    return digest.hexdigest()


def _manner(recipe: Recipe) -> str:
    """Return what of a recipe decides the bytes of given composites; what it asks for besides may grow."""
    document = as_mapping(recipe)
    document["composites"].pop("per_foreground")
    document["store"].pop("samples_per_shard")
    document["store"].pop("epoch_backgrounds")
    return json.dumps([document[key] for key in ("composites", "trimap", "store")], sort_keys=True)


def _read_unchanged(file: SourcePath | InputFile, sha256: str) -> bytes:
    data = read_input(file)
    if hashlib.sha256(data).hexdigest() != sha256:
        path = file.path if isinstance(file, InputFile) else file
        raise RejectedInput("changed", f"{path.name} is no longer the file that was checked")
    return data


def failure(error: Exception) -> tuple[str, str]:
    """Return reason and detail for the ledger; errors that concern the whole build are raised again."""
    if isinstance(error, RejectedInput):
        return error.reason, error.detail
    if isinstance(error, MattingDataError):
        raise error
    return "error", f"{type(error).__name__}: {error}"
