"""SUN2012's LabelMe polygons: which objects someone outlined in an image.

The XML comes from strangers: a file that declares a document type or an entity is refused before anything in it is
expanded, in whatever encoding it is written.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.parsers import expat

from matting_data.errors import RejectedInput

_LARGEST = 16 << 20
_DEEPEST = 64
_NAME = re.compile(rb"<name>([^<]*)</name>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Polygon:
    """One outlined object.

    Attributes
    ----------
    name : str
        As written; free text.
    deleted, occluded : bool
        Whether the annotator took it back, and whether something stands before it: in the field of its own or as the
        last word of the name.
    """

    name: str
    deleted: bool = False
    occluded: bool = False


def parse_annotation(data: bytes) -> list[Polygon]:
    """Read one LabelMe file.

    Parameters
    ----------
    data : bytes
        XML with ``object`` elements of ``name``, ``deleted`` and ``occluded``; nothing else is looked at, so that a
        corner that is no number costs no evidence.

    Returns
    -------
    list of Polygon
        Also the deleted ones, in the file's order.

    Raises
    ------
    RejectedInput
        ``annotation_refused`` for a document type, an entity, more than 16 MiB or absurd nesting;
        ``annotation_unreadable`` for what is not XML of LabelMe.
    """
    if len(data) > _LARGEST:
        raise RejectedInput("annotation_refused", f"{len(data)} bytes are too many for the annotation of one image")
    try:
        root = _read(data, None)
    except expat.ExpatError as first:
        try:
            root = _read(data, "iso-8859-1")  # annotators' names, in files that declare no encoding
        except expat.ExpatError:
            raise RejectedInput("annotation_unreadable", f"no well-formed XML: {first}") from None
    if root.tag != "annotation":
        raise RejectedInput("annotation_unreadable", f"the root is {root.tag!r}, not 'annotation'")
    return [_polygon(each) for each in root.iter("object")]


def legible_names(data: bytes) -> list[str]:
    """List the names that stand in a file which is not well-formed XML, also of polygons that were taken back."""
    return [html.unescape(name.decode("utf-8", "replace")).strip() for name in _NAME.findall(data[:_LARGEST])]


def standing_names(polygons: list[Polygon]) -> list[str]:
    """List the names of the polygons that were not taken back."""
    return [polygon.name for polygon in polygons if not polygon.deleted]


def _read(data: bytes, encoding: str | None) -> ElementTree.Element:
    depth = 0

    def refuse(*_: object) -> int:
        raise RejectedInput("annotation_refused", "it declares a document type or an entity, as no LabelMe file does")

    def start(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise RejectedInput("annotation_refused", f"its elements nest deeper than {_DEEPEST}")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    guard = expat.ParserCreate(encoding)
    guard.StartDoctypeDeclHandler = guard.EntityDeclHandler = guard.ExternalEntityRefHandler = refuse
    guard.StartElementHandler, guard.EndElementHandler = start, end
    try:
        guard.Parse(data, True)
    except (ValueError, LookupError) as error:
        raise RejectedInput("annotation_unreadable", f"a value cannot be read: {error}") from None
    return ElementTree.XML(data, ElementTree.XMLParser(encoding=encoding))


def _polygon(entry: ElementTree.Element) -> Polygon:
    name, deleted, occluded = ((entry.findtext(key) or "").strip() for key in ("name", "deleted", "occluded"))
    yes = ("1", "yes", "true")
    return Polygon(name, deleted.lower() in yes, occluded.lower() in yes or name.lower().endswith(" occluded"))
