"""What a scan does about inputs that the system refuses to read: goes on with the others, and ends the command after.

Checks of the others are kept, so that the same command need not repeat them. Where hardly anything can be read, as on a
disk or a server that is gone, it does not go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matting_data.errors import RefusedError
from matting_data.records.checked import CheckedBackground, CheckedForeground

_MOST = 100
"""Refusals after which a scan that is to end with them ends at once."""

_MOST_IN_A_ROW = 16
"""The same for inputs that follow each other: a store that is gone takes seconds for each."""

_SHOWN = 3

_Record = CheckedForeground | CheckedBackground


@dataclass
class Refusals:
    """Those of one kind of input.

    Attributes
    ----------
    kind : str
        ``foregrounds`` or ``backgrounds``.
    skip : bool
        Whether to go on without them.
    """

    kind: str
    skip: bool
    _met: list[_Record] = field(default_factory=list)
    _in_a_row: int = 0

    def meet(self, record: _Record) -> None:
        """Look at a record that was just checked; RefusedError where going on makes no sense."""
        if record.state != "failed":
            self._in_a_row = 0
            return
        self._met.append(record)
        self._in_a_row += 1
        if not self.skip and (len(self._met) >= _MOST or self._in_a_row >= _MOST_IN_A_ROW):
            raise self._error(self._met, f"{len(self._met)} {self.kind} so far")

    def settle(self, records: Sequence[_Record]) -> None:
        """Raise RefusedError where any of all records was refused, unless they are to be skipped."""
        refused = [record for record in records if record.state == "failed"]
        if refused and not self.skip:
            raise self._error(refused, f"{len(refused)} of {len(records)} {self.kind}")

    def _error(self, refused: Sequence[_Record], how_many: str) -> RefusedError:
        found = "; ".join(f"{_path(record)} ({record.detail})" for record in refused[:_SHOWN])
        more = "; ..." if len(refused) > _SHOWN else ""
        return RefusedError(
            f"{how_many} could not be read: {found}{more}; run the same command again once they "
            "can be, or let 'mattingdata build' go on without them by --on-error skip"
        )


def _path(record: _Record) -> str:
    return record.path if isinstance(record, CheckedBackground) else record.image or record.alpha or record.id
