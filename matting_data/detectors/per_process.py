"""Something opened on first use, once in each process, and left behind by pickles: sessions survive neither."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Opened = TypeVar("Opened")


class PerProcess(Generic[Opened]):
    """What `opens` returns, opened when it is first asked for and again after pickling or ``fork``.

    Parameters
    ----------
    opens : callable
        Picklable when this is to be.
    """

    def __init__(self, opens: Callable[[], Opened]) -> None:
        self._opens = opens
        self._opened: Opened | None = None
        self._owner = -1

    def __call__(self) -> Opened:
        """Return it, opening it first where need be; what opening raises is passed on."""
        if self._opened is None or self._owner != os.getpid():
            self._opened = self._opens()
            self._owner = os.getpid()
        return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {"_opens": self._opens, "_opened": None, "_owner": -1}
