"""Finding foregrounds: the layouts of a recipe, as a list of what lies on disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from matting_data.recipe import ForegroundSource, source_name
from matting_data.recipe_file import LoadedRecipe
from matting_data.records import Foreground
from matting_data.sources.files import image_tree, read_metadata, require_distinct_ids, unique_ids

BUNDLED_PEOPLE = Path(__file__).parent / "bundled" / "people"
"""The rendered people that come with mattingdata."""


@dataclass(frozen=True)
class FoundForeground:
    """A foreground's files, and the record so far (identity and provenance only).

    `alpha_path` is None where the matte is the image's own alpha channel.
    """

    record: Foreground
    image_path: Path
    alpha_path: Path | None


def find_foregrounds(recipe: LoadedRecipe) -> list[FoundForeground]:
    """List the foregrounds of all sources, in the order of the recipe, then by path.

    Images without a matte and mattes without an image are listed too, already rejected.

    Raises
    ------
    UsageError
        A folder or metadata file is missing, or inputs of two sources get the same id.
    """
    found: list[FoundForeground] = []
    for number, source in enumerate(recipe.recipe.foregrounds.sources):
        found += _find(recipe, source, f"foregrounds.sources[{number}]")
    require_distinct_ids((entry.record.source, entry.record.id) for entry in found)
    return found


def foreground_files(recipe: LoadedRecipe, record: Foreground) -> tuple[Path, Path | None]:
    """Return the image file and the matte file (None for cut-outs) of a record of this recipe."""
    source = next(s for s in recipe.recipe.foregrounds.sources if source_name(s) == record.source)
    root, alpha_root = _roots(recipe, source)
    return root / record.image, alpha_root / record.alpha if record.alpha and alpha_root else None


def _roots(recipe: LoadedRecipe, source: ForegroundSource) -> tuple[Path, Path | None]:
    if source.layout == "pairs":
        return recipe.resolve(source.image or ""), recipe.resolve(source.alpha or "")
    if source.layout == "bundled":
        return BUNDLED_PEOPLE, None
    return recipe.resolve(source.root or ""), None


def _find(recipe: LoadedRecipe, source: ForegroundSource, key: str) -> list[FoundForeground]:
    name, (root, alpha_root) = source_name(source), _roots(recipe, source)
    images = image_tree(root, f"{key}.{'image' if alpha_root else 'root'}")
    if alpha_root is None:
        files = [(image, "", "", "") for image in images]
    else:
        files = _pair(images, image_tree(alpha_root, f"{key}.alpha"))
    metadata_file = root / "people.csv" if source.layout == "bundled" else None
    if source.metadata:
        metadata_file = recipe.resolve(source.metadata)
    metadata = read_metadata(metadata_file) if metadata_file else {}
    ids = unique_ids(name, [image or alpha for image, alpha, _, _ in files])
    colour = "estimated" if source.estimates_colour else "as_is"
    found = []
    for identity, (image, alpha, reason, detail) in zip(ids, files, strict=True):
        values = metadata.get(image) or metadata.get(PurePosixPath(image).name) or {}
        record = Foreground(
            id=identity,
            source=name,
            image=image,
            alpha=alpha,
            split=values.get("split", "") if recipe.recipe.foregrounds.split.from_metadata else "",
            subset=values.get("subset") or source.subset,
            person=values.get("person", ""),
            license=values.get("license") or source.license,
            author=values.get("author", ""),
            url=values.get("url", ""),
            colour=colour,
            opaque_from=source.opaque_from,
            state="rejected" if reason else "ok",
            reason=reason,
            detail=detail,
        )
        found.append(FoundForeground(record, root / image, alpha_root / alpha if alpha_root and alpha else None))
    return found


def _pair(images: list[str], alphas: list[str]) -> list[tuple[str, str, str, str]]:
    """Match images and mattes by path without suffix, else by a stem that is unique on both sides.

    Returns ``(image, alpha, reason, detail)`` for each image in order, then for each matte left over.
    """
    by_path = {str(PurePosixPath(alpha).with_suffix("")): alpha for alpha in alphas}
    by_stem, image_stems = _stems(alphas), _stems(images)
    pairs, used = [], set()
    for image in images:
        path = PurePosixPath(image)
        alpha = by_path.get(str(path.with_suffix("")))
        if alpha is None and len(by_stem[path.stem]) == 1 and len(image_stems[path.stem]) == 1:
            alpha = by_stem[path.stem][0]
        if alpha is None:
            pairs.append((image, "", "no_matte", f"no matte is called {path.stem!r}"))
        else:
            used.add(alpha)
            pairs.append((image, alpha, "", ""))
    left = [(("", alpha, "no_image", f"no image is called {PurePosixPath(alpha).stem!r}")) for alpha in alphas]
    return pairs + [entry for entry in left if entry[1] not in used]


def _stems(paths: Iterable[str]) -> defaultdict[str, list[str]]:
    stems = defaultdict(list)
    for path in paths:
        stems[PurePosixPath(path).stem].append(path)
    return stems
