"""Whether an error means that the memory of a device is too small, which torch says in several ways."""

from __future__ import annotations

import torch

_OF_THE_PROCESSOR = ("not enough memory", "can't allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU, Python or the processor's allocator, which raises a plain RuntimeError, found no memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OF_THE_PROCESSOR)
