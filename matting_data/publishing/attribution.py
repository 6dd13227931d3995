"""Who took the photographs: ATTRIBUTION.csv for the backgrounds a dataset uses, and which licences are allowed.

OpenImages' photographs are "listed as" CC BY 2.0, whose terms ask for the author, the title, the licence and a link;
Google gives no warranty for any of it, so the row also says which bytes were taken and when.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields, replace

from matting_data.foreign_text import UNPRINTABLE, csv_bytes

FILE_NAME = "ATTRIBUTION.csv"

_COLUMNS = {"author": "Author", "author_profile": "AuthorProfileURL", "title": "Title",
            "landing_page": "OriginalLandingURL", "license": "License"}  # fmt: skip

METADATA_COLUMNS = ("ImageID", *_COLUMNS.values())
"""What is needed of OpenImages' image-ids file."""

_NEEDED = ("author", "landing_page", "license")
_CONTROL = re.compile(f"{UNPRINTABLE.pattern}+")


@dataclass(frozen=True)
class AttributionRow:
    """A row of ATTRIBUTION.csv, columns in this order: one background that a dataset uses.

    Attributes
    ----------
    id : str
        OpenImages' image id, 16 hex digits; of other sources, the path below the source's folder.
    author, author_profile, title, landing_page : str
        Of the photograph; empty where unknown.
    license : str
        As the metadata say, else as the recipe gives it.
    sha256 : str
        Of the file's bytes, hex.
    retrieved : str
        When it was fetched, as the ledger of ``mattingdata fetch`` says; empty where unknown.
    background, source : str
        The dataset's own id of it, and the source it comes from.
    """

    id: str
    author: str = ""
    author_profile: str = ""
    title: str = ""
    landing_page: str = ""
    license: str = ""
    sha256: str = ""
    retrieved: str = ""
    background: str = ""
    source: str = ""


@dataclass(frozen=True)
class Attribution:
    """The rows of ATTRIBUTION.csv, and what they lack.

    Attributes
    ----------
    rows : list of AttributionRow
        One for each background used, ordered by source and id.
    missing : mapping
        Id → what is not known of it: ``metadata`` (no row at all), or any of ``author``, ``landing_page``,
        ``license``. Who publishes the dataset has to find out, or leave those backgrounds out.
    """

    rows: list[AttributionRow]
    missing: Mapping[str, tuple[str, ...]]


def attribute(used: Iterable[AttributionRow], metadata: Iterable[Mapping[str, str | None]]) -> Attribution:
    """Say who took each background that is used.

    Parameters
    ----------
    used : iterable of AttributionRow
        What the dataset knows of each background by itself. May name a background more than once.
    metadata : iterable of mapping
        Rows of the image-ids file with ``METADATA_COLUMNS``; rows of other images are passed over.

    Returns
    -------
    Attribution
        A row also for a background of which nothing is known, so that the file is complete.
    """
    wanted = {(b.source, b.background or b.id): b for b in used}
    ids = {background.id.lower() for background in wanted.values()}
    known: dict[str, Mapping[str, str]] = {}
    for row in metadata:
        identity = _clean(row.get("ImageID")).lower()
        if identity in ids:
            known.setdefault(identity, {name: _clean(row.get(column)) for name, column in _COLUMNS.items()})
    rows, missing = [], {}
    for background in sorted(wanted.values(), key=lambda background: (background.source, background.id.lower())):
        identity = background.id.lower() if background.id.lower() in known else background.id
        of = {name: value for name, value in known.get(identity, {}).items() if value}
        rows.append(replace(background, id=identity, **of))
        if lacking := tuple(name for name in _NEEDED if name not in of):
            missing[identity] = lacking if identity in known else ("metadata",)
    return Attribution(rows, missing)


def to_csv(rows: Iterable[AttributionRow]) -> bytes:
    """Encode ATTRIBUTION.csv: UTF-8 with a header, the same bytes for the same rows.

    A value that a spreadsheet would take for a formula (it starts with ``=``, ``+``, ``-`` or ``@``, also after
    spaces) gets an apostrophe before it; control characters and line breaks become spaces.
    """
    header = (field.name for field in fields(AttributionRow))
    return csv_bytes(header, ([_CONTROL.sub(" ", value) for value in astuple(row)] for row in rows))


def _clean(value: str | None) -> str:
    return _CONTROL.sub(" ", value or "").strip()
