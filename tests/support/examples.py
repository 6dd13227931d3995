"""Properties whose number of examples a test states, and gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st


def try_examples(examples: int, check: Callable[[Any], None]) -> None:
    """Call `check` with hypothesis' ``data`` at least `examples` times; hypothesis itself leaves some out."""
    tried = 0

    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def once(data: Any) -> None:
        nonlocal tried
        tried += 1
        check(data)

    while tried < examples:
        once()
