"""Finding files: image trees, and ids made of paths."""

from __future__ import annotations

import hashlib
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from matting_data.errors import RejectedInput, UsageError, nearest
from matting_data.imaging.codecs.formats import SUFFIXES
from matting_data.imaging.codecs.image_format import image_format
from matting_data.sources.source_paths import RemotePath, SourcePath
from matting_data.sources.walk import files_below
from matting_data.storage.refused import is_refusal, looked_up

_ID_LENGTH = 76
"""A tar header holds names of 100 bytes: room for the id, an index and the longest member suffix."""

_SOURCE_LENGTH = 40
"""A folder's name, which a source without a name is called by, may be longer."""


@dataclass(frozen=True)
class ImageTree:
    """The files of a source's folder.

    Attributes
    ----------
    root : Path or RemotePath
        The folder.
    images : list of str
        Sorted POSIX paths, relative to `root`, of the files whose suffix promises an image.
    others : list of str
        The remaining files, likewise.
    """

    root: SourcePath
    images: list[str]
    others: list[str]

    def notes(self, name: str) -> list[str]:
        """Say of the other files what a user should know: images by content, and links that lead nowhere.

        Parameters
        ----------
        name : str
            What the source is called.
        """
        if isinstance(self.root, RemotePath):
            return []  # their content would have to be fetched
        formats: dict[str, str] = {}
        lost = []
        for path in self.others:
            try:
                if stat.S_ISREG((self.root / path).stat().st_mode) and (known := image_format(self.root / path)):
                    formats[path] = known
            except OSError as error:
                if not is_refusal(error) and (self.root / path).is_symlink():
                    lost.append(path)
        notes = []
        if formats:
            first, known = next(iter(formats.items()))
            notes.append(
                f"{name}: {len(formats)} files are images by content but not by suffix and are left out, such as "
                f"{_printable(first)} ({known}): give them the suffix of their format"
            )
        if lost:
            notes.append(f"{name}: {len(lost)} links lead nowhere, such as {_printable(lost[0])}")
        return notes


def image_tree(root: SourcePath, key: str) -> list[str]:
    """List the image files below `root` as :func:`list_images` does."""
    return list_images(root, key).images


def list_images(root: SourcePath, key: str) -> ImageTree:
    """List the files below `root`.

    Hidden files and folders are left out, links to folders are followed.

    Parameters
    ----------
    root : Path or RemotePath
        The folder, or the URL of one.
    key : str
        Recipe key that named it, for the error.

    Raises
    ------
    UsageError
        When `root` is missing or not a folder, a link in it leads back to a folder that holds it, or a name in it is
        not UTF-8, so that no table can hold it.
    RefusedError
        When a folder or a URL cannot be listed.
    """
    if isinstance(root, RemotePath):
        found = _remote_files(root, key)
    elif (status := looked_up(root)) is None:
        hint = nearest_sibling(root) or "; correct the path in the recipe"
        raise UsageError(f"{key}: there is no folder {root}{hint}")
    elif not stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{key}: {root} is a file, not a folder; name the folder that holds the images")
    else:
        found = sorted(files_below(root, key))
    images = [path for path in found if is_image_name(path)]
    if isinstance(root, Path):
        require_utf8(images, key, root)
    return ImageTree(root, images, [path for path in found if not is_image_name(path)])


def _remote_files(root: RemotePath, key: str) -> list[str]:
    names = root.tree()
    if not names:
        raise UsageError(f"{key}: there is nothing below {root}; correct the URL in the recipe")
    found = []
    for name in names:
        parts = name.split("/")
        if any(part.startswith(".") and part != ".." for part in parts):
            continue
        if is_image_name(name) and (".." in parts or "" in parts):  # a key of an object store need not be a path
            raise UsageError(f"{key}: the name {name!a} below {root} is no path of a file: rename it")
        found.append(name)
    return sorted(found)


def nearest_sibling(path: Path) -> str:
    """Suggest the nearest name beside a missing `path`, as ``"; did you mean 'x'?"``; ``""`` where none is near."""
    try:
        return nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""


def require_utf8(names: Iterable[str], key: str, root: Path) -> None:
    """Raise UsageError when a name below `root` is not UTF-8, so that no table can hold it."""
    for name in names:
        if not name.isascii() and any("\ud800" <= character <= "\udfff" for character in name):
            raise UsageError(f"{key}: the name {name!a} below {root} is not UTF-8: rename it")


def is_image_name(path: str) -> bool:
    """Tell whether a file's name promises an image; hidden files do not count."""
    name = PurePosixPath(path)
    return not name.name.startswith(".") and name.suffix.lower() in SUFFIXES


def leads_out(path: str) -> bool:
    """Tell whether a relative path names something outside the folder it starts from."""
    # on Windows, PurePath also sees drives and backslashes
    return any(place.anchor or ".." in place.parts for place in (PurePosixPath(path), PurePath(path)))


def below(root: SourcePath, path: str) -> SourcePath:
    """Locate a file of a source; RejectedInput ``outside`` where a table's path leads out of the source's folder."""
    if leads_out(path):
        raise RejectedInput("outside", f"the path {path!a} leads out of its source")
    return root / path


def make_id(source: str, path: str) -> str:
    """Build ``<source>-<path as slug>`` without suffix; a short hash keeps apart what the slug would merge.

    Ids name tar members and Parquet rows, so they hold letters, digits, ``-`` and ``_`` only (a dot would end a
    WebDataset key).
    """
    stem = str(PurePosixPath(path).with_suffix(""))
    slug = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in stem)
    if len(source) > _SOURCE_LENGTH:
        source = f"{source[: _SOURCE_LENGTH - 9]}-{_short_hash(source)}"
    room = _ID_LENGTH - len(source)
    if slug != stem or len(slug) > room:
        slug = f"{slug[-(room - 9) :].lstrip('-')}-{_short_hash(stem)}"
    return f"{source}-{slug}"


def unique_ids(source: str, paths: Iterable[str]) -> list[str]:
    """Build :func:`make_id` of each path; where two differ in their suffix only, the suffix joins the id.

    No two differ by case only: ids become file names, also on systems for which that is no difference.
    """
    paths = list(paths)
    ids = [make_id(source, path) for path in paths]
    longer_names: tuple[Callable[[str, str], str], ...] = (
        lambda name, path: f"{name}-{PurePosixPath(path).suffix.lstrip('.')}",
        lambda name, path: f"{name[: _ID_LENGTH - 9]}-{_short_hash(path)}",  # a.jpg and a.png beside a-png.jpg
    )
    for longer in longer_names:
        count = Counter(name.lower() for name in ids)
        ids = [longer(name, path) if count[name.lower()] > 1 else name for name, path in zip(ids, paths, strict=True)]
    return ids


def require_distinct_ids(inputs: Iterable[tuple[str, str]]) -> None:
    """Raise UsageError when two of the (source, id) have one id, or ids that differ by case only.

    Such as ``a`` with b-c.png, and ``a-b`` with c.png; or ``a`` with b.png, and ``A`` with b.png.
    """
    known: dict[str, tuple[str, str]] = {}
    for source, identity in inputs:
        other = known.get(identity.lower())
        if other is not None:
            alike = "" if other[1] == identity else f" or {identity!r}, which some file systems do not tell apart"
            raise UsageError(
                f"two inputs, of the sources {other[0]!r} and {source!r}, would both be {other[1]!r}{alike}: "
                "give one source another 'name' in the recipe, or rename a file"
            )
        known[identity.lower()] = source, identity


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
