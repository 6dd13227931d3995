"""One GET at a time: redirects looked at before they are followed, stalls ended, every mishap given a reason."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3 import exceptions as errors

from matting_data.errors import RejectedInput
from matting_data.fetching.placeholder import names_placeholder
from matting_data.fetching.throttle import Throttle
from matting_data.version import __version__

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_CHUNK = 64 * 1024
_STALL_BYTES = 1024
_CONNECT_TIMEOUT = 10.0


class Mishap(Exception):
    """A try that failed for now and may succeed later.

    Parameters
    ----------
    reason, detail : str
        As in the ledger.
    wait : float, optional
        Seconds the server asks to wait.
    """

    def __init__(self, reason: str, detail: str, wait: float | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.wait = wait


class Answer:
    """A response whose status and headers are there and whose body is still to come."""

    def __init__(self, response: urllib3.BaseHTTPResponse, url: str, timeout: float) -> None:
        self._response = response
        self._timeout = timeout
        self.url = url
        self.status = response.status
        self.headers = response.headers

    @property
    def length(self) -> int | None:
        """Content-Length in bytes; None where the server does not say."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    def body(self) -> Iterator[bytes]:
        """Yield the body piece by piece as it comes.

        Raises
        ------
        Mishap
            ``stalled`` (less than a kilobyte within the timeout), ``truncated`` or ``connection``.
        """
        waited, arrived = 0.0, 0
        while True:
            started = time.monotonic()
            with _mishaps(self.url):
                piece = self._response.read1(_CHUNK, decode_content=False)
            if not piece:
                return
            # only the time spent reading counts: what a rate limit spends between two pieces is no stall
            waited, arrived = waited + time.monotonic() - started, arrived + len(piece)
            if arrived >= _STALL_BYTES:
                waited, arrived = 0.0, 0
            elif waited > self._timeout:
                raise Mishap("stalled", f"{arrived} bytes in {waited:.0f} s from {host_of(self.url)}")
            yield piece

    def close(self) -> None:
        """End the answer; the short body of a refusal or redirect is read, so that its connection can be used again."""
        length = self.length
        short = self.status >= 300 and (length is None or length <= _CHUNK)
        with suppress(errors.HTTPError, OSError):
            for _ in range(8 if short else 0):
                if not self._response.read1(_CHUNK, decode_content=False):
                    return  # at its end, urllib3 has given the connection back
        self._response.close()


class Client:
    """HTTP and HTTPS for many threads.

    Parameters
    ----------
    throttle : Throttle
        Asked before every request, redirects included.
    connections : int
        Kept open to each host.
    timeout : float
        Seconds without an answer, or with less than a kilobyte of the body, after which a try is given up.
    """

    def __init__(self, throttle: Throttle, connections: int = 8, timeout: float = 30.0) -> None:
        self._throttle = throttle
        self._timeout = timeout
        self._options = {
            "maxsize": connections,
            "retries": False,
            "timeout": urllib3.Timeout(connect=min(timeout, _CONNECT_TIMEOUT), read=timeout),
            "headers": {"User-Agent": f"mattingdata/{__version__}", "Accept-Encoding": "identity"},
        }
        self._direct = urllib3.PoolManager(**self._options)  # type: ignore[arg-type]
        self._proxied = {
            scheme: urllib3.ProxyManager(address, **self._options)  # type: ignore[arg-type]
            for scheme, address in urllib.request.getproxies().items()
            if scheme in ("http", "https")
        }

    @contextmanager
    def get(self, url: str, headers: dict[str, str] | None = None) -> Iterator[Answer]:
        """Ask for `url` and follow its redirects.

        Yields
        ------
        Answer
            Whatever its status, other than a redirect.

        Raises
        ------
        RejectedInput
            ``bad_url``, ``dead_photo`` (a redirect to a placeholder, which is not asked for), ``refused_redirect``
            (to another scheme than http or https, or from https to http), ``redirect_loop``.
        Mishap
            ``timeout`` or ``connection``.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            require_http(url)
            answer = self._ask(url, headers or {})
            try:
                if answer.status not in _REDIRECTS:
                    yield answer
                    return
                url = _redirect(answer)
            finally:
                answer.close()
        raise RejectedInput("redirect_loop", f"more than {_MAX_REDIRECTS} redirects, the last to {url}")

    def _ask(self, url: str, headers: dict[str, str]) -> Answer:
        host = host_of(url)
        self._throttle.before_request(host)
        pool = self._proxied.get(urlsplit(url).scheme, self._direct)
        if pool is not self._direct and urllib.request.proxy_bypass(host):
            pool = self._direct
        with _mishaps(url):
            response = pool.request(
                "GET",
                url,
                headers={**self._options["headers"], **headers},  # type: ignore[dict-item]
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        return Answer(response, url, self._timeout)


def require_http(url: str) -> None:
    """Raise RejectedInput ``bad_url`` unless `url` is ``http(s)://host...``."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
    except ValueError:
        usable = False
    if not usable:
        raise RejectedInput("bad_url", f"{url[:100]!r} is no http or https address")


def host_of(url: str) -> str:
    """Return host and port as the address has them."""
    return urlsplit(url).netloc.rpartition("@")[2]


def retry_after(headers: urllib3.HTTPHeaderDict) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, given as a number or as a date; None without one."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _redirect(answer: Answer) -> str:
    location = answer.headers.get("Location", "")
    try:
        target = urljoin(answer.url, location)
        scheme = urlsplit(target).scheme
    except ValueError:
        raise RejectedInput("refused_redirect", f"to {location[:100]!r}, which is no address") from None
    if names_placeholder(target):
        raise RejectedInput("dead_photo", f"redirected to the placeholder {target}")
    if not location or scheme not in ("http", "https") or (urlsplit(answer.url).scheme, scheme) == ("https", "http"):
        raise RejectedInput("refused_redirect", f"{answer.status} from {answer.url} to {location[:100]!r}")
    return target


@contextmanager
def _mishaps(url: str) -> Iterator[None]:
    try:
        yield
    except errors.LocationValueError as error:
        raise RejectedInput("bad_url", str(error)) from None
    except errors.NewConnectionError as error:
        raise Mishap("connection", str(error)) from None
    except errors.TimeoutError as error:
        connecting = isinstance(error, errors.ConnectTimeoutError)
        detail = f"{'no connection to' if connecting else 'no answer from'} {host_of(url)} in time"
        raise Mishap("timeout", detail) from None
    except (errors.HTTPError, OSError) as error:
        ended_early = any(isinstance(cause, errors.IncompleteRead) for cause in (error, *error.args))
        what = error.args[0] if isinstance(error, errors.ProtocolError) and error.args else error
        raise Mishap("truncated" if ended_early else "connection", f"{host_of(url)}: {what}") from None
