"""Finding foregrounds: the layouts of a recipe, as a list of what lies on disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from matting_data.errors import UsageError
from matting_data.records.codes import FoundReason, Split
from matting_data.records.found import FoundForeground
from matting_data.sources.find_files import image_tree, read_metadata, require_distinct_ids, unique_ids
from matting_data.sources.opened import OpenedForegrounds
from matting_data.sources.source_paths import SourcePath


@dataclass(frozen=True)
class ForegroundInput:
    """A foreground as found, its files, and whether its colours are converted to sRGB.

    `alpha_path` is None where the matte is the image's own alpha channel.
    """

    record: FoundForeground
    image_path: SourcePath
    alpha_path: SourcePath | None
    to_srgb: bool = True

    @property
    def files(self) -> list[SourcePath]:
        """Its files."""
        return [path for path in (self.image_path, self.alpha_path) if path]


def find_foregrounds(sources: Mapping[str, OpenedForegrounds], with_split: bool = False) -> list[ForegroundInput]:
    """List the foregrounds of all sources, in the order of the recipe, then by path.

    Images without a matte and mattes without an image are listed too, already rejected.

    Parameters
    ----------
    sources : mapping
        Of :func:`matting_data.sources.opened.open_foregrounds`.
    with_split : bool
        Take the split from the sources' metadata.

    Raises
    ------
    UsageError
        A folder or metadata file is missing, or inputs of two sources get the same id.
    """
    found: list[ForegroundInput] = []
    for name, opened in sources.items():
        found += _find(name, opened, with_split)
    require_distinct_ids((entry.record.source, entry.record.id) for entry in found)
    return found


def _find(name: str, opened: OpenedForegrounds, with_split: bool) -> list[ForegroundInput]:
    source, key, root, alpha_root = opened.source, opened.key, opened.images, opened.alphas
    images = image_tree(root, f"{key}.{'image' if alpha_root else 'root'}")
    mattes = image_tree(alpha_root, f"{key}.alpha") if alpha_root else []
    files = _pair(images, mattes)
    table = opened.metadata
    metadata = _by_path(read_metadata(table), images, table) if table else {}
    if with_split and not any(row["split"] for row in metadata.values()):
        raise UsageError(f"{key}: split.from_metadata asks for a split, its metadata gives none: add a column 'split'")
    # mattes without an image are named apart, or they could take the id of an image that has another matte
    ids = unique_ids(name, [image or f"unpaired-{alpha}" for image, alpha in files])
    found = []
    for identity, (image, alpha) in zip(ids, files, strict=True):
        reason, detail = _missing(image, alpha) if alpha_root else (None, None)
        values = metadata.get(image or "", {})
        split = values.get("split") if with_split else None
        record = FoundForeground(
            id=identity,
            source=name,
            image=image,
            alpha=alpha,
            split=cast("Split | None", split or None),
            subset=values.get("subset") or source.subset or None,
            person=values.get("person") or None,
            license=values.get("license") or source.license or None,
            author=values.get("author") or None,
            url=values.get("url") or None,
            colour="estimated" if source.estimates_colour else "as_is",
            opaque_from=source.opaque_from,
            state="rejected" if reason else "ok",
            reason=reason,
            detail=detail,
        )
        matte = alpha_root / alpha if alpha_root and alpha else None
        found.append(ForegroundInput(record, root / (image or ""), matte, source.converts_profiles))
    return found


def _by_path(rows: dict[str, dict[str, str]], images: list[str], table: Path) -> dict[str, dict[str, str]]:
    """Give each image its metadata row: that of its path, else that of its bare name where only it is called so."""
    named = _by_name(images, lambda path: PurePosixPath(path).name)
    known = set(images)
    found = {file if file in known else named[file][0]: row for file, row in rows.items()
             if file in known or len(named[file]) == 1}  # fmt: skip
    if rows and not found:
        raise UsageError(f"no row of {table} names an image of its source: write paths below the source's folder")
    return found


def _pair(images: list[str], alphas: list[str]) -> list[tuple[str | None, str | None]]:
    """Match images and mattes: by equal path, else by path without suffix, else by stem, where that is unambiguous.

    Gives each image in order, then each matte left over.
    """
    known = set(alphas)
    pairs = {image: image for image in images if image in known}
    for name in (_without_suffix, _stem):
        left_images = _by_name((image for image in images if image not in pairs), name)
        taken = set(pairs.values())
        left_alphas = _by_name((alpha for alpha in alphas if alpha not in taken), name)
        for key, candidates in left_images.items():
            if len(candidates) == len(left_alphas[key]) == 1:
                pairs[candidates[0]] = left_alphas[key][0]
    used = set(pairs.values())
    return [*((image, pairs.get(image)) for image in images), *((None, alpha) for alpha in alphas if alpha not in used)]


def _missing(image: str | None, alpha: str | None) -> tuple[FoundReason | None, str | None]:
    """Say why a pair cannot be used, where one of the two is missing."""
    if image and alpha:
        return None, None
    if image:
        return "no_matte", f"no matte, or more than one, is called {_stem(image)!r}"
    return "no_image", f"no image, or more than one, is called {_stem(alpha or '')!r}"


def _without_suffix(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _by_name(paths: Iterable[str], name: Callable[[str], str]) -> defaultdict[str, list[str]]:
    groups = defaultdict(list)
    for path in paths:
        groups[name(path)].append(path)
    return groups
