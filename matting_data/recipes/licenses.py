"""Licences by whatever name they are written, with their terms: ``manifests/licenses.csv``."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from matting_data.errors import UsageError

_CC_URL = re.compile(r"https?://(?:www\.)?creativecommons\.org/(licenses|publicdomain)/([a-z+-]+)/(\d\.\d)(?:/.*)?")
_CC_NAME = re.compile(r"(?:cc[ -]?)?(by(?:-nc)?(?:-sa|-nd)?|zero|0)[ -]?(\d\.\d)?", re.ASCII)
_QUALIFIER = re.compile(r"\s*\([^()]*\)$")


@dataclass(frozen=True)
class License:
    """One row of ``manifests/licenses.csv``.

    Attributes
    ----------
    id : str
        SPDX identifier, or ``LicenseRef-…`` where SPDX has none.
    url : str
        Of the terms; may be empty.
    hub : str
        The Hugging Face hub's identifier; may be empty.
    share, adapt, commercial : bool
        Whether copies may be passed on, adaptations passed on, and either sold.
    attribution, share_alike : bool
        Whether the author has to be named, and whether adaptations have to carry the same licence.
    note : str
        What has to be known besides.
    """

    id: str
    url: str
    hub: str
    share: bool
    adapt: bool
    commercial: bool
    attribution: bool
    share_alike: bool
    note: str = ""

    @property
    def family(self) -> str:
        """The identifier without its version: ``CC-BY-SA``."""
        return re.sub(r"-\d+\.\d+$", "", self.id)


@lru_cache(maxsize=1)
def known_licenses() -> Mapping[str, License]:
    """Read the table of known licences, keyed by every way to write them: identifiers, aliases and addresses."""
    text = (resources.files("matting_data.manifests") / "licenses.csv").read_text(encoding="utf-8")
    known: dict[str, License] = {}
    for row in csv.DictReader(text.splitlines()):
        allows = {name: row[name] == "yes" for name in ("share", "adapt", "commercial", "attribution", "share_alike")}
        entry = License(row["id"], row["url"], row["hub"], **allows, note=row["note"])
        for name in (row["id"], row["hub"], row["url"], *row["aliases"].split("|")):
            if name:
                known[_normal(name)] = entry
    return known


@lru_cache(maxsize=4096)
def recognise(text: str) -> License | None:
    """Look up the licence that a text names; None for one that is not in the table.

    Parameters
    ----------
    text : str
        An SPDX identifier, an alias, the address of a deed, or a Creative Commons name however
        written (``cc-by-nc-sa-4.0``, ``CC BY 2.0``). A qualifier in brackets at the end
        (``public domain (NASA)``) says whose it is, and is passed over.
    """
    bare = _QUALIFIER.sub("", text)
    names = [name for name in (_creative_commons(text), text, _creative_commons(bare), bare) if name.strip()]
    return next((found for name in names if (found := known_licenses().get(_normal(name)))), None)


def allowed_licenses(policy: Iterable[str]) -> Callable[[str], bool]:
    """Build a function that tells whether a licence is one of those allowed.

    Parameters
    ----------
    policy : iterable of str
        Licences in any way :func:`recognise` reads. An unknown or missing licence is never allowed.

    Raises
    ------
    UsageError
        A licence of the policy is not in the table, or there is none.
    """
    known = {text: recognise(text) for text in policy}
    for text, entry in known.items():
        if entry is None:
            raise UsageError(f"licence {text!r} is not known: write it as 'CC BY 2.0', an SPDX id, or its address")
    if not known:
        raise UsageError("the licence policy allows none: name at least one licence, for instance 'CC BY 2.0'")
    allowed = frozenset(known.values())
    return lambda text: recognise(text) in allowed


def _creative_commons(text: str) -> str:
    """Read a licence's code, ``CC-BY-2.0`` for any way to write it; empty for one that is not Creative Commons'.

    Parameters
    ----------
    text : str
        The address of a deed, as in the image-ids file, or a name: ``CC BY 2.0``, ``cc-by-nc-sa-4.0``, ``CC0``.
    """
    text = text.strip().lower()
    if address := _CC_URL.fullmatch(text):
        kind, name, version = address.groups()
        return "CC0-1.0" if (kind, name) == ("publicdomain", "zero") else f"CC-{name.upper()}-{version}"
    if name := _CC_NAME.fullmatch(re.sub(r"[\s_-]+", "-", text)):
        if name[1] in ("zero", "0"):
            return "CC0-1.0" if name[2] in (None, "1.0") and text.startswith("cc") else ""
        return f"CC-{name[1].upper()}-{name[2]}" if name[2] else ""
    return ""


def _normal(text: str) -> str:
    text = re.sub(r"^https?://(www\.)?", "", text.strip().lower()).rstrip("/")
    return re.sub(r"[\s_-]+", " ", text)
