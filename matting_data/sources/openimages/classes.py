"""Names of labels and their hierarchy, as the releases write them."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ValidationError

from matting_data.errors import UsageError
from matting_data.humans.labels import LabelSet
from matting_data.sources.openimages.recognise import Metadata
from matting_data.storage.refused import refusals
from matting_data.storage.regular_files import open_regular

_LARGEST = 64 << 20
"""Bytes; the largest of these files has half a megabyte."""


class _Node(BaseModel):
    """A class in the hierarchy's file, with the classes below it."""

    LabelName: str
    Subcategory: list[_Node] = []
    Part: list[_Node] = []


def class_names(paths: Iterable[Path]) -> dict[str, str]:
    """Read class descriptions.

    Parameters
    ----------
    paths : iterable of Path
        CSV with MID and name, with or without a header (V4 and V5 have none, V7 has ``LabelName,DisplayName``), or the
        same compressed with gzip. Where files disagree, the first one counts.

    Returns
    -------
    dict
        MID → name; lines without a MID are skipped.

    Raises
    ------
    UsageError
        If a file cannot be read or holds no MID at all.
    """
    names: dict[str, str] = {}
    for path in paths:
        found = {
            cells[0].strip(): cells[1].strip()
            for cells in csv.reader(_text(path).splitlines())
            if len(cells) >= 2 and cells[0].strip().startswith(("/m/", "/g/", "/t/"))
        }
        if not found:
            raise UsageError(f"{path} holds no label such as /m/01g317: download the class descriptions again")
        names = {**found, **names}
    return names


def hierarchy(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Read a hierarchy of classes.

    Parameters
    ----------
    path : Path
        JSON of nested ``LabelName``, ``Subcategory`` and ``Part``.

    Returns
    -------
    dict
        MID → its children as (key, MID), merged over all places where it stands: Human body stands below Person and
        below Entity.

    Raises
    ------
    UsageError
        If it is no such JSON.
    """
    children: dict[str, list[tuple[str, str]]] = {}
    try:
        waiting = [_Node.model_validate_json(_text(path))]
    except ValidationError:
        raise UsageError(f"{path} is no hierarchy of classes: download bbox_labels_600_hierarchy.json again") from None
    while waiting:
        node = waiting.pop()
        own = children.setdefault(node.LabelName, [])
        for key, below in (("Subcategory", node.Subcategory), ("Part", node.Part)):
            own += [(key, child.LabelName) for child in below]
            waiting += below
    return {mid: list(dict.fromkeys(own)) for mid, own in children.items()}


def known_labels(metadata: Metadata, labels: LabelSet) -> tuple[LabelSet, frozenset[str] | None]:
    """Complete the built-in humans by a release's own files.

    Returns
    -------
    (LabelSet, frozenset of str or None)
        The labels that decide, and all MIDs that the folder's files describe: None when no file describes any.
    """
    names = class_names(file.path for file in metadata.of("classes"))
    described = set(names)
    for file in metadata.of("hierarchy"):
        children = hierarchy(file.path)
        labels = labels.with_hierarchy(children, names)
        described |= set(children)
    if not described:
        return labels, None
    return labels, frozenset(described | {label.mid for label in labels.labels})


def _text(path: Path) -> str:
    try:
        with refusals(path), gzip.open(path) if path.suffix == ".gz" else open_regular(path) as stream:
            data = stream.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read ({error}): download it again") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{path} is larger than {_LARGEST >> 20} MiB: it is another file under this name")
    return data.decode("utf-8-sig", "replace")
