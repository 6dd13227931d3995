"""The third stage: backgrounds with a verdict on humans. Judging adds nothing to foregrounds but state and split."""

from __future__ import annotations

from dataclasses import dataclass

from matting_data.records.checked import CheckedBackground
from matting_data.records.codes import Outcome


@dataclass(frozen=True, slots=True)
class JudgedBackground(CheckedBackground):
    """One background as licence, labels, detector and people judged it; a row of ``backgrounds.parquet``.

    Attributes
    ----------
    verdict : {"keep", "reject", "review"} or None
        On humans; None where something else decided first.
    """

    verdict: Outcome | None = None
