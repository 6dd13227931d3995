"""Redirects into networks that the server which redirects is no part of, with real servers on this machine.

All of 127.0.0.0/8 is this machine. Some of its addresses count as others for these tests, so that a server there is one
of the internet, of the network or of the cloud.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import RejectedInput
from matting_data.fetching import connections
from matting_data.fetching.addresses import Zone, zone_of, zone_of_host
from matting_data.fetching.client import Client, Throttle
from matting_data.fetching.fetch import FetchOptions, fetch
from matting_data.fetching.fetch_ledger import read_ledger
from matting_data.fetching.wanted import Wanted
from tests.support.misbehaving_server import Handler, Server, good, photo, redirect

ZONES: dict[str, Zone] = {
    "127.0.1.1": "public",
    "127.0.1.2": "private",
    "127.0.1.3": "link-local",
    "127.0.1.4": "public",
}
NAMES = {"public": "127.0.1.1", "private": "127.0.1.2", "link-local": "127.0.1.3", "loopback": "127.0.0.1"}


@pytest.mark.parametrize(
    ("zone", "addresses"),
    [
        ("public", "93.184.216.34 8.8.8.8 2606:2800:220:1::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::"),
        ("loopback", "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::"),
        ("private", "10.0.0.1 172.16.0.1 172.31.255.254 192.168.1.1 100.64.0.1 100.100.100.200 fd00:ec2::254 fc00::1"
                    " ::ffff:10.0.0.1 64:ff9b::a00:1 2002:c0a8:101:: 192.0.2.1 198.18.0.1 2001:db8::1 2001::1"),
        ("link-local", "169.254.169.254 169.254.0.1 fe80::1 fe80::1%eth0 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe"),
        ("special", "0.0.0.0 :: 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 ff02::1 ::ffff:0.0.0.0 ::7f00:1"),
    ],
)  # fmt: skip
def test_every_kind_of_address_has_its_zone(zone: str, addresses: str) -> None:
    assert {address: zone_of(address) for address in addresses.split()} == dict.fromkeys(addresses.split(), zone)


@pytest.mark.parametrize(
    ("host", "zone"),
    [
        ("127.1", "loopback"), ("0x7f.1", "loopback"), ("0177.0.0.1", "loopback"), ("2130706433", "loopback"),
        ("0x7f000001", "loopback"), ("017700000001", "loopback"), ("[::1]", "loopback"), ("localhost", "loopback"),
        ("LOCALHOST.", "loopback"), ("x.localhost", "loopback"), ("127.0.0.1.", "loopback"), ("0", "special"),
        ("2852039166", "link-local"), ("0xA9.0xFE.0xA9.0xFE", "link-local"), ("[fe80::1]", "link-local"),
        ("10.1", "private"), ("192.168.257", "private"), ("8.8.8.8", "public"), ("example.org", None),
        ("1.2.3.4.5", None), ("１２７.0.0.1", None), ("", None),
    ],
)  # fmt: skip
def test_spellings_are_seen_through(host: str, zone: str | None) -> None:
    assert zone_of_host(host) == zone


@given(st.ip_addresses())
@settings(deadline=None)
def test_what_is_public_is_so_for_the_library_too(address: Any) -> None:
    assert (zone_of(str(address)) != "public") or (address.is_global and not address.is_multicast)
    if address.version == 4:
        number, zone = int(address), zone_of(str(address))
        assert zone_of_host(str(number)) == zone_of_host(hex(number)) == zone == zone_of(f"::ffff:{address}")


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Server]]:
    """Return a maker of servers at an address."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux answers at all of 127.0.0.0/8")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(connections, "zone_of", lambda address: ZONES.get(address) or zone_of(address))
    monkeypatch.setattr("matting_data.fetching.client.zone_of_host", lambda host: ZONES.get(host) or zone_of_host(host))
    with ExitStack() as stack:

        def make(address: str) -> Server:
            server = Server(address)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return server

        yield make


def asked(url: str) -> bytes:
    client = Client(Throttle(), timeout=5)
    with client.get(url) as answer:
        return b"".join(client.body(answer))


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("target", NAMES)
def test_a_redirect_stays_public_or_in_its_own_network(
    servers: Callable[[str], Server], source: str, target: str
) -> None:
    one, other = servers(NAMES[source]), servers(NAMES[target])
    url = one.at("/x.jpg", redirect(other.at("/y.jpg", good(b"found"))))
    if target in ("public", source):
        assert asked(url) == b"found"
        return
    with pytest.raises(RejectedInput) as refused:
        asked(url)
    assert refused.value.reason == "refused_redirect"
    assert f"a {target} address" in refused.value.detail and NAMES[target] in refused.value.detail
    assert other.asked == []


def test_what_a_public_server_says_counts_after_a_private_one(servers: Callable[[str], Server]) -> None:
    private, public = servers(NAMES["private"]), servers(NAMES["public"])
    secret = private.at("/secret", good(b"secret"))
    start = private.at("/start", redirect(public.at("/x", redirect(secret))))
    with pytest.raises(RejectedInput, match="a private address"):
        asked(start)
    assert private.count("/secret") == 0


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f.1", "127.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_no_spelling_gets_through(servers: Callable[[str], Server], spelling: str) -> None:
    public, local = servers(NAMES["public"]), servers("127.0.0.1")
    local.at("/secret", good(b"secret"))
    url = public.at("/x", redirect(f"http://{spelling}:{local.server_address[1]}/secret"))
    with pytest.raises(RejectedInput) as refused:
        asked(url)
    assert refused.value.reason == "refused_redirect" and local.asked == []


def resolved(monkeypatch: pytest.MonkeyPatch, answers: list[str]) -> list[str]:
    """Let every name of ``.test`` lead to the addresses in turn, the last one for ever; return the names asked for."""
    look_up, seen = socket.getaddrinfo, []

    def names(host: Any, *rest: Any, **more: Any) -> Any:
        if not str(host).endswith(".test"):
            return look_up(host, *rest, **more)
        seen.append(host)
        return look_up(answers.pop(0) if len(answers) > 1 else answers[0], *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", names)
    return seen


def test_a_name_is_judged_by_the_address_that_is_connected_to(
    servers: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    public, local = servers(NAMES["public"]), servers("127.0.0.1")
    local.at("/secret", good(b"secret"))
    seen = resolved(monkeypatch, ["127.0.0.1"])
    url = public.at("/x", redirect(f"http://innocent.test:{local.server_address[1]}/secret"))
    with pytest.raises(RejectedInput, match=r"to innocent.test, which is 127.0.0.1: a loopback address"):
        asked(url)
    assert seen == ["innocent.test"] and local.asked == []


def test_a_name_that_leads_elsewhere_the_second_time_is_refused_then(
    servers: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    public = servers(NAMES["public"])
    local = Server("127.0.0.1", public.server_address[1])  # the same port, as rebinding needs it
    threading.Thread(target=local.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    public.at("/x", redirect("/secret"))
    local.at("/secret", good(b"secret"))
    public.at("/secret", good(b"public"))
    resolved(monkeypatch, [NAMES["public"], "127.0.0.1"])
    try:
        with pytest.raises(RejectedInput, match="a loopback address"):
            asked(f"http://rebind.test:{public.server_address[1]}/x")
        assert local.asked == []
    finally:
        local.shutdown()
        local.server_close()


def test_through_a_proxy_private_addresses_are_refused_by_name(
    servers: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = servers("127.0.0.1")
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "")
    proxy.at("http://photos.invalid/ok", redirect("http://mirror.invalid/y"))
    proxy.at("http://mirror.invalid/y", good(b"found"))
    assert asked("http://photos.invalid/ok") == b"found"
    for target in ("http://169.254.169.254/latest", "http://2130706433/", "http://localhost:80/", "http://10.0.0.1/"):
        proxy.at("http://photos.invalid/x", redirect(target))
        with pytest.raises(RejectedInput) as refused:
            asked("http://photos.invalid/x")
        assert refused.value.reason == "refused_redirect"
    assert {each.path for each in proxy.asked} == {
        "http://photos.invalid/ok",
        "http://mirror.invalid/y",
        "http://photos.invalid/x",
    }


def test_the_ledger_says_what_was_refused(servers: Callable[[str], Server], tmp_path: Path) -> None:
    public, local = servers(NAMES["public"]), servers("127.0.0.1")
    url = public.at("/x.jpg", redirect(local.at("/y.jpg", good(photo()))))
    fetch([Wanted("a", "a.jpg", url)], tmp_path, FetchOptions(jobs=1, timeout=5))
    row = read_ledger(tmp_path).row(0, named=True)
    assert (row["outcome"], row["reason"]) == ("rejected", "refused_redirect")
    assert row["detail"] == f"a server elsewhere redirects to 127.0.0.1:{local.server_address[1]}: a loopback address"
    assert not (tmp_path / "a.jpg").exists()


def test_no_credentials_travel_with_a_redirect(servers: Callable[[str], Server]) -> None:
    one, other = servers(NAMES["public"]), servers("127.0.1.4")
    seen: list[dict[str, str]] = []

    def look(handler: Handler) -> None:
        seen.append(dict(handler.headers))
        good(b"found")(handler)

    other.at("/y", look)
    one.at("/x", redirect(other.url + "/y", 302), redirect(other.url + "/y"))
    host = one.url.removeprefix("http://")
    assert asked(f"http://user:secret@{host}/x") == b"found"
    (headers,) = seen
    assert {name.lower() for name in headers} == {"host", "user-agent", "accept-encoding"}
    assert not any("secret" in value for value in headers.values())
