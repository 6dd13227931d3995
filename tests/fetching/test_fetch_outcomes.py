"""What a server may do to one image, and where the image ends for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from matting_data.fetching.fetch import FetchOptions, FetchResult, fetch
from matting_data.fetching.fetch_ledger import read_ledger
from matting_data.fetching.wanted import Wanted
from tests.support.misbehaving_server import (
    Behaviour,
    Server,
    cut,
    drip,
    good,
    photo,
    redirect,
    silent,
    stall,
    status,
    unsized,
)

ID = "000012ab34cd56ef"
QUICK = FetchOptions(jobs=2, tries=3, timeout=0.4, first_wait=0.01)
PNG_2051 = b"\x89PNG\r\n\x1a\n".ljust(2051, b"x")


def wanted(url: str, **known: Any) -> Wanted:
    return Wanted(ID, f"{ID}.jpg", url, **known)


def one(out: Path, url: str, **known: Any) -> tuple[FetchResult, dict[str, Any]]:
    result = fetch([wanted(url, **known)], out, QUICK)
    rows = read_ledger(out)
    assert rows.height == 1 == result.total == result.written + result.rejected.total() + result.failed.total()
    return result, rows.row(0, named=True)


def files(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.is_file())


def test_an_image_is_written_with_its_hash_address_and_time(server: Server, tmp_path: Path) -> None:
    body = photo()
    url = server.at("/train/x.jpg", good(body))
    result, row = one(tmp_path, url)
    assert (tmp_path / f"{ID}.jpg").read_bytes() == body
    assert row["retrieved"][10] == "T" and row["retrieved"].endswith("Z")
    del row["retrieved"]
    digest = hashlib.sha256(body).hexdigest()
    assert row == {
        "id": ID, "outcome": "written", "reason": "", "detail": "", "bytes": len(body), "sha256": digest, "url": url
    }  # fmt: skip
    assert (result.written, result.kept, result.bytes) == (1, 0, len(body))
    assert files(tmp_path) == [f"{ID}.jpg"]


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        (status(404), "gone", 1),
        (status(410), "gone", 1),
        (status(403), "forbidden", 1),
        (status(418), "http_418", 1),
        (redirect("/img/photo_unavailable.png"), "dead_photo", 1),
        (redirect("https://nowhere.invalid/a/photo%5Funavailable_l.png"), "dead_photo", 1),
        (good(PNG_2051, "image/png"), "dead_photo", 1),
        (good(PNG_2051, "image/jpeg"), "dead_photo", 1),
        (redirect("file:///etc/hostname"), "refused_redirect", 1),
        (redirect("ftp://127.0.0.1/x.jpg"), "refused_redirect", 1),
        (redirect("//[broken"), "refused_redirect", 1),
        (redirect(""), "refused_redirect", 1),
        (redirect("/train/x.jpg"), "redirect_loop", 6),
        (good(b"<!DOCTYPE html><title>Please log in</title>", "text/html"), "not_an_image", 2),
        (good(b""), "not_an_image", 2),
        (good(photo(), Content_Encoding="gzip"), "encoded", 1),
    ],
)
def test_a_final_answer_rejects_the_image(
    server: Server, tmp_path: Path, answer: Behaviour, reason: str, requests: int
) -> None:
    result, row = one(tmp_path, server.at("/train/x.jpg", answer))
    assert (row["outcome"], row["reason"]) == ("rejected", reason) and row["detail"]
    assert dict(result.rejected) == {reason: 1}
    assert server.count("/train/x.jpg") == requests == len(server.asked)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(500), "http_500"),
        (status(503), "http_503"),
        (status(429), "http_429"),
        (silent, "timeout"),
        (cut(photo(), 100), "truncated"),
        (drip(photo(), 0.15), "stalled"),
    ],
)
def test_an_answer_that_may_get_better_is_tried_again_and_then_failed(
    server: Server, tmp_path: Path, answer: Behaviour, reason: str
) -> None:
    _, row = one(tmp_path, server.at("/train/x.jpg", answer))
    assert (row["outcome"], row["reason"]) == ("failed", reason)
    assert row["detail"].endswith("after 3 tries")
    assert server.count("/train/x.jpg") == 3
    assert not (tmp_path / f"{ID}.jpg").exists()


@pytest.mark.parametrize(
    "first",
    [
        status(500), status(502), status(408), silent, cut(photo(), 0), cut(photo(), 500),
        cut(photo(), 500, reset=True), stall(photo(), 500), unsized(b""), unsized(photo()[:900]),
        good(b"<html>"), good(photo()[::-1]),
    ],
)  # fmt: skip
def test_a_second_try_that_succeeds_leaves_no_trace_of_the_first(
    server: Server, tmp_path: Path, first: Behaviour
) -> None:
    result, row = one(tmp_path, server.at("/train/x.jpg", first, good(photo())))
    assert row["outcome"] == "written" and result.written == 1
    assert (tmp_path / f"{ID}.jpg").read_bytes() == photo()
    assert server.count("/train/x.jpg") == 2
    assert files(tmp_path) == [f"{ID}.jpg"]


def test_a_redirect_to_the_image_is_followed(server: Server, tmp_path: Path) -> None:
    server.at("/moved.jpg", redirect("../elsewhere/y.jpg", 301))
    server.at("/elsewhere/y.jpg", good(photo()))
    result, row = one(tmp_path, server.url + "/moved.jpg")
    assert result.written == 1 and row["url"] == server.url + "/moved.jpg"


def test_an_image_without_a_length_is_decoded_to_its_end(server: Server, tmp_path: Path) -> None:
    assert one(tmp_path / "a", server.at("/whole.jpg", unsized(photo())))[0].written == 1
    _, row = one(tmp_path / "b", server.at("/half.jpg", unsized(photo()[:1000])))
    assert row["reason"] == "not_an_image"


def test_originals_are_held_against_their_size_and_md5(server: Server, tmp_path: Path) -> None:
    body = photo(1)
    known: dict[str, Any] = {"bytes": len(body), "md5": hashlib.md5(body).hexdigest()}
    assert one(tmp_path / "a", server.at("/right.jpg", good(body)), **known)[0].written == 1
    _, row = one(tmp_path / "b", server.at("/flipped.jpg", good(body[:-1] + b"?")), **known)
    assert (row["outcome"], row["reason"], server.count("/flipped.jpg")) == ("rejected", "wrong_hash", 2)
    _, row = one(tmp_path / "c", server.at("/other.jpg", good(photo(2, (90, 70)))), **known)
    assert (row["reason"], server.count("/other.jpg")) == ("wrong_size", 1)
    _, row = one(tmp_path / "d", server.at("/dead.jpg", good(PNG_2051, "image/png")), **known)
    assert row["reason"] == "dead_photo"
    _, row = one(tmp_path / "e", server.at("/short.jpg", unsized(body[:-9])), **known)
    assert (row["outcome"], row["reason"]) == ("failed", "truncated")


def test_a_true_png_of_the_placeholders_length_is_kept_when_its_hash_says_so(server: Server, tmp_path: Path) -> None:
    import io

    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(buffer, "PNG")
    body = buffer.getvalue().ljust(2051, b"\0")
    url = server.at("/tiny.png", good(body, "image/png"))
    assert one(tmp_path / "a", url, bytes=2051, md5=hashlib.md5(body).hexdigest())[0].written == 1
    assert one(tmp_path / "b", url)[1]["reason"] == "dead_photo"


def test_an_answer_longer_than_known_is_cut_off(server: Server, tmp_path: Path) -> None:
    _, row = one(tmp_path, server.at("/long.jpg", unsized(photo() + bytes(200_000))), bytes=len(photo()))
    assert row["reason"] == "wrong_size"


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://h/x", "http://", "http://[x", "gopher://h", "x.jpg", ""]
)
def test_only_http_addresses_are_asked(tmp_path: Path, url: str) -> None:
    assert one(tmp_path, url)[1]["reason"] == "bad_url"


def test_a_host_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    _, row = one(tmp_path, "http://127.0.0.1:9/x.jpg")
    assert (row["outcome"], row["reason"]) == ("failed", "connection")


def test_when_nothing_answers_the_rest_is_not_tried(server: Server, tmp_path: Path) -> None:
    many = [Wanted(f"{n:016x}", f"{n:016x}.jpg", f"{server.url}/{n}") for n in range(60)]
    for item in many:
        server.answers["/" + item.url.rpartition("/")[2]] = [status(500)]
    result = fetch(many, tmp_path, FetchOptions(jobs=2, tries=1, first_wait=0.01))
    assert result.failed.total() == 60 and result.failed["not_tried"] >= 30
    assert read_ledger(tmp_path).height == 60
    assert len(server.asked) < 30


def test_all_outcomes_add_up_and_the_table_is_plain_parquet(server: Server, tmp_path: Path) -> None:
    answers = [good(photo()), status(404), status(500), redirect("/photo_unavailable.png"), good(b"<html>")] * 4
    many = []
    for number, answer in enumerate(answers):
        name = f"{number:016x}"
        many.append(Wanted(name, f"{name}.jpg", server.at(f"/{name}", answer)))
    result = fetch(many, tmp_path, QUICK)
    assert result.as_mapping() | {"bytes": 0} == {
        "total": 20, "written": 4, "kept": 0, "bytes": 0,
        "rejected": {"dead_photo": 4, "gone": 4, "not_an_image": 4}, "failed": {"http_500": 4},
    }  # fmt: skip
    assert json.loads(json.dumps(result.as_mapping())) == result.as_mapping()
    table = pl.read_parquet(tmp_path / "ledger" / "fetch.parquet")
    assert table["id"].to_list() == sorted(item.id for item in many)
    assert dict(table["outcome"].value_counts().iter_rows()) == {"written": 4, "rejected": 12, "failed": 4}
