"""SUN2012's LabelMe polygons: which objects someone outlined in an image, and whether one of them is a human.

The XML comes from strangers: a file that declares a document type or an entity is refused before anything in it is
expanded, in whatever encoding it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

from matting_data.errors import RejectedInput, UsageError
from matting_data.humans.labels import NameRole, SunNames, load_sun_names, normalise
from matting_data.humans.policy import OUTCOMES, Outcome

_LARGEST = 16 << 20
_DEEPEST = 64
_TEXTS = ("name", "deleted", "occluded", "x", "y", "filename", "folder")

SunTier = Literal[
    "polygon_present",
    "polygon_body_part",
    "polygon_possible",
    "polygon_lookalike",
    "polygons_without_human",
    "no_polygons",
]


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


@dataclass(frozen=True, slots=True)
class SunPolicy:
    """What to do with each tier of polygons; a person always rejects.

    Parameters
    ----------
    body_part, possible, lookalikes, without_human, weak : {'keep', 'reject', 'review'}
        Hands and torsos; ears, heads and hair, which may be an animal's, and names in no list that hold a person's
        word; statues; images whose polygons hold no human; images without any polygon.

    Raises
    ------
    UsageError
        If a value is not one of these.
    """

    body_part: Outcome = "reject"
    possible: Outcome = "review"
    lookalikes: Outcome = "review"
    without_human: Outcome = "keep"
    weak: Outcome = "keep"

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) not in OUTCOMES:
                raise UsageError(f"{name} {getattr(self, name)!r} is not one of {', '.join(OUTCOMES)}")


@dataclass(frozen=True, slots=True)
class SunJudgement:
    """As :class:`matting_data.humans.evidence.Judgement`, of polygons."""

    tier: SunTier
    verdict: Outcome
    reason: str
    decided_by: str


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


def judge_polygons(
    polygons: list[Polygon] | None, policy: SunPolicy | None = None, names: SunNames | None = None
) -> SunJudgement:
    """Judge one image of SUN by its polygons: a pure function.

    Parameters
    ----------
    polygons : list of Polygon or None
        None where the image has no annotation, as all but 16,873 of SUN's.
    policy : SunPolicy, optional
    names : SunNames, optional
        Default is the lists of ``manifests/labels``.

    Returns
    -------
    SunJudgement
        The strictest of what the names say; deleted polygons say nothing.
    """
    policy, names = policy or SunPolicy(), names or load_sun_names()
    alive = [polygon for polygon in polygons or () if not polygon.deleted]
    by_role: dict[NameRole, set[str]] = {}
    for polygon in alive:
        by_role.setdefault(names.role(polygon.name), set()).add(normalise(polygon.name))
    rules: tuple[tuple[NameRole, SunTier, Outcome], ...] = (
        ("person", "polygon_present", "reject"),
        ("body_part", "polygon_body_part", policy.body_part),
        ("possible_person", "polygon_possible", policy.possible),
        ("ambiguous_part", "polygon_possible", policy.possible),
        ("lookalike", "polygon_lookalike", policy.lookalikes),
    )
    found = [
        SunJudgement(tier, outcome, f"{role}_polygon", "polygon " + "; ".join(sorted(by_role[role])[:3]))
        for role, tier, outcome in rules
        if role in by_role
    ]
    if not any(judgement.reason in ("person_polygon", "body_part_polygon") for judgement in found):
        if alive:
            said = f"{len(alive)} polygons, none human"
            found.append(SunJudgement("polygons_without_human", policy.without_human, "polygons_without_human", said))
        else:
            found.append(SunJudgement("no_polygons", policy.weak, "no_polygons", "no polygons"))
    return max(found, key=lambda judgement: ("keep", "review", "reject").index(judgement.verdict))


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
