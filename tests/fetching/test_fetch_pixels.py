"""Images whose header claims more pixels than a limit are not kept, whatever their bytes."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from matting_data.cli.main import main
from PIL import Image

from matting_data.fetching.fetch import FetchOptions, fetch
from matting_data.fetching.fetch_ledger import read_ledger
from matting_data.fetching.wanted import Wanted
from tests.support.misbehaving_server import Server, good, photo, unsized


def bomb(side: int) -> bytes:
    """Return a PNG of a few bytes that claims side² pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def encoded(kind: str, width: int = 200, height: int = 60) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    if kind == "deep TIFF":
        tifffile.imwrite(stream, pixels.astype(np.uint16) * 257, photometric="rgb")
    else:
        Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def row(server: Server, out: Path, body: bytes, limit: int, answer: Any = good) -> dict[str, Any]:
    wanted = Wanted("a", "a.jpg", server.at("/x", answer(body)))
    fetch([wanted], out, FetchOptions(jobs=1, timeout=5, max_pixels=limit))
    return read_ledger(out).row(0, named=True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "deep TIFF"])
@pytest.mark.parametrize("answer", [good, unsized])
def test_the_header_decides_in_every_format(server: Server, tmp_path: Path, kind: str, answer: Any) -> None:
    body = encoded(kind)
    found = row(server, tmp_path / "over", body, 200 * 60 - 1, answer)
    assert (found["outcome"], found["reason"]) == ("rejected", "too_large")
    assert found["detail"] == "200×60 has more than 11,999 pixels"
    assert not list((tmp_path / "over").glob("a.jpg*")) and server.count("/x") == 1
    assert row(server, tmp_path / "at", body, 200 * 60, answer)["outcome"] == "written"


@pytest.mark.parametrize("side", [10_001, 60_000, 2**31 - 1])
@pytest.mark.parametrize("answer", [good, unsized])
def test_bombs_are_refused_by_the_usual_limit(server: Server, tmp_path: Path, side: int, answer: Any) -> None:
    found = row(server, tmp_path, bomb(side), FetchOptions().max_pixels, answer)
    assert found["outcome"] == "rejected" and found["reason"] in ("too_large", "not_an_image")
    assert found["reason"] == "too_large" or side > 2**30
    assert not (tmp_path / "a.jpg").exists()


def test_what_was_too_large_is_not_asked_for_again_unless_told(server: Server, tmp_path: Path) -> None:
    body = photo()
    assert row(server, tmp_path, body, 100)["reason"] == "too_large"
    assert row(server, tmp_path, body, 10**6)["reason"] == "too_large" and server.count("/x") == 1
    wanted = Wanted("a", "a.jpg", server.url + "/x")
    assert fetch([wanted], tmp_path, FetchOptions(jobs=1, retry_rejected=True)).written == 1


def test_a_file_that_lies_there_is_held_to_the_limit(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG"))
    assert row(server, tmp_path, photo(), 64 * 48)["outcome"] == "written"
    assert (tmp_path / "a.jpg").read_bytes() == photo() and server.count("/x") == 1


def test_the_command_takes_the_limit(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"{1:016x}"
    server.at(f"/train/{name}.jpg", good(photo()))
    images, out = tmp_path / "list.txt", tmp_path / "out"
    images.write_text(f"train/{name}\n")
    command = ["mattingdata", "fetch", "openimages", "--images", str(images), "--base-url", server.url]
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(out), "--max-megapixels", "0.003"])
    with pytest.raises(SystemExit):
        main()
    assert "1 rejected (too_large)" in capsys.readouterr().out
