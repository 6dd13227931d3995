"""How long to wait before what failed is tried again."""

from __future__ import annotations

from matting_data.seeds import derive_seed

TRY_LATER = (408, 425, 429)
"""Statuses of HTTP below 500 after which the same request may succeed."""

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 60.0


def back_off(identity: str, tries: int, first: float = _FIRST_WAIT) -> float:
    """Compute the seconds to wait after the `tries`-th failed try: doubling, at most a minute, half of it jitter.

    The jitter is a hash of what is asked for, not of a clock, so that two runs wait alike while the files of one run
    do not wait in step.
    """
    jitter = derive_seed("fetch", identity, tries) / 2**63
    return min(_LONGEST_WAIT, first * 2.0 ** (tries - 1)) * (0.5 + 0.5 * jitter)
