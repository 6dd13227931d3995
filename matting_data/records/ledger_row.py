"""Where every input and every composite of a build ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from matting_data.records.codes import End, Reason, Warned


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Where one input ended.

    Attributes
    ----------
    id, source, path : str
        The input; for composites the key, the split and the foreground + background.
    outcome : {"written", "rejected", "failed"}
        Exactly one.
    reason, detail : str
        Why, for all but ``written``; of those only where people decided (``override_...``).
    warnings : list of str
        What was odd but usable.
    """

    id: str
    source: str
    path: str
    outcome: End
    reason: Reason | Literal[""] = ""
    detail: str = ""
    warnings: list[Warned] = field(default_factory=list)
