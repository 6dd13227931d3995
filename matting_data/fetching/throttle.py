"""How fast to ask: limits on requests and bytes, and pauses a server asks for."""

from __future__ import annotations

import threading
import time


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
