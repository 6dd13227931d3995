"""What one run left, the next one uses: finished files, beginnings of files, and what was found to be gone."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from matting_data.errors import DamageError, StorageError, UsageError
from matting_data.fetching.fetch import FetchOptions, FetchResult, fetch, missing
from matting_data.fetching.fetch_ledger import Fetched, open_ledger, read_ledger
from matting_data.fetching.wanted import Wanted
from tests.support.misbehaving_server import Server, cut, good, photo, ranged, stall, status

COMMAND = [sys.executable, "-c", "from matting_data.cli.main import main; main()"]
ID = "000012ab34cd56ef"
ONCE = FetchOptions(jobs=1, tries=1, timeout=0.4, first_wait=0.01)
TWICE = FetchOptions(jobs=1, tries=2, timeout=0.4, first_wait=0.01)
BODY = photo(7, (200, 200))
HALF = len(BODY) // 2


def run(out: Path, url: str, options: FetchOptions = ONCE, **known: Any) -> FetchResult:
    return fetch([Wanted(ID, f"{ID}.jpg", url, **known)], out, options)


def is_whole(out: Path) -> bool:
    leftovers = [path.name for path in out.iterdir() if ".part" in path.name]
    return (out / f"{ID}.jpg").read_bytes() == BODY and not leftovers


def test_a_beginning_is_continued_where_the_server_can(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", cut(BODY, HALF, ETag='"v1"'), ranged(BODY))
    assert run(tmp_path, url).failed == {"truncated": 1}
    assert (tmp_path / f"{ID}.jpg.part").stat().st_size == HALF
    result = run(tmp_path, url)
    assert result.written == 1 and result.bytes == len(BODY) - HALF and is_whole(tmp_path)
    assert (server.asked[1].range, server.asked[1].if_range) == (f"bytes={HALF}-", '"v1"')


def test_also_within_one_run(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", cut(BODY, HALF, Last_Modified="Sat, 01 Jan 2022 00:00:00 GMT"), ranged(BODY))
    # the server's If-Range knows its ETag only: another validator means the whole again
    assert run(tmp_path, url, TWICE).written == 1 and is_whole(tmp_path)
    assert server.asked[1].if_range == "Sat, 01 Jan 2022 00:00:00 GMT"


def test_a_server_that_ignores_the_range_sends_the_whole_again(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", cut(BODY, HALF, ETag='"v1"'), good(BODY))
    assert run(tmp_path, url, TWICE).written == 1 and is_whole(tmp_path)
    assert server.asked[1].range == f"bytes={HALF}-"


def test_a_photograph_that_changed_meanwhile_is_taken_anew(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", cut(photo(8, (300, 300)), HALF, ETag='"v0"'), ranged(BODY, '"v1"'))
    assert run(tmp_path, url, TWICE).written == 1 and is_whole(tmp_path)


def test_a_range_of_another_version_or_place_is_not_glued_on(server: Server, tmp_path: Path) -> None:
    def careless(handler: Any) -> None:  # does not look at If-Range
        handler.headers.replace_header("If-Range", '"v2"')
        ranged(BODY, '"v2"')(handler)

    def shifted(handler: Any) -> None:
        handler.start(206, 5, Content_Range=f"bytes 0-4/{len(BODY)}", ETag='"v1"')
        handler.wfile.write(BODY[:5])

    for name, answer in (("careless", careless), ("shifted", shifted), ("short", ranged(BODY[:9]))):
        url = server.at(f"/{name}", cut(BODY, HALF, ETag='"v1"'), answer, good(BODY))
        options = FetchOptions(jobs=1, tries=3, first_wait=0.01)
        assert run(tmp_path / name, url, options).written == 1 and is_whole(tmp_path / name)
        assert server.asked[-1].range == ""


def test_a_beginning_without_proof_is_dropped(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", cut(BODY, HALF), ranged(BODY))
    assert run(tmp_path, url).failed == {"truncated": 1}
    assert not list(tmp_path.glob("*.part*"))
    assert run(tmp_path, url).written == 1 and is_whole(tmp_path)
    assert [asked.range for asked in server.asked] == ["", ""]


def test_a_hash_is_proof_enough(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", cut(BODY, HALF), ranged(BODY))
    result = run(tmp_path, url, TWICE, md5=hashlib.md5(BODY).hexdigest())
    assert result.written == 1 and is_whole(tmp_path)
    assert [asked.range for asked in server.asked] == ["", f"bytes={HALF}-"]


def test_a_wrong_beginning_is_found_out_and_the_whole_taken(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", cut(photo(9, (300, 300)), HALF), ranged(BODY), good(BODY))
    options = FetchOptions(jobs=1, tries=3, first_wait=0.01)
    assert run(tmp_path, url, options, md5=hashlib.md5(BODY).hexdigest()).written == 1 and is_whole(tmp_path)
    assert [asked.range for asked in server.asked] == ["", f"bytes={HALF}-", ""]


def test_a_beginning_from_another_address_is_not_continued(server: Server, tmp_path: Path) -> None:
    run(tmp_path, server.at("/bucket.jpg", cut(photo(3, (300, 300)), HALF, ETag='"v1"')))
    assert run(tmp_path, server.at("/original.jpg", ranged(BODY))).written == 1 and is_whole(tmp_path)
    assert server.asked[-1].range == ""


def test_a_torn_note_means_starting_anew(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", cut(BODY, HALF, ETag='"v1"'), ranged(BODY))
    run(tmp_path, url)
    (tmp_path / f"{ID}.jpg.part.json").write_text('{"url": "ht')
    assert run(tmp_path, url).written == 1 and is_whole(tmp_path)
    assert server.asked[-1].range == ""


def test_progress_makes_good_for_tries_in_vain(server: Server, tmp_path: Path) -> None:
    body = os.urandom(5 << 20)
    digest = hashlib.sha256(body).hexdigest()

    def piecemeal(handler: Any) -> None:
        first = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        handler.start(
            206 if first else 200, len(body) - first, Content_Range=f"bytes {first}-{len(body) - 1}/{len(body)}"
        )
        handler.wfile.write(body[first : first + (5 << 18)])
        handler.close_connection = True

    item = Wanted("big.csv", "big.csv", server.at("/big.csv", piecemeal), len(body), sha256=digest, image=False)
    assert fetch([item], tmp_path, TWICE).written == 1
    assert read_ledger(tmp_path)["sha256"].to_list() == [digest] and len(server.asked) == 4


def test_what_is_there_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    many = [Wanted(f"{n:016x}", f"{n:016x}.jpg", server.at(f"/{n}", good(photo(n)))) for n in range(6)]
    assert fetch(many[:4], tmp_path, ONCE).written == 4
    first = read_ledger(tmp_path)
    result = fetch(many, tmp_path, ONCE)
    assert (result.total, result.written, result.kept) == (6, 6, 4)
    assert [server.count(f"/{n}") for n in range(6)] == [1] * 6
    assert read_ledger(tmp_path).filter(read_ledger(tmp_path)["id"].is_in(first["id"].to_list())).equals(first)
    (tmp_path / many[0].name).unlink()
    (tmp_path / many[1].name).write_bytes(photo(1)[:-1])  # another length: somebody touched it
    assert fetch(many, tmp_path, ONCE).kept == 4
    assert [server.count(f"/{n}") for n in range(6)] == [2, 2, 1, 1, 1, 1]
    assert fetch(many[:1], tmp_path, ONCE).total == 1 and read_ledger(tmp_path).height == 6


def test_a_file_of_unknown_origin_is_kept_when_it_is_whole(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", good(BODY))
    (tmp_path / f"{ID}.jpg").write_bytes(BODY)
    result = run(tmp_path, url)
    assert result.written == 1 and server.asked == []
    assert read_ledger(tmp_path)["sha256"].to_list() == [hashlib.sha256(BODY).hexdigest()]
    other = tmp_path / "other"
    other.mkdir()
    (other / f"{ID}.jpg").write_bytes(BODY[:-500])  # as the official downloader leaves it when killed
    assert run(other, url).written == 1 and is_whole(other) and server.count("/x.jpg") == 1


def test_what_is_gone_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", status(404), good(BODY))
    assert run(tmp_path, url).rejected == {"gone": 1}
    assert run(tmp_path, url).rejected == {"gone": 1} and len(server.asked) == 1
    elsewhere = server.at("/y.jpg", status(404))
    assert run(tmp_path, elsewhere).rejected == {"gone": 1} and len(server.asked) == 2
    run(tmp_path, url, FetchOptions(retry_rejected=True))
    assert is_whole(tmp_path)


def test_missing_asks_nobody(server: Server, tmp_path: Path) -> None:
    there = Wanted(ID, f"{ID}.jpg", server.at("/x.jpg", good(BODY)))
    gone = Wanted("f" * 16, f"{'f' * 16}.jpg", server.url + "/gone")
    line = Fetched("line 3", "rejected", "malformed_line", "line 3: 'x'")
    assert list(missing([there, gone, line], tmp_path / "new")) == [there, gone, line]
    assert not (tmp_path / "new").exists() and server.asked == []
    fetch([there], tmp_path, ONCE)
    assert list(missing([there, gone], tmp_path)) == [gone]
    (tmp_path / there.name).write_bytes(b"x")
    assert list(missing([there], tmp_path)) == [there]


def test_two_runs_do_not_share_a_folder(server: Server, tmp_path: Path) -> None:
    with open_ledger(tmp_path), pytest.raises(StorageError, match="another run is fetching into"):
        run(tmp_path, server.url)


def test_the_same_file_twice_is_refused(server: Server, tmp_path: Path) -> None:
    item = Wanted(ID, f"{ID}.jpg", server.at("/x.jpg", good(BODY)))
    with pytest.raises(UsageError, match="asked for twice"):
        fetch([item, item], tmp_path, ONCE)


def test_a_damaged_ledger_is_one_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "fetch.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DamageError, match="delete it and fetch again"):
        run(tmp_path, server.url)


def test_a_torn_line_of_the_journal_is_forgotten(server: Server, tmp_path: Path) -> None:
    url = server.at("/x.jpg", good(BODY))
    run(tmp_path, url)
    journal = tmp_path / ".fetch" / "journal.jsonl"
    row = {"id": "a", "outcome": "written", "reason": "", "detail": "", "bytes": 1, "sha256": "", "url": "",
           "retrieved": ""}  # fmt: skip
    journal.write_text(json.dumps(row) + '\n{"id": "b", "outco')
    assert run(tmp_path, url).kept == 1
    assert read_ledger(tmp_path)["id"].to_list() == [ID, "a"] and journal.read_bytes() == b""


def image_list(tmp_path: Path, count: int) -> Path:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"train/{n:016x}\n" for n in range(count)))
    return path


def start(tmp_path: Path, server: Server, count: int) -> subprocess.Popen[str]:
    options = ["--base-url", server.url, "--out", str(tmp_path / "out"), "--jobs", "2", "--timeout", "10"]
    return subprocess.Popen(
        [*COMMAND, "fetch", "openimages", "--images", str(image_list(tmp_path, count)), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def wait_until_stalled(out: Path, server: Server, count: int, size: int) -> None:
    deadline = time.monotonic() + 30
    part = out / f"{count - 1:016x}.jpg.part"
    while len(server.asked) < count or not part.exists() or part.stat().st_size + 70_000 < size:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)


@pytest.mark.slow
def test_a_killed_run_continues(server: Server, tmp_path: Path) -> None:
    large = photo(5, (900, 700))
    for number in range(6):
        server.at(f"/train/{number:016x}.jpg", good(photo(number)))
    last = f"/train/{5:016x}.jpg"
    server.at(last, stall(large, len(large) // 2, ETag='"v1"'), ranged(large))
    process = start(tmp_path, server, 6)
    out = tmp_path / "out"
    wait_until_stalled(out, server, 6, len(large) // 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (out / "ledger").exists() and not (out / f"{5:016x}.jpg").exists()
    done = start(tmp_path, server, 6)
    output, errors = done.communicate(timeout=30)
    assert done.returncode == 0, errors
    assert "images: 6 = 6 written" in output and "5 were there" in output
    assert (out / f"{5:016x}.jpg").read_bytes() == large
    assert [server.count(f"/train/{number:016x}.jpg") for number in range(6)] == [1, 1, 1, 1, 1, 2]
    first = int(server.asked[-1].range.removeprefix("bytes=").rstrip("-"))
    assert 0 < first <= len(large) // 2
    assert not list(out.glob("*.part*")) and read_ledger(out).height == 6


@pytest.mark.slow
def test_ctrl_c_says_so_exits_130_and_the_same_command_continues(server: Server, tmp_path: Path) -> None:
    large = photo(5, (900, 700))
    server.at(f"/train/{0:016x}.jpg", good(photo(0)))
    server.at(f"/train/{1:016x}.jpg", stall(large, len(large) // 2, ETag='"v1"'), ranged(large))
    process = start(tmp_path, server, 2)
    wait_until_stalled(tmp_path / "out", server, 2, len(large) // 2)
    os.killpg(process.pid, signal.SIGINT)
    started = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - started < 6  # although a thread waits for bytes that never come
    assert process.returncode == 130
    assert errors.strip() == "mattingdata: interrupted; the same command continues where it stopped"
    done = start(tmp_path, server, 2)
    output, _ = done.communicate(timeout=30)
    assert done.returncode == 0 and "1 were there" in output
    assert server.count(f"/train/{0:016x}.jpg") == 1 and server.asked[-1].range
    assert (tmp_path / "out" / f"{1:016x}.jpg").read_bytes() == large


LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
from matting_data.cli.main import main
main()
"""


@pytest.mark.slow
def test_a_disk_that_refuses_ends_the_run_with_one_sentence(server: Server, tmp_path: Path) -> None:
    server.at(f"/train/{0:016x}.jpg", good(BODY))
    server.at(f"/train/{1:016x}.jpg", good(BODY))
    options = ["--images", str(image_list(tmp_path, 2)), "--base-url", server.url, "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "fetch", "openimages", *options],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "File too large: check the disk and run the same command again" in done.stderr
    assert not list((tmp_path / "out").glob("*.jpg"))


def test_the_ledger_and_the_image_ids_file_make_the_attribution(server: Server, tmp_path: Path) -> None:
    from matting_data.fetching.image_requests import read_image_rows
    from matting_data.publishing.attribution import METADATA_COLUMNS, AttributionRow, attribute

    run(tmp_path, server.at("/x.jpg", good(BODY)))
    table = tmp_path / "ids.csv"
    table.write_text(f"{','.join(METADATA_COLUMNS)}\n{ID},Ann,https://f/ann,A hill,https://f/1,CC BY 2.0\n")
    used = [
        AttributionRow(row["id"], sha256=row["sha256"], retrieved=row["retrieved"])
        for row in read_ledger(tmp_path).filter(outcome="written").iter_rows(named=True)
    ]
    found = attribute(used, read_image_rows(table, [ID], METADATA_COLUMNS).iter_rows(named=True))
    assert found.missing == {} and found.rows[0].author == "Ann"
    assert found.rows[0].sha256 == hashlib.sha256(BODY).hexdigest() and found.rows[0].retrieved
