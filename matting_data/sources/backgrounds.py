"""Finding backgrounds: the layouts of a recipe, as a list of what lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from matting_data.recipe import BackgroundSource, source_name
from matting_data.recipe_file import LoadedRecipe
from matting_data.records import Background
from matting_data.sources.files import image_tree, require_distinct_ids, unique_ids

BUNDLED_PHOTOS = {
    "astronaut.png": "public domain (NASA)",
    "brick.png": "CC0-1.0",
    "chelsea.png": "CC0-1.0",
    "coffee.png": "CC0-1.0",
    "coins.png": "no known copyright restrictions",
    "grass.png": "CC0-1.0",
    "gravel.png": "CC0-1.0",
    "hubble_deep_field.jpg": "public domain (NASA)",
    "rocket.jpg": "public domain (SpaceX)",
}
"""Real photographs inside scikit-image, with the licences that ``skimage.data`` states; one shows a person."""


@dataclass(frozen=True)
class FoundBackground:
    """A background's file, and the record so far (identity and provenance only)."""

    record: Background
    path: Path


def find_backgrounds(recipe: LoadedRecipe) -> list[FoundBackground]:
    """List the backgrounds of all sources, in the order of the recipe, then by path.

    Raises
    ------
    UsageError
        A folder is missing, or inputs of two sources get the same id.
    """
    found: list[FoundBackground] = []
    for number, source in enumerate(recipe.recipe.backgrounds.sources):
        name, root = source_name(source), _root(recipe, source)
        if source.layout == "bundled":
            paths = [path for path in BUNDLED_PHOTOS if (root / path).is_file()]
        else:
            paths = image_tree(root, f"backgrounds.sources[{number}].root")
        for identity, path in zip(unique_ids(name, paths), paths, strict=True):
            licence = BUNDLED_PHOTOS[path] if source.layout == "bundled" else source.license
            found.append(FoundBackground(Background(identity, name, path, licence), root / path))
    require_distinct_ids((entry.record.source, entry.record.id) for entry in found)
    return found


def background_file(recipe: LoadedRecipe, record: Background) -> Path:
    """Return the file of a record of this recipe."""
    source = next(s for s in recipe.recipe.backgrounds.sources if source_name(s) == record.source)
    return _root(recipe, source) / record.path


def _root(recipe: LoadedRecipe, source: BackgroundSource) -> Path:
    if source.layout == "bundled":
        return Path(str(resources.files("skimage") / "data"))
    return recipe.resolve(source.root or "")
