"""Reading JSON that somebody else may have written: one sentence about what is wrong with it, never a traceback."""

from __future__ import annotations

import json
from typing import Any

from matting_data.errors import DamageError

DEEPEST = 64
"""Levels of lists and objects within each other; no file of mattingdata has more than eight."""


def parse_json(data: bytes | str, label: str, remedy: str = "restore it, or remove it") -> Any:
    """Parse a JSON document.

    Parameters
    ----------
    data : bytes or str
    label, remedy : str
        What messages call the file, and what they say to do about it.

    Raises
    ------
    DamageError
        It is not JSON, nested too deeply, or holds text that no file can (halves of characters).
    """
    try:
        document = json.loads(data)
    except RecursionError:
        problem = f"nested more than {DEEPEST} levels deep"
    except ValueError as error:  # also of bytes that are not text, and of numbers with thousands of digits
        problem = f"not JSON: {str(error).splitlines()[0]}"
    else:
        if not _is_deeper(document, DEEPEST):
            return document
        problem = f"nested more than {DEEPEST} levels deep"
    raise DamageError(f"{label} is damaged ({problem}): {remedy}")


def _is_deeper(document: Any, most: int) -> bool:
    """Tell whether lists and objects lie within each other more than `most` times; level by level, so that it ends."""
    level = [document]
    for _ in range(most + 1):
        level = [
            part
            for node in level
            if isinstance(node, (dict, list))
            for part in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True
