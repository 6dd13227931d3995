"""How large an image may be; apart from the decoders, since what only checks tables does not load those."""

from __future__ import annotations

MAX_PIXELS = 100_000_000
"""Default limit on width x height before anything is decompressed; foregrounds, and so composites, have no other."""

LARGEST_BACKGROUND = 178_000_000
"""The most that a recipe may allow photographs with ``max_megapixels``."""
