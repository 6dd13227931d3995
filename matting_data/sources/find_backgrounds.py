"""Finding backgrounds: the layouts of a recipe, as a list of what lies on disk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from matting_data.records.codes import Reason, Split
from matting_data.records.found import FoundBackground
from matting_data.sources.find_files import leads_out, list_images, require_distinct_ids, unique_ids
from matting_data.sources.inputs import InputFile
from matting_data.sources.opened import OpenedBackgrounds
from matting_data.sources.sun.archive import TarMember, find_tar_images
from matting_data.sources.sun.trees import find_images, parse_path, read_class_names, read_partitions
from matting_data.storage import LocalStorage
from matting_data.storage.refused import is_file

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

_OPENIMAGES_ID = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)


@dataclass(frozen=True)
class BackgroundInput:
    """A background as found, where its bytes lie, and whether its colours are converted to sRGB."""

    record: FoundBackground
    file: InputFile
    to_srgb: bool = True

    @property
    def files(self) -> list[InputFile]:
        """Its file."""
        return [self.file]


def find_backgrounds(
    sources: Mapping[str, OpenedBackgrounds], cache: LocalStorage | None = None, notes: list[str] | None = None
) -> list[BackgroundInput]:
    """List the backgrounds of all sources, in the order of the recipe, then by path.

    Parameters
    ----------
    sources : mapping
        Of :func:`matting_data.sources.opened.open_backgrounds`.
    cache : LocalStorage, optional
        Folder that keeps where the images of a tar lie.
    notes : list of str, optional
        Gets what a user should know of files that are left out.

    Returns
    -------
    list of BackgroundInput
        Those of SUN that its lists leave out are ``rejected``: ``known_damaged``, ``not_in_classes``,
        ``not_in_partition``.

    Raises
    ------
    UsageError
        A folder or list is missing, or inputs of two sources get the same id.
    """
    found: list[BackgroundInput] = []
    for name, opened in sources.items():
        source = opened.source
        members = _members(name, opened, cache, notes)
        called = [member.path for member in members]
        if source.layout == "openimages":
            count = Counter(map(openimages_id, called))
            called = [identity if count[identity := openimages_id(path)] == 1 and identity else path for path in called]
        records = []
        for identity, member in zip(unique_ids(name, called), members, strict=True):
            stated = BUNDLED_PHOTOS[member.path] if source.layout == "bundled" else source.license or None
            records.append(FoundBackground(identity, name, member.path, stated, member.offset, member.size))
        lost = {member.path: member.lost_link for member in members if member.lost_link is not None}
        if source.layout == "sun":
            records = list(_listed(opened, records))
        for record in records:
            detail = None
            if record.path in lost:
                detail = f"it is a link to {lost[record.path]!a}, which its tar does not hold"
            elif leads_out(record.path):  # nothing is unpacked, but what is called so was made to do harm
                detail = f"the path {record.path!a} leads out of its source"
            if detail:
                outside = _rejected(record, "outside", detail)
                found.append(BackgroundInput(outside, InputFile(opened.images)))
            else:
                found.append(BackgroundInput(record, opened.file(record), source.converts_profiles))
    require_distinct_ids((entry.record.source, entry.record.id) for entry in found)
    return found


def openimages_id(path: str) -> str:
    """Read the OpenImages id from a file's name, in lower case; empty where the name is not an id."""
    stem = PurePosixPath(path).stem
    return stem.lower() if _OPENIMAGES_ID.fullmatch(stem) else ""


def _members(
    name: str, opened: OpenedBackgrounds, cache: LocalStorage | None, notes: list[str] | None
) -> list[TarMember]:
    """List the images of a source, with their places where it is a tar."""
    source, key, root = opened.source, opened.key, opened.images
    if source.layout == "sun" and isinstance(root, Path) and is_file(root):
        return find_tar_images(root, cache, f"tar-{name}.parquet")
    if source.layout == "sun":
        tree = find_images(root)
    else:
        tree = list_images(root, f"{key}.{'images' if source.layout == 'openimages' else 'root'}")
    if source.layout == "bundled":
        return [TarMember(path) for path in tree.images if path in BUNDLED_PHOTOS]
    if notes is not None:
        notes += tree.notes(name)
    return [TarMember(path) for path in tree.images]


def _listed(opened: OpenedBackgrounds, records: list[FoundBackground]) -> Iterator[FoundBackground]:
    """Apply SUN's own lists: damaged files, categories, and the official partition."""
    source = opened.source
    classes = set(read_class_names(opened.classes)) if opened.classes else None
    sides: dict[str, Split] | None = None
    if opened.partitions:
        partition = read_partitions(opened.partitions, source.partition or 1)
        sides = {image.path: side for side, images in partition.items() for image in images}
    for record in records:
        image = parse_path(record.path)  # None for other photographs that lie in the tree
        path = image.path if image else record.path
        if image and image.undecodable:
            detail = "decoders are known to disagree on this file of SUN or to refuse it"
            yield _rejected(record, "known_damaged", detail)
        elif classes is not None and (image is None or image.category not in classes):
            yield _rejected(record, "not_in_classes", f"{path} is of no category of {source.classes}")
        elif sides is not None and path not in sides:
            yield _rejected(record, "not_in_partition", f"no list of partition {source.partition or 1} has it")
        else:
            yield record if sides is None else replace(record, split=sides[path])


def _rejected(record: FoundBackground, reason: Reason, detail: str) -> FoundBackground:
    return replace(record, state="rejected", reason=reason, detail=detail)
