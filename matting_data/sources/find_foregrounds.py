"""Finding foregrounds: the layouts of a recipe, as a list of what lies on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from matting_data.errors import UsageError
from matting_data.records.codes import Split
from matting_data.records.found import FoundForeground
from matting_data.sources.find_files import list_images, require_distinct_ids, unique_ids
from matting_data.sources.match_files import Match, match_files
from matting_data.sources.metadata_rows import MetadataTable, read_metadata
from matting_data.sources.opened import OpenedForegrounds
from matting_data.sources.source_paths import SourcePath
from matting_data.storage.refused import refusals


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


def find_foregrounds(
    sources: Mapping[str, OpenedForegrounds], with_split: bool = False, notes: list[str] | None = None
) -> list[ForegroundInput]:
    """List the foregrounds of all sources, in the order of the recipe, then by path.

    Images without a matte and mattes without an image are listed too, already rejected.

    Parameters
    ----------
    sources : mapping
        Of :func:`matting_data.sources.opened.open_foregrounds`.
    with_split : bool
        Take the split from the sources' metadata.
    notes : list of str, optional
        Gets what a user should know of the files and tables: what was not used, and why.

    Raises
    ------
    UsageError
        A folder or metadata file is missing, images and mattes are one folder, rows of the metadata name no image, or
        inputs of two sources get the same id.
    """
    found: list[ForegroundInput] = []
    said: list[str] = []
    tables = {
        path: MetadataTable(path, read_metadata(path)) for opened in sources.values() if (path := opened.metadata)
    }
    for name, opened in sources.items():
        found += _find(name, opened, with_split, tables, said)
    for table in tables.values():
        said += table.settle()
    if notes is not None:
        notes += said
    require_distinct_ids((entry.record.source, entry.record.id) for entry in found)
    return found


def _find(
    name: str,
    opened: OpenedForegrounds,
    with_split: bool,
    tables: Mapping[Path, MetadataTable],
    notes: list[str],
) -> list[ForegroundInput]:
    source, key, root, alpha_root = opened.source, opened.key, opened.images, opened.alphas
    files = _matched(name, opened, notes)
    metadata: dict[str, dict[str, str]] = {}
    if opened.metadata:
        images = [match.image for match in files if match.image]
        metadata = tables[opened.metadata].match(images, source.unmatched_rows)
        if silent := [image for image in images if image not in metadata]:
            notes.append(
                f"{name}: {len(silent)} of {len(images)} images have no row in the metadata, such as {silent[0]}"
            )
    if with_split and not any(row["split"] for row in metadata.values()):
        raise UsageError(f"{key}: split.from_metadata asks for a split, its metadata gives none: add a column 'split'")
    # mattes without an image are named apart, or they could take the id of an image that has another matte
    ids = unique_ids(name, [match.image or f"unpaired-{match.alpha}" for match in files])
    found = []
    for identity, match in zip(ids, files, strict=True):
        image, alpha = match.image, match.alpha
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
            state="rejected" if match.reason else "ok",
            reason=match.reason,
            detail=match.detail,
        )
        matte = alpha_root / alpha if alpha_root and alpha else None
        found.append(ForegroundInput(record, root / (image or ""), matte, source.converts_profiles))
    return found


def _matched(name: str, opened: OpenedForegrounds, notes: list[str]) -> list[Match]:
    """List a source's images, each with its matte where the source keeps mattes in a folder."""
    key, root, alpha_root = opened.key, opened.images, opened.alphas
    images = list_images(root, f"{key}.{'image' if alpha_root else 'root'}")
    notes += images.notes(name)
    if alpha_root is None:
        return [Match(image, None) for image in images.images]
    mattes = list_images(alpha_root, f"{key}.alpha")
    if _same_folder(root, alpha_root):
        raise UsageError(
            f"{key}: image and alpha name the same folder {root}, and no file is its own matte: keep images and mattes "
            "in folders of their own, or use the layout 'rgba' for cut-outs"
        )
    notes += mattes.notes(name)
    return match_files(_outside_of(alpha_root, root, images.images), _outside_of(root, alpha_root, mattes.images))


def _outside_of(other: SourcePath, root: SourcePath, files: list[str]) -> list[str]:
    """Leave out the files that lie in the source's other folder, where that is a folder below `root`."""
    if not isinstance(root, Path) or not isinstance(other, Path):
        below = str(other).removeprefix(f"{root}/") if str(other).startswith(f"{root}/") else ""
    else:
        place, start = _resolved(other), _resolved(root)
        below = place.relative_to(start).as_posix() if place != start and place.is_relative_to(start) else ""
    return [file for file in files if not file.startswith(f"{below}/")] if below else files


def _same_folder(one: SourcePath, other: SourcePath) -> bool:
    if isinstance(one, Path) and isinstance(other, Path):
        return _resolved(one) == _resolved(other)
    return str(one) == str(other)


def _resolved(folder: Path) -> Path:
    """Resolve the links on the way to a folder that is there; otherwise ``resolve`` passes over what is refused."""
    with refusals(folder):
        return folder.resolve(strict=True)
