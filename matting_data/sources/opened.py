"""The sources of a recipe, opened once: every path resolved, every URL with the store behind it.

Finding, scanning, rendering and publishing take what is opened here; worker processes get it pickled, so that nobody
resolves a recipe's paths for each record anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from matting_data.recipes.recipe import ForegroundSource, source_name
from matting_data.recipes.recipe_backgrounds import BackgroundSource
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.found import FoundBackground
from matting_data.records.planned import PlannedBackground, PlannedForeground
from matting_data.sources.find_files import below
from matting_data.sources.inputs import InputFile
from matting_data.sources.source_paths import SourcePath, source_path

BUNDLED_PEOPLE = Path(__file__).parent / "bundled" / "people"
"""The rendered people that come with mattingdata."""


@dataclass(frozen=True)
class OpenedForegrounds:
    """A source of foregrounds.

    Attributes
    ----------
    source : ForegroundSource
        As the recipe has it.
    key : str
        Where the recipe has it, for messages: ``foregrounds.sources[0]``.
    images : Path or RemotePath
        Folder of the images.
    alphas : Path, RemotePath or None
        Folder of the mattes; None for cut-outs.
    metadata : Path or None
        CSV with a row an image.
    """

    source: ForegroundSource
    key: str
    images: SourcePath
    alphas: SourcePath | None = None
    metadata: Path | None = None

    def files(self, record: PlannedForeground) -> tuple[SourcePath, SourcePath | None]:
        """Tell where the image and the matte (None for cut-outs) of a record lie; RejectedInput where that is outside.

        Errors are those of :func:`matting_data.sources.find_files.below`.
        """
        matte = below(self.alphas, record.alpha) if record.alpha and self.alphas else None
        return below(self.images, record.image), matte


@dataclass(frozen=True)
class OpenedBackgrounds:
    """A source of backgrounds.

    Attributes
    ----------
    source, key
        As for :class:`OpenedForegrounds`.
    images : Path or RemotePath
        Folder of the photographs, or their tar.
    metadata, annotations, classes, partitions : Path or None
        What the source brings of tables, polygons and lists.
    """

    source: BackgroundSource
    key: str
    images: SourcePath
    metadata: Path | None = None
    annotations: Path | None = None
    classes: Path | None = None
    partitions: Path | None = None

    def file(self, record: FoundBackground | PlannedBackground) -> InputFile:
        """Tell where the bytes of a record lie; errors as of :meth:`OpenedForegrounds.files`."""
        if record.offset is None or record.bytes is None:
            return InputFile(below(self.images, record.path))
        return InputFile(self.images, record.offset, record.bytes)


@dataclass(frozen=True)
class Sources:
    """All sources of a recipe by name, in its order."""

    foregrounds: Mapping[str, OpenedForegrounds]
    backgrounds: Mapping[str, OpenedBackgrounds]

    def foreground_files(self, record: PlannedForeground) -> tuple[SourcePath, SourcePath | None]:
        """Tell where a record's files lie, as :meth:`OpenedForegrounds.files` does."""
        return self.foregrounds[record.source].files(record)

    def background_file(self, record: FoundBackground | PlannedBackground) -> InputFile:
        """Tell where a record's bytes lie, as :meth:`OpenedBackgrounds.file` does."""
        return self.backgrounds[record.source].file(record)


def open_sources(recipe: LoadedRecipe) -> Sources:
    """Open all sources of a recipe; errors as of :func:`open_backgrounds`."""
    return Sources(open_foregrounds(recipe), open_backgrounds(recipe))


def open_foregrounds(recipe: LoadedRecipe) -> dict[str, OpenedForegrounds]:
    """Open the sources of foregrounds by name; errors as of :func:`open_backgrounds`."""
    opened = {}
    for number, source in enumerate(recipe.recipe.foregrounds.sources):
        metadata = _resolved(recipe, source.metadata)
        if source.layout == "bundled":
            images: SourcePath = BUNDLED_PEOPLE
            metadata = metadata or BUNDLED_PEOPLE / "people.csv"
        else:
            images = source_path(recipe, source.image or source.root or "")
        alphas = source_path(recipe, source.alpha) if source.alpha else None
        name, key = source_name(source), f"foregrounds.sources[{number}]"
        opened[name] = OpenedForegrounds(source, key, images, alphas, metadata)
    return opened


def open_backgrounds(recipe: LoadedRecipe) -> dict[str, OpenedBackgrounds]:
    """Open the sources of backgrounds by name.

    Raises
    ------
    UsageError
        No path can look like one that the recipe names, or a URL's protocol is unknown.
    MissingExtraError
        The package that reads a URL is not installed.
    """
    opened = {}
    for number, source in enumerate(recipe.recipe.backgrounds.sources):
        if source.layout == "bundled":
            images: SourcePath = Path(str(resources.files("skimage") / "data"))
        else:
            images = source_path(recipe, source.images or source.root or "")
        named = source.metadata, source.annotations, source.classes, source.partitions
        tables = [_resolved(recipe, path) for path in named]
        opened[source_name(source)] = OpenedBackgrounds(source, f"backgrounds.sources[{number}]", images, *tables)
    return opened


def _resolved(recipe: LoadedRecipe, path: str | None) -> Path | None:
    return recipe.resolve(path) if path else None
