"""Who took the photographs: ATTRIBUTION.csv for the backgrounds a dataset uses, and which licences are allowed.

OpenImages' photographs are "listed as" CC BY 2.0, whose terms ask for the author, the title, the licence and a link;
Google gives no warranty for any of it, so the row also says which bytes were taken and when.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from matting_data.storage.atomic import write_bytes

FILE_NAME = "ATTRIBUTION.csv"

METADATA_COLUMNS = ("ImageID", "Author", "AuthorProfileURL", "Title", "OriginalLandingURL", "License")
"""What is needed of OpenImages' image-ids file."""

_NEEDED = {"author": "Author", "landing_page": "OriginalLandingURL", "license": "License"}
_FORMULA = ("=", "+", "-", "@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


@dataclass(frozen=True)
class UsedBackground:
    """A background as a dataset uses it.

    Attributes
    ----------
    id : str
        OpenImages' image id, 16 hex digits; of other sources, the path below the source's folder.
    sha256 : str
        Of the file's bytes, hex.
    retrieved : str
        When it was fetched, as the ledger of ``mattingdata fetch`` says; empty where unknown.
    license : str
        As the recipe gives it, for want of a row that does.
    background, source : str
        The dataset's own id of it, and the source it comes from.
    """

    id: str
    sha256: str
    retrieved: str = ""
    license: str = ""
    background: str = ""
    source: str = ""


@dataclass(frozen=True)
class AttributionRow:
    """A row of ATTRIBUTION.csv; columns in this order."""

    id: str
    author: str
    author_profile: str
    title: str
    landing_page: str
    license: str
    sha256: str
    retrieved: str
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


def attribute(used: Iterable[UsedBackground], metadata: Iterable[Mapping[str, str | None]]) -> Attribution:
    """Say who took each background that is used.

    Parameters
    ----------
    used : iterable of UsedBackground
        May name a background more than once.
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
            known.setdefault(identity, {name: _clean(row.get(name)) for name in METADATA_COLUMNS})
    rows, missing = [], {}
    for background in sorted(wanted.values(), key=lambda background: (background.source, background.id.lower())):
        identity = background.id.lower() if background.id.lower() in known else background.id
        of = known.get(identity, {})
        rows.append(
            AttributionRow(
                identity,
                of.get("Author", ""),
                of.get("AuthorProfileURL", ""),
                of.get("Title", ""),
                of.get("OriginalLandingURL", ""),
                of.get("License", "") or background.license,
                background.sha256,
                background.retrieved,
                background.background,
                background.source,
            )
        )
        lacking = tuple(name for name, column in _NEEDED.items() if not of.get(column))
        if lacking:
            missing[identity] = lacking if of else ("metadata",)
    return Attribution(rows, missing)


def to_csv(rows: Iterable[AttributionRow]) -> bytes:
    """Return ATTRIBUTION.csv: UTF-8 with a header, the same bytes for the same rows.

    A value that a spreadsheet would take for a formula (it starts with ``=``, ``+``, ``-`` or ``@``, also after
    spaces) gets an apostrophe before it; control characters and line breaks become spaces.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [field.name for field in fields(AttributionRow)]
    writer.writerow(names)
    writer.writerows([_as_text(getattr(row, name)) for name in names] for row in rows)
    return buffer.getvalue().encode(errors="replace")


def write_attribution(path: Path, rows: Iterable[AttributionRow]) -> str:
    """Write ATTRIBUTION.csv atomically and return its SHA-256."""
    return write_bytes(path, to_csv(rows))


def _clean(value: str | None) -> str:
    return _CONTROL.sub(" ", value or "").strip()


def _as_text(value: str) -> str:
    value = _CONTROL.sub(" ", value)
    return f"'{value}" if value.lstrip().startswith(_FORMULA) else value
