"""One holder at a time; others can tell, and looking disturbs nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from matting_data.errors import StorageError, UsageError
from matting_data.storage.file_lock import file_is_locked, file_lock

HOLDER = """
import sys
from pathlib import Path
from matting_data.storage.file_lock import file_lock
with file_lock(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_by_one_process_and_freed_when_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        began = path.stat().st_mtime_ns
        assert file_is_locked(path)
        with pytest.raises(StorageError, match=r"^busy$"), file_lock(path, "busy"):
            pytest.fail("the block must not run")
        assert path.stat().st_mtime_ns == began  # tells when the holder took it
        holder.kill()
        holder.wait()
    assert not file_is_locked(path)
    os.utime(path, (0, 0))
    with file_lock(path, "busy"):
        assert file_is_locked(path) and time.time() - path.stat().st_mtime < 60
    assert not file_is_locked(path) and path.stat().st_size == 0


def test_looking_needs_the_right_to_read_only_and_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not file_is_locked(path) and not path.exists()
    with file_lock(path, "busy"):
        path.chmod(0o444)
        assert file_is_locked(path)


def test_a_place_that_cannot_be_locked_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder" / "lock").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipe")
    for path, error, why in (
        (tmp_path / "elsewhere" / "lock", StorageError, "cannot write .* a part of that path is a file"),
        (tmp_path / "folder" / "lock", StorageError, "cannot write .*/lock: it is a folder, not a file; remove it"),
        (tmp_path / "pipe", StorageError, "cannot write .*/pipe: it is a pipe, not a file; remove it"),
        (tmp_path / "lock", UsageError, "lock is a link, and writing there could end anywhere: remove it"),
    ):
        assert not file_is_locked(path)
        with pytest.raises(error, match=why), file_lock(path, "busy"):
            pytest.fail("the block must not run")
