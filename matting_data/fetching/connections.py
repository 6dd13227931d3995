"""Connections of urllib3 that know where their server lies, and refuse one that lies where it may not.

What counts is the address that is connected to, not a look-up before: a name may lead elsewhere the second time.
"""

from __future__ import annotations

import socket
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from matting_data.errors import RejectedInput
from matting_data.fetching.addresses import Zone, zone_of


class _Located:
    """Of a connection: asks nothing of a server outside `allowed`, and tells with each answer where it came from."""

    allowed: frozenset[Zone] | None = None
    zone: Zone = "special"

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc] # of urllib3's class beside this one
        address = str(connected.getpeername()[0])
        self.zone = zone_of(address)
        if self.allowed is not None and self.zone not in self.allowed:
            connected.close()
            raise refused_redirect(f"to {self.host}, which is {address}", self.zone)  # type: ignore[attr-defined] # same
        return connected

    def getresponse(self) -> Any:
        response = super().getresponse()  # type: ignore[misc] # same
        response.zone = self.zone
        return response


def pool_manager(allowed: frozenset[Zone] | None, **options: Any) -> urllib3.PoolManager:
    """Make a manager whose connections reach servers of some zones only, or any; each answer has its ``zone``.

    The connections raise RejectedInput ``refused_redirect``.
    """

    class Http(_Located, HTTPConnection):
        pass

    class Https(_Located, HTTPSConnection):
        pass

    class HttpPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Https

    Http.allowed = Https.allowed = allowed
    manager = urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}
    return manager


def refused_redirect(where: str, zone: Zone) -> RejectedInput:
    """Say that a server may not redirect into a zone that it does not lie in."""
    return RejectedInput("refused_redirect", f"a server elsewhere redirects {where}: a {zone} address")
