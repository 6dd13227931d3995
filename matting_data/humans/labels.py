"""Which labels mean a human: the lists of ``manifests/labels`` as sets to look up.

OpenImages labels are matched by MID (``/m/01g317``) and never by their display name, in which "Person" is a part of
"Personal computer". SUN's LabelMe names are free text and matched whole, after :func:`normalise`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Literal, TypeVar

from matting_data.errors import UsageError

Role = Literal["person", "group", "body_part", "lookalike"]
NameRole = Literal["person", "body_part", "possible_person", "ambiguous_part", "lookalike", "other"]

PERSON = "/m/01g317"
"""The root of the humans in the hierarchy of the 600 boxable classes."""

_MID = re.compile(r"/[a-z]+/[0-9a-z_]+")
HUMAN_ROLES: tuple[Role, ...] = ("person", "group", "body_part")
KnownRole = TypeVar("KnownRole", Role, NameRole)


@dataclass(frozen=True, slots=True)
class HumanLabel:
    """One label that decides about a background.

    Attributes
    ----------
    mid : str
        Machine id, such as ``/m/01g317``.
    name : str
        Display name, for people who read the ledger.
    role : {"person", "group", "body_part", "lookalike"}
        What it shows.
    why : str
        Why it counts.
    absence : bool
        Whether a verified "not there" of this label alone says that no person is visible: true for Person, Human and
        People, false for Man, since a woman may be there.
    """

    mid: str
    name: str
    role: Role
    why: str = ""
    absence: bool = False


@dataclass(frozen=True)
class LabelSet:
    """All labels that decide, ordered by MID.

    Attributes
    ----------
    labels : tuple of HumanLabel
        Without repeated MIDs.
    """

    labels: tuple[HumanLabel, ...]
    _by_mid: Mapping[str, HumanLabel] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.labels, key=lambda label: label.mid))
        object.__setattr__(self, "labels", ordered)
        object.__setattr__(self, "_by_mid", {label.mid: label for label in ordered})
        if len(self._by_mid) != len(ordered):
            mids = [label.mid for label in ordered]
            repeated = next(mid for mid in mids if mids.count(mid) > 1)
            raise UsageError(f"the label {repeated!r} is listed twice among humans and look-alikes: remove one row")

    def get(self, mid: str) -> HumanLabel | None:
        """Look up the label of a MID; None for one that says nothing about humans."""
        return self._by_mid.get(mid)

    def with_hierarchy(self, children: Mapping[str, Iterable[tuple[str, str]]], names: Mapping[str, str]) -> LabelSet:
        """Add what a release's hierarchy places below Person; labels already listed keep their role.

        Parameters
        ----------
        children : mapping
            MID → its children as (key, MID); key ``Subcategory`` makes a person class, ``Part`` a body part, and what
            lies below a part is a part.
        names : mapping
            MID → display name.

        Returns
        -------
        LabelSet
            A skull, listed among the look-alikes, stays one although the hierarchy calls it a part of Human body.
        """
        found: dict[str, Role] = {}
        waiting: list[tuple[str, Role]] = [(PERSON, "person")]
        while waiting:
            mid, role = waiting.pop(0)
            if mid in found:
                continue
            found[mid] = role
            for key, child in children.get(mid, ()):
                waiting.append((child, "body_part" if key == "Part" else role))
        new = [
            HumanLabel(mid, names.get(mid, mid), role, "below Person in the hierarchy")
            for mid, role in found.items()
            if mid not in self._by_mid
        ]
        return LabelSet((*self.labels, *new))


@dataclass(frozen=True)
class SunNames:
    """What the free-text names of LabelMe polygons mean; every list holds normalised names.

    Attributes
    ----------
    roles : mapping
        Name → what it means: ``person`` or ``body_part``; ``other`` for names with a human word and no human;
        ``ambiguous_part`` for parts that may be an animal's; ``lookalike`` for human shapes that are not a person.
    """

    roles: Mapping[str, NameRole]

    @cached_property
    def _words(self) -> frozenset[str]:
        words = {name for name, role in self.roles.items() if role == "person" and " " not in name}
        return frozenset(words - {"player", "driver", "rider", "model"})

    def role(self, name: str) -> NameRole:
        """Tell what a polygon's name means.

        Parameters
        ----------
        name : str
            As written in the XML.

        Returns
        -------
        {"person", "body_part", "possible_person", "ambiguous_part", "lookalike", "other"}
            ``possible_person`` is a name in no list that holds a person's word as a word of its own, such as "person
            with umbrella": free text has more variants than a list, and these go to review.
        """
        name = normalise(name)
        if name in self.roles:
            return self.roles[name]
        return "possible_person" if self._words.intersection(re.split(r"[^a-z]+", name)) else "other"


def normalise(name: str) -> str:
    """Write a LabelMe name in lower case, single-spaced, without trailing ``occluded`` and ``crop``.

    >>> normalise(" Person  sitting occluded crop ")
    'person sitting'
    """
    words = name.lower().split()
    while len(words) > 1 and words[-1] in ("occluded", "crop", "cropped"):
        words.pop()
    return " ".join(words)


@cache
def load_label_set() -> LabelSet:
    """Load the humans and look-alikes of ``manifests/labels``.

    Raises
    ------
    UsageError
        If a list was edited into something unreadable; the sentence names the file and the line.
    """
    humans = [
        HumanLabel(
            row["mid"], row["name"], _checked_role(row["role"], place, HUMAN_ROLES), row["why"], row["absence"] == "1"
        )
        for place, row in _rows("humans.csv", ("mid", "name", "role", "absence", "why"))
    ]
    lookalikes = [
        HumanLabel(row["mid"], row["name"], "lookalike", row["why"])
        for _, row in _rows("lookalikes.csv", ("mid", "name", "why"))
    ]
    return LabelSet((*humans, *lookalikes))


@cache
def load_sun_names() -> SunNames:
    """Load the name lists for SUN's polygons.

    Raises
    ------
    UsageError
        As for :func:`load_label_set`.
    """
    lists: dict[str, NameRole] = {"false_friends": "other", "ambiguous": "ambiguous_part", "lookalikes": "lookalike"}
    roles = {
        normalise(row["name"]): role
        for part, role in lists.items()
        for _, row in _rows(f"sun_{part}.csv", ("name", "why"))
    }
    for place, row in _rows("sun_humans.csv", ("name", "role", "why")):
        roles[normalise(row["name"])] = _checked_role(row["role"], place, ("person", "body_part"))
    return SunNames(roles)


def _rows(name: str, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    text = (resources.files("matting_data.manifests") / "labels" / name).read_text(encoding="utf-8")
    reader = csv.reader(text.splitlines())
    header = next(reader, [])
    if tuple(header) != columns:
        raise UsageError(f"labels/{name} line 1: the header is {','.join(header)!r}: write {','.join(columns)!r}")
    found = []
    for cells in reader:
        place = f"labels/{name} line {reader.line_num}"
        if len(cells) != len(columns) or not cells[0].strip():
            raise UsageError(f"{place}: {len(cells)} values for {len(columns)} columns: complete or remove the row")
        if columns[0] == "mid" and not _MID.fullmatch(cells[0]):
            raise UsageError(f"{place}: {cells[0]!r} is not a MID: write one such as {PERSON}")
        found.append((place, dict(zip(columns, cells, strict=True))))
    return found


def _checked_role(role: str, place: str, known: Sequence[KnownRole]) -> KnownRole:
    for each in known:
        if role == each:
            return each
    raise UsageError(f"{place}: role {role!r} is not one of {', '.join(known)}")
