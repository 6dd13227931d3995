"""Which requests pass before FiftyOne's server; an application of our own stands for it here."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matting_data.browsing.guard import Guard

SECRET = "a-secret"
COOKIE = {"cookie": f"mattingdata-browse-5151={SECRET}"}


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})


def ask(
    guard: Guard, target: str, headers: dict[str, str] | None = None, method: str = "GET", host: str = "localhost:5151"
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of the answer."""
    path, _, query = target.partition("?")
    given = {"host": host, **(headers or {})}
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(),
             "headers": [(name.encode(), value.encode()) for name, value in given.items()]}  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(guard(scope, None, send))
    return (
        sent[0]["status"],
        {name.decode(): value.decode() for name, value in sent[0]["headers"]},
        sent[1]["body"].decode(),
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    (folder / "sample").mkdir(parents=True)
    (folder / "sample" / "picture.jpg").write_bytes(b"picture")
    return folder


@pytest.fixture
def guard(cache: Path) -> Guard:
    return Guard(app, SECRET, "127.0.0.1", 5151, cache)


def test_the_address_that_was_printed_leaves_a_cookie_and_loses_the_secret(guard: Guard) -> None:
    status, headers, _ = ask(guard, f"/datasets/x?view=a%20b&token={SECRET}")
    assert (status, headers["location"]) == (303, "/datasets/x?view=a+b")
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Lax"}
    assert ask(guard, "/datasets/x", {"cookie": f"other=1; {cookie}"})[0] == 200
    assert ask(guard, f"//evil.example/x?token={SECRET}")[1]["location"] == "/evil.example/x"


def test_the_secret_is_asked_for_everywhere(guard: Guard) -> None:
    basic = "Basic " + base64.b64encode(f"mattingdata:{SECRET}".encode()).decode()
    for path in ("/", "/fiftyone", "/graphql", "/media?filepath=/etc/passwd", "/events", "/plugins/x"):
        for method in ("GET", "POST", "HEAD", "OPTIONS", "DELETE"):
            status, _, said = ask(guard, path, method=method)
            assert status == 403 and "open the address that 'mattingdata browse' printed" in said
    assert ask(guard, "/events", {"authorization": basic}, "POST")[:1] == (200,)
    wrong = [{"authorization": "Basic !!"}, {"authorization": "Bearer x"}, {"cookie": "mattingdata-browse-5151=no"},
             {"cookie": f"mattingdata-browse-5152={SECRET}"}, {"cookie": "=;;,\u00e9"}]  # fmt: skip
    assert {ask(guard, "/fiftyone", headers)[0] for headers in wrong} == {403}
    assert ask(guard, "/fiftyone?token=")[0] == ask(guard, "/fiftyone?token=%00")[0] == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:5151", 200), ("LOCALHOST", 200), ("localhost.:80", 200), ("127.0.0.1:8080", 200),
        ("[::1]:5151", 200),
        ("evil.example:5151", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403), ("", 403),
        ("192.168.1.5:5151", 403), ("user@evil.example", 403), ("[::1", 403), ("evil.example@localhost", 403),
    ],
)  # fmt: skip
def test_only_names_of_this_machine_are_answered(guard: Guard, host: str, status: int) -> None:
    assert ask(guard, "/fiftyone", COOKIE, host=host)[0] == status


def test_an_open_address_is_answered_by_number_and_by_its_name(cache: Path) -> None:
    guard = Guard(app, SECRET, "0.0.0.0", 5151, cache)
    assert ask(guard, "/", COOKIE, host="192.168.1.5:5151")[0] == 200
    assert ask(guard, "/", COOKIE, host="evil.example")[0] == 403
    assert ask(Guard(app, SECRET, "box.lan", 5151, cache), "/", COOKIE, host="box.lan:5151")[0] == 200


def test_pages_of_other_sites_are_refused(guard: Guard) -> None:
    own = {**COOKIE, "origin": "http://localhost:5151", "sec-fetch-site": "same-origin"}
    assert ask(guard, "/graphql", own, "POST")[0] == 200
    for origin in ("http://evil.example", "http://localhost:3000", "null", "https://localhost.evil:5151"):
        assert ask(guard, "/graphql", {**COOKIE, "origin": origin}, "POST")[0] == 403
    for site in ("cross-site", "same-site"):
        assert ask(guard, "/fiftyone", {**COOKIE, "sec-fetch-site": site, "sec-fetch-mode": "no-cors"})[0] == 403
        click = {**COOKIE, "sec-fetch-site": site, "sec-fetch-mode": "navigate"}
        assert ask(guard, "/", click)[0] == 200 and ask(guard, "/", click, "POST")[0] == 403


def test_only_pictures_of_the_cache_are_served(guard: Guard, cache: Path, tmp_path: Path) -> None:
    picture = cache / "sample" / "picture.jpg"
    assert ask(guard, f"/media?filepath={quote(str(picture))}", COOKIE)[0] == 200
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "cache-other").mkdir()
    (tmp_path / "cache-other" / "x.jpg").touch()
    (cache / "link").symlink_to(tmp_path / "secret")
    (cache / "folder").symlink_to(tmp_path)
    refused = ["/etc/passwd", str(tmp_path / "secret"), str(cache / "link"), str(cache / "folder" / "secret"),
               f"{cache}/../secret", f"{cache}/sample/../../secret", str(tmp_path / "cache-other" / "x.jpg"),
               "sample/picture.jpg", "file:///etc/passwd", f"{picture}\0", ""]  # fmt: skip
    for path in refused:
        for route in ("/media", "/media/", "/MEDIA"):
            assert ask(guard, f"{route}?filepath={quote(path)}", COOKIE)[0] == 403, path
    twice = f"/media?filepath={quote(str(picture))}&filepath=/etc/passwd"
    assert ask(guard, twice, COOKIE)[0] == ask(guard, "/media", COOKIE)[0] == 403


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_spelling_leads_out_of_the_cache(name: str) -> None:
    guard = Guard(app, SECRET, "127.0.0.1", 5151, Path("/nonexistent/cache"))
    status, _, _ = ask(guard, f"/media?filepath={quote(name)}", COOKIE)
    assert status == 403


def test_websockets_are_closed_and_the_servers_start_passes(cache: Path) -> None:
    seen: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    guard, sent = Guard(inner, SECRET, "127.0.0.1", 5151, cache), []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(guard({"type": "lifespan"}, None, send))
    socket = {"type": "websocket", "path": "/", "query_string": b"", "headers": [(b"host", b"localhost")]}
    asyncio.run(guard(socket, None, send))
    assert seen == ["lifespan"] and sent == [{"type": "websocket.close", "code": 1008}]
