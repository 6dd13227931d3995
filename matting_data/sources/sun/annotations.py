"""SUN2012's LabelMe polygons: which objects someone outlined in an image.

The XML comes from strangers: a file that declares a document type or an entity is refused before anything in it is
expanded, in whatever encoding it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.parsers import expat

from matting_data.errors import RejectedInput

_LARGEST = 16 << 20
_DEEPEST = 64
_TEXTS = ("name", "deleted", "occluded", "x", "y", "filename", "folder")


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
    points : tuple of (float, float)
        Corners in pixels.
    """

    name: str
    deleted: bool = False
    occluded: bool = False
    points: tuple[tuple[float, float], ...] = ()


def parse_annotation(data: bytes) -> list[Polygon]:
    """Read one LabelMe file.

    Parameters
    ----------
    data : bytes
        XML with ``object`` elements of ``name``, ``deleted``, ``occluded`` and ``polygon``.

    Returns
    -------
    list of Polygon
        Also the deleted ones, in the file's order.

    Raises
    ------
    RejectedInput
        ``annotation_refused`` for a document type, an entity, more than 16 MiB or absurd nesting;
        ``annotation_unreadable`` for what is no XML of LabelMe.
    """
    if len(data) > _LARGEST:
        raise RejectedInput("annotation_refused", f"{len(data)} bytes are no annotation of one image")
    try:
        reader = _read(data, None)
    except expat.ExpatError as first:
        try:
            reader = _read(data, "iso-8859-1")  # annotators' names, in files that declare no encoding
        except expat.ExpatError:
            raise RejectedInput("annotation_unreadable", f"no well-formed XML: {first}") from None
    if reader.root != "annotation":
        raise RejectedInput("annotation_unreadable", f"the root is {reader.root!r}, not 'annotation'")
    return reader.polygons


def standing_names(polygons: list[Polygon]) -> list[str]:
    """Return the names of the polygons that were not taken back."""
    return [polygon.name for polygon in polygons if not polygon.deleted]


def _read(data: bytes, encoding: str | None) -> _Reader:
    reader = _Reader()
    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.ExternalEntityRefHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(data, True)
    except (ValueError, LookupError) as error:
        raise RejectedInput("annotation_unreadable", f"a value cannot be read: {error}") from None
    return reader


class _Reader:
    """Collects objects while expat reads."""

    def __init__(self) -> None:
        self.root = ""
        self.polygons: list[Polygon] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self._values: dict[str, str] = {}
        self._points: list[tuple[float, float]] = []

    def refuse(self, *_: object) -> int:
        raise RejectedInput("annotation_refused", "it declares a document type or an entity, as no LabelMe file does")

    def start(self, name: str, _: dict[str, str]) -> None:
        self.root = self.root or name
        self._open.append(name)
        self._text = []
        if len(self._open) > _DEEPEST:
            raise RejectedInput("annotation_refused", f"its elements nest deeper than {_DEEPEST}")
        if name == "object":
            self._values, self._points = {}, []

    def text(self, data: str) -> None:
        if self._open and self._open[-1] in _TEXTS:
            self._text.append(data)

    def end(self, name: str) -> None:
        self._open.pop()
        value = "".join(self._text).strip()
        self._text = []
        parent = self._open[-1] if self._open else ""
        if (parent == "object" and name in ("name", "deleted", "occluded")) or (parent == "pt" and name in ("x", "y")):
            self._values[name] = value
        elif name == "pt":
            self._points.append((float(self._values.pop("x")), float(self._values.pop("y"))))
        elif name == "object":
            label = self._values.get("name", "")
            occluded = self._values.get("occluded", "").lower() in ("1", "yes", "true")
            self.polygons.append(
                Polygon(
                    label,
                    self._values.get("deleted", "0").lower() in ("1", "yes", "true"),
                    occluded or label.lower().endswith(" occluded"),
                    tuple(self._points),
                )
            )
