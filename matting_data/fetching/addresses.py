"""Where an address on the network lies: a server may not redirect into a network that it is not part of itself.

Redirects are the server's choice, and a request from this machine reaches what the server cannot: services of the
machine, of its network, and of its cloud (169.254.169.254).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Literal

Zone = Literal["public", "loopback", "private", "link-local", "special"]
"""Of an address; ``special`` are multicast, reserved and unspecified ones."""

_NAT64 = IPv6Network("64:ff9b::/96")


def zone_of(address: str) -> Zone:
    """Tell where an IP address lies; IPv6 addresses that stand for one of IPv4 lie where that does.

    Raises
    ------
    ValueError
        It is no IP address.
    """
    ip = _embedded(ip_address(address))
    if ip.is_unspecified or ip.is_multicast:
        return "special"
    if ip.is_loopback:
        return "loopback"
    if ip.is_link_local:
        return "link-local"
    if ip.is_reserved:
        return "special"
    return "public" if ip.is_global else "private"


def zone_of_host(host: str) -> Zone | None:
    """Tell where a host lies by its spelling alone; None for names that only a look-up can tell of.

    Addresses of IPv4 are known in every spelling that look-ups take: ``127.1``, ``0x7f000001``, ``2130706433``.
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return "loopback"
    try:
        return zone_of(name)
    except ValueError:
        pass
    try:
        return zone_of(socket.inet_ntoa(socket.inet_aton(name)))
    except (OSError, ValueError):  # ValueError: characters beyond ASCII
        return None


def _embedded(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip.sixtofour or ip
