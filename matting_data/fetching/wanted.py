"""Files to fetch, one by one and as a request of many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from matting_data.errors import UsageError
from matting_data.fetching.fetch_ledger import Fetched


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


@dataclass(frozen=True)
class Request:
    """Many files to fetch, made one by one at each iteration, since a list may name millions.

    Attributes
    ----------
    items : callable
        Makes the files to fetch, and the ledger rows (``rejected``) of what cannot be asked for.
    total : int
        Files in it.
    bytes : int
        Their length together, as far as it is known.
    """

    items: Callable[[], Iterator[Wanted | Fetched]]
    total: int
    bytes: int = 0

    def __iter__(self) -> Iterator[Wanted | Fetched]:
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
