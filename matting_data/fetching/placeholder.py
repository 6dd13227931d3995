"""Dead photographs: what an image host serves in the place of one that is gone.

Flickr answers 302 to ``.../photo_unavailable.png`` (openimages/dataset issue 9), a PNG of 2,051 bytes; asked for
without a look, it is a valid image that shows nothing.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

PLACEHOLDER_BYTES = 2051

_NAMES = ("photo_unavailable", "image_unavailable")
_PNG = b"\x89PNG\r\n\x1a\n"


def names_placeholder(url: str) -> bool:
    """Tell whether an address's path is that of a placeholder."""
    return any(name in unquote(urlsplit(url).path).lower() for name in _NAMES)


def announces_placeholder(content_type: str, length: int | None) -> bool:
    """Tell whether an answer's headers are those of the placeholder: ``image/png`` of 2,051 bytes."""
    return content_type.partition(";")[0].strip().lower() == "image/png" and length == PLACEHOLDER_BYTES


def is_placeholder(head: bytes, length: int) -> bool:
    """Tell whether content (its first bytes, and its length) is that of the placeholder."""
    return head.startswith(_PNG) and length == PLACEHOLDER_BYTES
