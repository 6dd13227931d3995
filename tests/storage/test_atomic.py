"""Whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from matting_data.errors import StorageError
from matting_data.storage.atomic import (
    TEMPORARY,
    atomic_file,
    atomic_folder,
    remove_leftovers,
    sha256_file,
    storage_errors,
    write_bytes,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256)) * 5000])
def test_what_is_written_is_there_with_its_hash(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "new" / "folder" / "file.bin"
    expected = hashlib.sha256(data).hexdigest()
    assert write_bytes(path, data) == expected == sha256_file(path)
    assert path.read_bytes() == data
    assert names(path.parent) == ["file.bin"]


def test_pieces_are_hashed_and_counted_as_they_come(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "x") as file:
        assert file.writable()
        for piece in (b"ab", b"", b"cdef"):
            assert file.write(piece) == len(piece)
    assert (file.sha256, file.bytes_written) == (hashlib.sha256(b"abcdef").hexdigest(), 6)


def test_a_reader_sees_the_old_file_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_bytes(path, b"old")
    with path.open("rb") as reader:
        with atomic_file(path) as file:
            file.write(b"new")
            assert path.read_bytes() == b"old"
            assert [name for name in names(tmp_path) if TEMPORARY in name]
        assert path.read_bytes() == b"new"
        assert reader.read() == b"old"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("error", [ValueError("mine"), OSError(errno.ENOENT, "mine"), KeyboardInterrupt()])
def test_an_exception_leaves_the_old_file_and_nothing_else_and_is_passed_on(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "x"
    write_bytes(path, b"old")
    with pytest.raises(type(error)) as caught, atomic_file(path) as file:
        file.write(b"half of the n")
        raise error
    assert caught.value is error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_an_exception_before_there_was_a_file_leaves_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError), atomic_file(tmp_path / "x"):
        raise ValueError
    assert names(tmp_path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from matting_data.storage.atomic import atomic_file
with atomic_file(Path(sys.argv[1])) as file:
    file.write(b"half of the new content" * 10000)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_the_old_file_and_its_leftover_can_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x"
    write_bytes(path, b"old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(names(path.parent)) == 2
    assert remove_leftovers(tmp_path, deep=True) == 1
    assert names(path.parent) == ["x"]
    assert remove_leftovers(tmp_path, deep=True) == 0


def refusal(path: Path, data: bytes = b"x") -> str:
    with pytest.raises(StorageError) as caught:
        write_bytes(path, data)
    return str(caught.value)


def test_a_path_below_a_file_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"kept")
    path = tmp_path / "file" / "sub" / "x"
    reason = "a part of that path is a file, not a folder: choose another --out"
    assert refusal(path) == f"cannot write {path}: {reason}"
    assert refusal(tmp_path / "file" / "x").startswith(f"cannot write {tmp_path / 'file' / 'x'}: ")
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_a_folder_in_the_files_place_is_one_sentence_and_stays(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    assert refusal(tmp_path / "x").startswith(f"cannot write {tmp_path / 'x'}: ")
    assert names(tmp_path) == ["x"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    assert refusal(folder / "x").endswith(
        "writing there is not permitted: choose another --out or change its permissions"
    )


LIMITED = """
import resource, signal, sys
from pathlib import Path
from matting_data.storage.atomic import write_bytes
from matting_data.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(Path(sys.argv[1]), b"x" * 100000)
except StorageError as error:
    print(error)
"""


def test_a_file_that_cannot_grow_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_bytes(path, b"old")
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {path}: File too large: check the disk and run the same command again\n"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named_with_the_remedy() -> None:
    with (
        pytest.raises(StorageError) as caught,
        storage_errors(Path("out/x")),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert str(caught.value) == ("cannot write out/x: the disk is full: free some space and run the same command again")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.EDQUOT, "the disk quota is used up: free some space and run the same command again"),
        (errno.EROFS, "the file system is read-only: choose another --out"),
        (errno.EIO, "Input/output error: check the disk and run the same command again"),
    ],
)
def test_every_error_of_the_disk_has_its_remedy(code: int, remedy: str) -> None:
    with pytest.raises(StorageError) as caught, storage_errors(Path("x")):
        raise OSError(code, os.strerror(code))
    assert str(caught.value) == f"cannot write x: {remedy}"


def test_only_unfinished_files_are_leftovers(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tmp", f"c.tar{TEMPORARY}123", f"sub/d{TEMPORARY}9", f"notes{TEMPORARY}backup.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert remove_leftovers(tmp_path, deep=False) == 1
    assert names(tmp_path) == ["a.tar", "b.tmp", f"notes{TEMPORARY}backup.txt", "sub"]
    assert names(tmp_path / "sub") == [f"d{TEMPORARY}9"]
    assert remove_leftovers(tmp_path, deep=True) == 1


def test_a_folder_appears_when_it_is_full(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "new" / "folder") as folder:
        (folder / "a").write_bytes(b"1")
        assert not (tmp_path / "new" / "folder").exists()
    assert names(tmp_path / "new") == ["folder"] and names(tmp_path / "new" / "folder") == ["a"]


def test_a_folder_that_could_not_be_filled_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "folder") as folder:
        (folder / "a").write_bytes(b"1")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == []


def test_a_folder_never_replaces_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_bytes(b"1")
    (tmp_path / "file").write_bytes(b"2")
    for taken in ("folder", "file"):
        with pytest.raises(StorageError, match="not an empty folder"), atomic_folder(tmp_path / taken):
            pytest.fail("the block must not run")
    assert names(tmp_path) == ["file", "folder"] and names(tmp_path / "folder") == ["mine"]


def test_what_came_while_a_folder_was_filled_is_kept(tmp_path: Path) -> None:
    with pytest.raises(StorageError), atomic_folder(tmp_path / "folder") as folder:
        (folder / "a").write_bytes(b"1")
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "theirs").write_bytes(b"2")
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == ["theirs"]
