"""What is asked for: single files, what cannot be asked for, and whole requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from matting_data.errors import UsageError


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to fetch.

    Attributes
    ----------
    id : str
        Image id, or name of a metadata file; the ledger's key.
    name : str
        Name of the file below the folder; never a path.
    url : str
        Where it is.
    bytes : int
        Its length, 0 where unknown.
    md5, sha256 : str
        Hex digests, empty where unknown.
    image : bool
        Whether it has to be an image.
    """

    id: str
    name: str
    url: str
    bytes: int = 0
    md5: str = ""
    sha256: str = ""
    image: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """One line or row that cannot be asked for, and why: a ledger row without a download."""

    id: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Request:
    """What is asked for, made one by one each time it is gone through: a list may name millions.

    Attributes
    ----------
    total : int
        Files in it.
    bytes : int
        Their length together, as far as it is known.
    """

    items: Callable[[], Iterator[Wanted | Refused]]
    total: int
    bytes: int = 0

    def __iter__(self) -> Iterator[Wanted | Refused]:
        return self.items()

    def __len__(self) -> int:
        return self.total


def is_http(url: str) -> bool:
    """Tell whether `url` is ``http(s)://host...``."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
    except ValueError:
        return False


def check_base_url(url: str, example: str) -> str:
    """Check an address that paths are appended to and drop its last slash; raise UsageError if it is not http(s)."""
    if not is_http(url) or "?" in url or "#" in url:
        raise UsageError(f"--base-url {url!r} is no http(s) address of a bucket: use for instance {example}")
    return url.rstrip("/")
