"""An HTTP client that keeps to limits, checks each redirect before it follows it, and ends a stalled download.

A redirect leads to a public address, or to one of the same zone as the server that redirects.

Every failure of the network becomes a :class:`Mishap` with a reason.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, get_args
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions as errors

from matting_data.errors import RejectedInput
from matting_data.fetching.addresses import Zone, zone_of_host
from matting_data.fetching.connections import pool_manager, refused_redirect
from matting_data.fetching.content_checks import names_placeholder
from matting_data.fetching.wanted import is_http
from matting_data.version import __version__

Response = urllib3.BaseHTTPResponse
"""An answer whose status and headers have arrived; ``length_remaining`` is the length of its body, None if unknown."""

_HEADERS = {"User-Agent": f"mattingdata/{__version__}", "Accept-Encoding": "identity"}
_MAX_REDIRECTS = 5
_CHUNK = 64 * 1024
_STALL_BYTES = 1024
_CONNECT_TIMEOUT = 10.0


class Mishap(Exception):
    """A request that failed and may succeed later.

    Parameters
    ----------
    reason, detail : str
        As in the ledger.
    wait : float
        Seconds the server asks to wait.
    """

    def __init__(self, reason: str, detail: str, wait: float = 0.0) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.wait = wait


class Stopped(Exception):
    """The run is ending: leave everything as it is."""


class Throttle:
    """Limits on requests and bytes that all threads of a run share; every wait ends at once when the run is stopped.

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
        self._free_at: defaultdict[str, float] = defaultdict(float)
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
        while (held := self._free_at[host] - time.monotonic()) > 0:
            self.pause(held)
        self._take("a request", self._spacing)

    def after_bytes(self, count: int) -> None:
        """Count `count` bytes as received and wait until they are allowed."""
        with self._lock:
            self.received += count
        self._take("a byte", count * self._seconds_a_byte)

    def hold(self, host: str, seconds: float) -> None:
        """Ask `host` for nothing for `seconds`: a server that asks for a pause means all threads."""
        with self._lock:
            self._free_at[host] = max(self._free_at[host], time.monotonic() + seconds)

    def _take(self, what: str, seconds: float) -> None:
        """Wait until earlier takers of a limit have used their seconds, and use some."""
        with self._lock:
            now = time.monotonic()
            slot = max(now, self._free_at[what])
            self._free_at[what] = slot + seconds
        self.pause(slot - now)


class Client:
    """HTTP and HTTPS for many threads.

    urllib3 neither retries nor follows redirects here: every redirect is checked and counts against the limits, and a
    second try continues the file where the first broke off.

    Parameters
    ----------
    throttle : Throttle
        Asked before every request, redirects included.
    connections : int
        Kept open to each host.
    timeout : float
        Seconds without an answer, or with less than a kilobyte of the body, after which a request fails.
    """

    def __init__(self, throttle: Throttle, connections: int = 8, timeout: float = 30.0) -> None:
        self.throttle = throttle
        self._timeout = timeout
        limits = urllib3.Timeout(connect=min(timeout, _CONNECT_TIMEOUT), read=timeout)
        options: dict[str, Any] = {"maxsize": connections, "retries": False, "timeout": limits}
        self._direct = {zone: pool_manager(_reachable(zone), **options) for zone in (None, *get_args(Zone))}
        self._proxied = {
            scheme: urllib3.ProxyManager(address, **options)
            for scheme, address in getproxies().items()
            if scheme in ("http", "https")
        }

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Response]:
        """Ask for `url` and follow its redirects.

        Yields
        ------
        Response
            Whatever its status, other than a redirect; read it with :meth:`body`. Its ``url`` is the last one asked.

        Raises
        ------
        RejectedInput
            ``bad_url``, ``dead_photo`` (a redirect to a placeholder, which is not asked for), ``refused_redirect``
            (to another scheme than http or https, from https to http, or into a network of which the server that
            redirects is not a part), ``redirect_loop``.
        Mishap
            ``timeout`` or ``connection``.
        """
        origin: Zone | None = None  # of the server that redirects; the first address is the caller's choice
        for _ in range(_MAX_REDIRECTS + 1):
            response, origin = self._ask(url, {**_HEADERS, **(headers or {})}, origin)
            try:
                location = response.get_redirect_location()
                if location is False:
                    yield response
                    return
                url = redirect_target(url, location or "")
            finally:
                _close(response)
        raise RejectedInput("redirect_loop", f"more than {_MAX_REDIRECTS} redirects, the last to {url}")

    def body(self, response: Response) -> Iterator[bytes]:
        """Yield the body piece by piece as it comes and as the limits allow.

        Raises
        ------
        Mishap
            ``stalled`` (less than a kilobyte within the timeout), ``truncated`` or ``connection``.
        """
        waited, arrived = 0.0, 0
        while True:
            started = time.monotonic()
            with _mishaps(response.url):
                piece = response.read1(_CHUNK, decode_content=False)
            if not piece:
                return
            # only the time spent reading counts: a pause for the rate limit between two pieces is not a stall
            waited, arrived = waited + time.monotonic() - started, arrived + len(piece)
            if arrived >= _STALL_BYTES:
                waited, arrived = 0.0, 0
            elif waited > self._timeout:
                raise Mishap("stalled", f"{arrived} bytes in {waited:.0f} s from {host_of(response.url)}")
            yield piece
            self.throttle.after_bytes(len(piece))

    def _ask(self, url: str, headers: dict[str, str], origin: Zone | None) -> tuple[Response, Zone]:
        """Ask for an address that a server in zone `origin` redirects to, or nobody; also tell where it lies."""
        if not is_http(url):
            raise RejectedInput("bad_url", f"{url[:100]!r} is not an http or https address")
        host, named = host_of(url), zone_of_host(urlsplit(url).hostname or "")
        reachable = _reachable(origin)
        if named is not None and reachable is not None and named not in reachable:
            raise refused_redirect(f"to {host}", named)
        self.throttle.before_request(host)
        manager: urllib3.PoolManager | None = self._proxied.get(urlsplit(url).scheme)
        if manager is None or proxy_bypass(host):
            manager = self._direct[origin]
        with _mishaps(url):
            response = manager.request(
                "GET", url, headers=headers, redirect=False, preload_content=False, decode_content=False
            )
        response.url = url  # urllib3 gives the path alone
        # a proxy looks names up itself, and tells nobody where they lead
        return response, getattr(response, "zone", named or "public")


def _reachable(origin: Zone | None) -> frozenset[Zone] | None:
    """Say to which zones a server may redirect; None for a request that no server asked for."""
    return None if origin is None else frozenset({"public", origin} - {"special"})


def host_of(url: str | None) -> str:
    """Get host and port as the address has them."""
    return urlsplit(url or "").netloc.rpartition("@")[2]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds ``Retry-After`` asks to wait, from a number or a date; None without one."""
    try:
        return urllib3.Retry().parse_retry_after(headers.get("Retry-After", ""))
    except errors.InvalidHeader:
        return None


def redirect_target(url: str, location: str) -> str:
    """Resolve the ``Location`` that `url` redirects to; raise RejectedInput unless it may be followed."""
    refusal = RejectedInput("refused_redirect", f"from {url} to {location[:100]!r}")
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError:
        raise refusal from None
    if names_placeholder(target):
        raise RejectedInput("dead_photo", f"redirected to the placeholder {target}")
    if not location or scheme not in ("http", "https") or (urlsplit(url).scheme, scheme) == ("https", "http"):
        raise refusal
    return target


def _close(response: Response) -> None:
    """End an answer; the short body of a refusal or redirect is read, so that its connection can be used again."""
    with suppress(errors.HTTPError, OSError):
        for _ in range(8 if response.status >= 300 else 0):
            if not response.read1(_CHUNK, decode_content=False):
                return  # at its end, urllib3 has given the connection back
    response.close()


@contextmanager
def _mishaps(url: str | None) -> Iterator[None]:
    """Raise urllib3's errors as mishaps."""
    host = host_of(url)
    try:
        yield
    except errors.LocationValueError as error:
        raise RejectedInput("bad_url", str(error)) from None
    except errors.NewConnectionError as error:  # urllib3 counts it as a timeout, whatever its cause
        raise Mishap("connection", str(error)) from None
    except errors.TimeoutError as error:
        missing = "connection to" if isinstance(error, errors.ConnectTimeoutError) else "answer from"
        raise Mishap("timeout", f"no {missing} {host} in time") from None
    except (errors.HTTPError, OSError) as error:
        ended_early = any(isinstance(cause, errors.IncompleteRead) for cause in (error, *error.args))
        what = error.args[0] if isinstance(error, errors.ProtocolError) and error.args else error
        raise Mishap("truncated" if ended_early else "connection", f"{host}: {what}") from None
