"""How fast to ask: limits on requests and bytes, pauses a server asks for, and waits between tries."""

from __future__ import annotations

import threading
import time

from matting_data.planning.seeds import derive_seed

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 60.0


class Stopped(Exception):
    """The run is ending: leave everything as it is."""


class Throttle:
    """Shared by all threads of a run; every wait ends at once when the run is stopped.

    Parameters
    ----------
    requests_per_second, bytes_per_second : float, optional
        Limits over all threads; none by default. Requests are spaced evenly, without bursts.
    """

    def __init__(self, requests_per_second: float | None = None, bytes_per_second: float | None = None) -> None:
        self._spacing = 1 / requests_per_second if requests_per_second else 0.0
        self._seconds_a_byte = 1 / bytes_per_second if bytes_per_second else 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._next_request = self._next_bytes = 0.0
        self._held_until: dict[str, float] = {}
        self.received = 0

    def stop(self) -> None:
        """End every wait, now and later, with :class:`Stopped`."""
        self._stop.set()

    def pause(self, seconds: float) -> None:
        """Wait `seconds`.

        Raises
        ------
        Stopped
            At once when the run is stopped.
        """
        if self._stop.wait(max(0.0, seconds)):
            raise Stopped

    def before_request(self, host: str) -> None:
        """Wait until a request to `host` is allowed."""
        while (held := self._held_until.get(host, 0.0) - time.monotonic()) > 0:
            self.pause(held)
        with self._lock:
            now = time.monotonic()
            slot = max(now, self._next_request)
            self._next_request = slot + self._spacing
        self.pause(slot - now)

    def after_bytes(self, count: int) -> None:
        """Count `count` bytes as received and wait until more are allowed."""
        with self._lock:
            now = time.monotonic()
            self.received += count
            slot = max(now, self._next_bytes)
            self._next_bytes = slot + count * self._seconds_a_byte
            wait = self._next_bytes - now
        self.pause(wait if self._seconds_a_byte else 0.0)

    def hold(self, host: str, seconds: float) -> None:
        """Ask `host` for nothing for `seconds`: a server that is asked to slow down means all threads."""
        with self._lock:
            self._held_until[host] = max(self._held_until.get(host, 0.0), time.monotonic() + seconds)


def back_off(identity: str, tries: int, first: float = _FIRST_WAIT) -> float:
    """Return how many seconds to wait after the `tries`-th try in vain: doubling, at most a minute, half of it jitter.

    The jitter is a hash of what is asked for, not of a clock, so that two runs wait alike while the files of one run
    do not wait in step.
    """
    jitter = derive_seed("fetch", identity, tries) / 2**63
    return min(_LONGEST_WAIT, first * 2.0 ** (tries - 1)) * (0.5 + 0.5 * jitter)
