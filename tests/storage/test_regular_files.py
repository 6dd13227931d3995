"""Opening files of which only a name is known."""

import os
import socket
import sys
from pathlib import Path

import pytest

from matting_data.storage.regular_files import NotRegularError, open_regular, read_regular


def test_files_and_links_to_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_regular(tmp_path / "file") == read_regular(tmp_path / "link", limit=7) == b"content"
    with open_regular(str(tmp_path / "file")) as stream:
        stream.seek(3)
        assert stream.read() == b"tent"


def test_a_longer_file_than_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(OSError, match="has more than 6 bytes"):
        read_regular(tmp_path / "file", limit=6)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither named pipes nor sockets in folders")
def test_what_would_be_waited_for_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        (tmp_path / "folder").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "pipe")
        for path, kind in {"pipe": "pipe", "socket": "socket", "folder": "folder", "link": "pipe"}.items():
            with pytest.raises(NotRegularError, match=f"is a {kind}, not a file"):
                open_regular(path)
    with pytest.raises(NotRegularError, match="is a device"):
        open_regular(os.devnull)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "file")
