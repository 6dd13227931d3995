"""Memory that composites leave to the next ones."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from functools import lru_cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt``."""

_KEPT = 256 << 20
_LARGEST = 32 << 20
"""Bytes; no larger arrays come from the heap, whatever is asked for."""


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Keep up to 256 MiB that arrays freed for those to come, in this process and from now on.

    By default glibc gives pages of large arrays back, and the kernel clears each before it hands it out again: half a
    millisecond a composite. Where another library allocates, as on macOS and Windows, this does nothing.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            allocator = ctypes.CDLL(None)
            allocator.mallopt(_MMAP_THRESHOLD, _LARGEST)
            allocator.mallopt(_TRIM_THRESHOLD, _KEPT)
