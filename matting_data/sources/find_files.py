"""Finding files: image trees, ids made of paths, and the metadata that comes beside them."""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath, PurePosixPath

from matting_data.errors import RejectedInput, UsageError, nearest
from matting_data.imaging.codecs.formats import SUFFIXES
from matting_data.sources.source_paths import RemotePath, SourcePath

_ID_LENGTH = 76
"""A tar header holds names of 100 bytes: room for the id, an index and the longest member suffix."""

_SOURCE_LENGTH = 40
"""A folder's name, which a source without a name is called by, may be longer."""

METADATA_COLUMNS = ("subset", "split", "person", "license", "author", "url")


def image_tree(root: SourcePath, key: str) -> list[str]:
    """List the image files below `root` as sorted POSIX paths relative to it.

    Hidden files and folders are skipped, links to folders are not followed.

    Parameters
    ----------
    root : Path or RemotePath
        The folder, or the URL of one.
    key : str
        Recipe key that named it, for the error.

    Raises
    ------
    UsageError
        When `root` is missing, no folder, or not readable, or a name in it is not UTF-8, so that no table can hold it.
    StorageError
        When a URL cannot be listed.
    """
    if isinstance(root, RemotePath):
        return _remote_tree(root, key)
    if not root.exists():
        hint = nearest_sibling(root) or "; correct the path in the recipe"
        raise UsageError(f"{key}: there is no folder {root}{hint}")
    if not root.is_dir():
        raise UsageError(f"{key}: {root} is a file, not a folder; name the folder that holds the images")
    found: list[str] = []

    def refuse(error: OSError) -> None:
        raise UsageError(f"{key}: cannot list {error.filename}: {error.strerror}; change its permissions") from None

    for folder, folders, files in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = Path(folder).relative_to(root)
        found += [(relative / name).as_posix() for name in files if is_image_name(name)]
    require_utf8(found, key, root)
    return sorted(found)


def _remote_tree(root: RemotePath, key: str) -> list[str]:
    names = root.tree()
    if not names:
        raise UsageError(f"{key}: there is nothing below {root}; correct the URL in the recipe")
    found = []
    for name in names:
        parts = name.split("/")
        if not is_image_name(name) or any(part.startswith(".") and part != ".." for part in parts[:-1]):
            continue
        if ".." in parts or "" in parts:  # a key of an object store need not be a path
            raise UsageError(f"{key}: the name {name!a} below {root} is no path of a file: rename it")
        found.append(name)
    return sorted(found)


def nearest_sibling(path: Path) -> str:
    """Return ``"; did you mean 'x'?"`` for what lies where `path` does not and has the nearest name, or ``""``."""
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
    """Return a file of a source; RejectedInput ``outside`` where a table's path leads out of the source's folder."""
    if leads_out(path):
        raise RejectedInput("outside", f"the path {path!a} leads out of its source")
    return root / path


def make_id(source: str, path: str) -> str:
    """Return ``<source>-<path as slug>`` without suffix; a short hash keeps apart what the slug would merge.

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
    """Return :func:`make_id` of each path; where two differ in their suffix only, the suffix joins the id."""
    paths = list(paths)
    ids = [make_id(source, path) for path in paths]
    longer_names: tuple[Callable[[str, str], str], ...] = (
        lambda name, path: f"{name}-{PurePosixPath(path).suffix.lstrip('.')}",
        lambda name, path: f"{name[: _ID_LENGTH - 9]}-{_short_hash(path)}",  # a.jpg and a.png beside a-png.jpg
    )
    for longer in longer_names:
        count = Counter(ids)
        ids = [longer(name, path) if count[name] > 1 else name for name, path in zip(ids, paths, strict=True)]
    return ids


def require_distinct_ids(inputs: Iterable[tuple[str, str]]) -> None:
    """Raise UsageError when two of the (source, id) have one id: ``a`` with b-c.png, and ``a-b`` with c.png."""
    source_of: dict[str, str] = {}
    for source, identity in inputs:
        if identity in source_of:
            raise UsageError(
                f"two inputs, of the sources {source_of[identity]!r} and {source!r}, would both be {identity!r}: "
                "give one source another 'name' in the recipe, or rename a file"
            )
        source_of[identity] = source


def read_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Read a source's metadata CSV.

    Parameters
    ----------
    path : Path
        UTF-8 CSV with a header; column ``file`` and any of ``METADATA_COLUMNS``; further columns are ignored.

    Returns
    -------
    dict
        Path of the file as written → its values.

    Raises
    ------
    UsageError
        Missing file, no ``file`` column, or a split that is neither ``train`` nor ``test``.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if "file" not in (reader.fieldnames or ()):
                raise UsageError(f"{path} has no column 'file': add one with paths below the source's folder")
            for column in reader.fieldnames or ():
                if column not in ("file", *METADATA_COLUMNS) and (hint := nearest(column, METADATA_COLUMNS)):
                    raise UsageError(f"{path}: the column {column!r} has no meaning{hint}")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read the metadata {path}: {error}; correct 'metadata' in the recipe") from None
    table: dict[str, dict[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        values = {name: (row.get(name) or "").strip() for name in METADATA_COLUMNS}
        if values["split"] not in ("", "train", "test"):
            raise UsageError(f"{path} line {number}: split {values['split']!r} is neither 'train' nor 'test'")
        file = (row["file"] or "").strip()
        if file in table:
            raise UsageError(f"{path} line {number}: {file!r} is described twice; remove one row")
        table[file] = values
    return table


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
