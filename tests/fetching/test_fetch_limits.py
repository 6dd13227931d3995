"""How fast, how often, how many at a time: measured at the server."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import urllib3

from matting_data.errors import RejectedInput
from matting_data.fetching.client import Client, Stopped, Throttle, redirect_target, retry_after
from matting_data.fetching.fetch import FetchOptions, fetch, in_threads
from matting_data.fetching.wanted import Wanted
from matting_data.storage.retries import back_off
from tests.support.misbehaving_server import Behaviour, Server, good, photo, status


def images(server: Server, count: int, answer: Behaviour | None = None) -> list[Wanted]:
    return [Wanted(f"{n:016x}", f"{n:016x}.jpg", server.at(f"/{n}", answer or good(photo(n)))) for n in range(count)]


def test_requests_are_spaced_over_all_jobs(server: Server, tmp_path: Path) -> None:
    result = fetch(images(server, 10), tmp_path, FetchOptions(jobs=8, requests_per_second=20))
    times = sorted(asked.time for asked in server.asked)
    assert result.written == 10 == len(times)
    assert times[-1] - times[0] >= 9 / 20 * 0.8
    assert sum(later - earlier >= 0.03 for earlier, later in pairwise(times)) >= 6


def test_tries_and_redirects_count_as_requests(server: Server, tmp_path: Path) -> None:
    server.at("/final", good(photo()))
    item = Wanted("a" * 16, "a.jpg", server.at("/first", status(500), status(302, b"", Location="/final")))
    assert fetch([item], tmp_path, FetchOptions(requests_per_second=10, first_wait=0.001)).written == 1
    times = [asked.time for asked in server.asked]
    assert len(times) == 3 and times[2] - times[0] >= 0.16


def test_bytes_are_limited_over_all_jobs(server: Server, tmp_path: Path) -> None:
    items = images(server, 4, good(photo(1, (200, 150))))
    size = len(photo(1, (200, 150)))
    started = time.monotonic()
    result = fetch(items, tmp_path, FetchOptions(jobs=4, bytes_per_second=size * 8, timeout=0.3))
    assert result.written == 4 and result.bytes == 4 * size
    assert 0.4 <= time.monotonic() - started < 3


def test_jobs_work_at_the_same_time_and_no_more_of_them(server: Server, tmp_path: Path) -> None:
    busy, most, lock = 0, 0, threading.Lock()

    def slow(handler: Any) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.05)
        with lock:
            busy -= 1
        good(photo())(handler)

    assert fetch(images(server, 12, slow), tmp_path, FetchOptions(jobs=4)).written == 12
    assert 2 <= most <= 4


def test_connections_are_used_again(server: Server, tmp_path: Path) -> None:
    ports = set()

    def remember(handler: Any) -> None:
        ports.add(handler.client_address[1])
        (good(photo()) if int(handler.path[1:]) % 2 else status(404, b"x" * 300))(handler)

    fetch(images(server, 20, remember), tmp_path, FetchOptions(jobs=1))
    assert len(ports) == 1


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_respected_by_all_jobs(server: Server, tmp_path: Path, code: int) -> None:
    items = images(server, 1, good(photo()))
    server.at("/0", status(code, Retry_After="1"), good(photo()))
    later = Wanted("b" * 16, "b.jpg", server.at("/later", good(photo())))

    def delayed() -> Any:
        yield items[0]
        while not server.asked:
            time.sleep(0.01)
        time.sleep(0.1)
        yield later

    result = fetch(delayed(), tmp_path, FetchOptions(jobs=2, first_wait=0.01))
    assert result.written == 2
    first, *others = [asked.time for asked in server.asked]
    assert len(others) == 2 and all(other - first >= 0.95 for other in others)


def test_a_longer_wait_than_reasonable_fails_at_once(server: Server, tmp_path: Path) -> None:
    started = time.monotonic()
    result = fetch(images(server, 1, status(429, Retry_After="7200")), tmp_path, FetchOptions())
    assert result.failed == {"http_429": 1} and "7,200 s" in result.problems[0].detail
    assert len(server.asked) == 1 and time.monotonic() - started < 2


def test_retry_after_is_a_number_or_a_date() -> None:
    def asked(text: str | None) -> float | None:
        return retry_after(urllib3.HTTPHeaderDict({} if text is None else {"Retry-After": text}))

    assert asked("17") == 17 and asked(None) is None and asked("soon") is None and asked("-3") is None
    date = asked(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    assert date is not None and 25 < date <= 30
    assert asked("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_back_off_doubles_with_jitter_that_no_clock_decides() -> None:
    waits = [back_off("000012ab34cd56ef", tries) for tries in range(1, 12)]
    assert waits == [back_off("000012ab34cd56ef", tries) for tries in range(1, 12)]
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits[:7]))
    assert all(30 <= wait <= 60 for wait in waits[7:])
    assert len({back_off(f"{n:016x}", 1) for n in range(100)}) == 100


def test_a_stopped_throttle_waits_for_nothing() -> None:
    throttle = Throttle(requests_per_second=0.01)
    throttle.before_request("a")
    threading.Timer(0.1, throttle.stop).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        throttle.before_request("a")
    assert time.monotonic() - started < 5


def test_the_first_error_of_a_thread_ends_the_run() -> None:
    stopped = threading.Event()

    def work(number: int) -> int:
        if number == 3:
            raise ValueError("mine")
        return number

    with pytest.raises(ValueError, match="mine"):
        list(in_threads(range(100), work, 2, stopped.set))
    assert stopped.is_set()


def test_tasks_are_taken_as_they_are_needed() -> None:
    taken = []

    def tasks() -> Any:
        for number in range(1000):
            taken.append(number)
            yield number

    results: Any = in_threads(tasks(), lambda number: number, 2, lambda: None)
    next(results)
    assert len(taken) <= 6
    results.close()


def test_a_proxy_of_the_environment_is_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.at("http://photos.invalid/x.jpg", good(photo()))
    client = Client(Throttle())
    with client.get("http://photos.invalid/x.jpg") as answer:
        assert b"".join(client.body(answer)) == photo()
    with client.get(server.at("/direct.jpg", good(photo()))) as answer:
        assert answer.status == 200
    assert [asked.path for asked in server.asked] == ["http://photos.invalid/x.jpg", "/direct.jpg"]


def test_https_to_http_is_refused_and_http_to_https_is_not() -> None:
    assert redirect_target("http://a/x", "https://b/y") == "https://b/y"
    assert redirect_target("https://a/x/y", "z") == "https://a/x/z"
    with pytest.raises(RejectedInput) as refused:
        redirect_target("https://a/x", "http://b/y")
    assert refused.value.reason == "refused_redirect"
