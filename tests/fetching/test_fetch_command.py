"""``mattingdata fetch`` as its user sees it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matting_data.cli.main import main

from matting_data.fetching import metadata_files
from matting_data.fetching.fetch_ledger import read_ledger
from tests.support.misbehaving_server import Server, good, photo, redirect, status


class Run:
    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["mattingdata", "fetch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        self.code = ended.value.code
        self.out, self.err = capsys.readouterr()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *arguments: Run(capsys, monkeypatch, *arguments)


def image_list(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "list.txt"
    path.write_text("\n".join(lines))
    return path


def ids(count: int) -> list[str]:
    return [f"{number:016x}" for number in range(count)]


def test_images_are_fetched_and_the_counts_add_up(run: Any, server: Server, tmp_path: Path) -> None:
    for number, answer in enumerate((good(photo()), good(photo(1)), status(404))):
        server.at(f"/train/{number:016x}.jpg", answer)
    images = image_list(tmp_path, *(f"train/{name}" for name in ids(3)), "oops")
    out = tmp_path / "out"
    done = run("openimages", "--images", images, "--base-url", server.url + "/", "--out", out)
    assert done.code == 0 and done.err == ""
    assert "images: 4 = 2 written + 1 rejected (gone) + 1 rejected (malformed_line)" in done.out
    assert "line 4: rejected (malformed_line), line 4: 'oops' is no SPLIT/IMAGE_ID" in done.out
    assert sorted(path.name for path in out.glob("*.jpg")) == [f"{name}.jpg" for name in ids(2)]
    again = json.loads(run("openimages", "--images", images, "--base-url", server.url, "--out", out, "--json").out)
    assert (again["total"], again["written"], again["kept"], again["bytes"]) == (4, 2, 2, 0)
    assert again["rejected"] == {"gone": 1, "malformed_line": 1} and again["failed"] == {}
    assert len(server.asked) == 3 and read_ledger(out).height == 4 and Path(again["ledger"]).is_file()


def test_failures_exit_with_1(run: Any, server: Server, tmp_path: Path) -> None:
    server.at(f"/test/{0:016x}.jpg", status(500))
    images = image_list(tmp_path, f"test/{0:016x}")
    done = run("openimages", "--images", images, "--base-url", server.url, "--out", tmp_path / "out", "--tries", 1)
    assert done.code == 1 and "1 failed (http_500)" in done.out


def test_offline_asks_nobody_and_prints_what_is_missing(run: Any, server: Server, tmp_path: Path) -> None:
    server.at(f"/train/{0:016x}.jpg", good(photo()))
    out, one = tmp_path / "out", image_list(tmp_path, f"train/{0:016x}")
    arguments = ["openimages", "--base-url", server.url, "--out", out]
    assert run(*arguments, "--images", one).code == 0
    asked = len(server.asked)
    assert run(*arguments, "--images", one, "--offline").code == 0
    two = image_list(tmp_path, f"train/{0:016x}", f"train/{1:016x}", "oops")
    done = run(*arguments, "--images", two, "--offline")
    assert done.code == 1 and done.out.splitlines()[0] == f"{1:016x}"
    assert done.out.splitlines()[1].startswith("# line 3: ") and "1 of 3 are missing, 1 more cannot" in done.out
    found = json.loads(run(*arguments, "--images", two, "--offline", "--json").out)
    assert found["missing"] == [f"{1:016x}"] and len(found["unusable"]) == 1
    assert len(server.asked) == asked


def test_originals_fill_what_the_bucket_lacks(run: Any, server: Server, tmp_path: Path) -> None:
    names, body = ids(4), photo(3)
    server.at(f"/train/{names[0]}.jpg", good(photo()))
    server.at("/flickr/1.jpg", good(body))
    server.at("/flickr/2.jpg", redirect("/img/photo_unavailable.png"))
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    table = tmp_path / "ids.csv"
    rows = [f"{name},{server.url}/flickr/{number}.jpg,{len(body)},{md5}" for number, name in enumerate(names[:3])]
    table.write_text("\n".join(["ImageID,OriginalURL,OriginalSize,OriginalMD5", *rows]))
    images, out = image_list(tmp_path, *(f"train/{name}" for name in names)), tmp_path / "out"
    bucket = run("openimages", "--images", images, "--base-url", server.url, "--out", out)
    assert "4 = 1 written + 3 rejected (gone)" in bucket.out
    done = run("openimages", "--images", images, "--originals", table, "--out", out, "--requests-per-second", 100)
    assert done.code == 0
    assert "images: 4 = 2 written + 1 rejected (dead_photo) + 1 rejected (no_url)" in done.out
    assert server.count("/flickr/0.jpg") == 0  # the bucket's copy is there
    assert (out / f"{names[1]}.jpg").read_bytes() == body


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["openimages"], "nothing is asked for: name a list with --images"),
        (["openimages", "--images", "{tmp}/none.txt"], "cannot read the image list"),
        (["openimages", "--images", "{tmp}/list.txt", "--base-url", "ftp://h"], "no http(s) address"),
        (["openimages-metadata"], "nothing is asked for: name files, or a --group"),
        (["openimages-metadata", "--group", "boxen"], "did you mean 'boxes'"),
    ],
)
def test_a_mistake_is_one_sentence(run: Any, tmp_path: Path, arguments: list[str], message: str) -> None:
    image_list(tmp_path, f"train/{0:016x}")
    done = run(*(argument.format(tmp=tmp_path) for argument in arguments), "--out", tmp_path / "out")
    assert done.code == 2 and message in done.err and done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_out_that_cannot_be_written_is_one_sentence(run: Any, server: Server, tmp_path: Path) -> None:
    images = image_list(tmp_path, f"train/{0:016x}")
    done = run("openimages", "--images", images, "--out", images / "out")
    assert done.code == 2 and "a part of that path is a file" in done.err


def test_metadata_is_fetched_and_checked(
    run: Any, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"ImageID,Source,LabelName,Confidence\n" * 9
    right = hashlib.sha256(body).hexdigest()
    table = [
        metadata_files.MetadataFile("v7/a.csv", "labels", "train", "v7", len(body), right, "", "B"),
        metadata_files.MetadataFile("v7/b.csv", "labels", "test", "v7", len(body), "0" * 64, "", "B"),
        metadata_files.MetadataFile("v7/c.csv", "classes", "all", "v7", 9_999, "", "", ""),
    ]
    monkeypatch.setattr("matting_data.fetching.metadata_files.metadata_files", lambda: table)
    for name in "abc":
        server.at(f"/v7/{name}.csv", good(body, "text/csv"))
    out = tmp_path / "out"
    done = run("openimages-metadata", "--group", "labels", "c.csv", "--base-url", server.url, "--out", out)
    assert done.code == 0 and "files: 3 = 2 written + 1 rejected (wrong_hash)" in done.out
    assert (out / "a.csv").read_bytes() == body and not (out / "b.csv").exists()
    assert read_ledger(out)["id"].to_list() == ["a.csv", "b.csv", "c.csv"]


def test_help_needs_no_network_library() -> None:
    code = (
        "import sys; sys.argv = ['mattingdata', 'fetch', 'openimages', '--help']\n"
        "from matting_data.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit(str({'urllib3', 'polars', 'numpy'} & set(sys.modules) or '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--originals" in done.stdout and "--offline" in done.stdout
