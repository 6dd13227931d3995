"""What a request must show before FiftyOne's server sees it: FiftyOne asks nobody anything, and serves any file.

A request passes with the secret of this server, which the address that ``browse`` printed holds and a cookie keeps;
under a name of this machine, so that no foreign site can lead its own name here; from the app's own pages; and for
pictures of the cache only, not for whatever file its address names.
"""

from __future__ import annotations

import base64
import hmac
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

USER = "mattingdata"
"""Name under which programs send the secret as a password; FiftyOne's own session does."""

PARAMETER = "token"
"""Of an address that carries the secret."""

_App = Callable[[Any, Any, Any], Awaitable[None]]
_MEDIA = "/media"


class Guard:
    """An ASGI application before another.

    Parameters
    ----------
    app : callable
        What answers requests that pass.
    secret : str
    address : str
        At which the server listens, or its name.
    port : int
        Likewise; cookies of one machine's servers differ by it.
    media : Path
        Folder of the pictures that may be served.
    """

    def __init__(self, app: _App, secret: str, address: str, port: int, media: Path) -> None:
        self._app, self._secret, self._media = app, secret, media
        self._cookie = f"mattingdata-browse-{port}"
        self._names = {"localhost", address.lower(), socket.gethostname().lower(), socket.getfqdn().lower()} - {""}
        self._local = address in ("localhost", "::1") or address.startswith("127.")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer it with 403; what is no request (the server's start and end) passes."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # the app uses none
        elif (problem := self.refusal(scope["method"], scope["path"], query, headers)) is not None:
            await _answer(send, 403, problem)
        elif any(name == PARAMETER for name, _ in query) and scope["method"] == "GET":
            rest = urlencode([pair for pair in query if pair[0] != PARAMETER])
            place = "/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else "")  # '//host' would leave this server
            cookie = f"{self._cookie}={self._secret}; Path=/; HttpOnly; SameSite=Lax"
            await _answer(send, 303, "", {"location": place, "set-cookie": cookie, "referrer-policy": "no-referrer"})
        else:
            await self._app(scope, receive, send)

    def refusal(self, method: str, path: str, query: list[tuple[str, str]], headers: Mapping[str, str]) -> str | None:
        """Tell why a request is refused; None where it passes.

        Parameters
        ----------
        method, path : str
        query : list of (name, value)
        headers : mapping
            Names in lower case.
        """
        host = headers.get("host", "")
        if not self._is_own_name(host):
            return "this server does not answer under that name: use localhost, or the address that browse printed"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "pages of other sites may not use this server"
        navigates = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not navigates:
            return "pages of other sites may not use this server"
        if not self._knows_secret(query, headers):
            return "open the address that 'mattingdata browse' printed: it carries the secret of this server"
        if path.rstrip("/").lower() == _MEDIA:
            files = [value for name, value in query if name == "filepath"]
            if len(files) != 1 or not self._is_picture(files[0]):
                return "only pictures of mattingdata's cache are served: open other datasets with FiftyOne itself"
        return None

    def _is_own_name(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if "@" in host:
            return False
        if name in self._names:
            return True
        try:
            ip = ip_address(name)
        except ValueError:
            return False
        return ip.is_loopback or not self._local  # rebinding needs a name; a number is where the browser went

    def _knows_secret(self, query: list[tuple[str, str]], headers: Mapping[str, str]) -> bool:
        shown = [value for name, value in query if name == PARAMETER]
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            cookie = None
        if cookie is not None:
            shown.append(cookie.value)
        scheme, _, encoded = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with suppress(ValueError):
                shown.append(base64.b64decode(encoded, validate=True).decode("latin-1").partition(":")[2])
        return any(hmac.compare_digest(each.encode(), self._secret.encode()) for each in shown)

    def _is_picture(self, name: str) -> bool:
        """Tell whether a file lies in the cache, links followed."""
        if "\0" in name or not name.startswith(os.fspath(self._media)):
            return False
        return Path(os.path.realpath(name)).is_relative_to(os.path.realpath(self._media))


async def _answer(send: Any, status: int, text: str, more: Mapping[str, str] | None = None) -> None:
    headers = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store", **(more or {})}
    listed = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": listed})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
