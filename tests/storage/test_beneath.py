"""The door to what is written below a folder: whatever links lie there, nothing is done elsewhere."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import matting_data
from matting_data.errors import StorageError, UsageError
from matting_data.storage import LocalStorage, NotAFileError, beneath
from matting_data.storage.atomic import atomic_file, atomic_folder, partial_file, write_bytes
from matting_data.storage.file_lock import file_lock

ROOMS = ("shards", "sources", "workspace", "publishing", "scanning", "rendering", "building", "upkeep")
"""Those that write below a dataset."""

HARMLESS = {"TEMPORARY", "storage_errors", "sha256_file", "process_runs"}

MODULES = ("shutil", "filelock", "tempfile")

METHODS = ("write_text", "unlink", "mkdir", "rmdir", "symlink_to", "touch", "makedirs")

NAMED_BY_USERS = {("scanning/audit.py", "write_bytes")}
"""Files that a user named, outside any dataset."""


@pytest.fixture(params=[True, False], ids=["handles", "checks"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStorage:
    """A dataset reached through links, on a platform with handles of folders and on one without."""
    if request.param and not beneath.HANDLES:
        pytest.skip("this platform has no handles of folders")
    monkeypatch.setattr(beneath, "HANDLES", request.param)
    for folder in ("real", "outside"):
        (tmp_path / folder).mkdir()
    (tmp_path / "link to out").symlink_to(tmp_path / "real", target_is_directory=True)
    for name in ("000000.tar", "left.tmp-1234567890123"):
        (tmp_path / "outside" / name).write_bytes(b"mine")
    return LocalStorage(tmp_path / "link to out" / "set")


def outside(storage: LocalStorage) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (storage.path.parent.parent / "outside").iterdir()}


def test_links_that_lead_to_the_root_are_followed(storage: LocalStorage, tmp_path: Path) -> None:
    storage.write("train/0.tar", b"tar")
    below = storage.below(".work")
    below.write("caches/0", b"cache")
    assert (tmp_path / "real/set/train/0.tar").read_bytes() == b"tar" == storage.read("train/0.tar")
    assert list(storage.files(deep=True)) == [".work/caches/0", "train/0.tar"]
    below.move("caches/0", "caches/1")
    with below.creating("caches/2") as stream:
        stream.write(b"fast")
    storage.write("train/0.tar.tmp-1234567890123", b"left")
    storage.write(".work/deep/er/0.tmp-1234567890123", b"left")
    storage.remove_leftovers("train")
    storage.remove_leftovers(deep=True)
    assert list(storage.files(deep=True)) == [".work/caches/1", ".work/caches/2", "train/0.tar"]
    storage.remove("train/0.tar")
    storage.remove("train/0.tar")
    storage.remove("nowhere/0.tar")
    storage.remove_folder(".work")
    storage.remove_folder("no such/folder")
    assert storage.files(deep=True) == {} and storage.names() == {"train"}


ACTIONS: dict[str, Callable[[LocalStorage], object]] = {
    "write": lambda storage: storage.write("train/000000.tar", b"x"),
    "write deeper": lambda storage: storage.write("train/a/b/000000.tar", b"x"),
    "write below": lambda storage: storage.below("train").write("000000.tar", b"x"),
    "create": lambda storage: storage.create("train/new", b"x"),
    "fast": lambda storage: storage.below("train").creating("new").__enter__(),
    "move to": lambda storage: storage.move("other", "train/000000.tar"),
    "move from": lambda storage: storage.move("train/000000.tar", "other"),
    "remove": lambda storage: storage.remove("train/000000.tar"),
    "remove folder": lambda storage: storage.remove_folder("train/a"),
    "leftovers": lambda storage: storage.remove_leftovers("train"),
    "lock": lambda storage: file_lock(storage.path / "train/lock", "busy", storage.root).__enter__(),
    "partial": lambda storage: partial_file(storage.path / "train/x", storage.root).__enter__(),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("target", ["outside", "outside/000000.tar", "nothing", "link to out/set/train"])
def test_no_link_below_the_root_is_followed(storage: LocalStorage, tmp_path: Path, action: str, target: str) -> None:
    storage.write("other", b"other")
    (storage.path / "train").symlink_to(tmp_path / target)
    before = outside(storage)
    with pytest.raises(UsageError, match=r"set/train is a link, and writing there could end anywhere: put a folder"):
        ACTIONS[action](storage)
    assert outside(storage) == before and not (tmp_path / "nothing").exists()
    assert storage.read("other") == b"other" and (storage.path / "train").is_symlink()


def test_a_link_that_is_removed_with_its_folder_or_written_over_goes_alone(
    storage: LocalStorage, tmp_path: Path
) -> None:
    storage.write("other", b"new")
    (storage.path / "train").mkdir()
    before = outside(storage)
    for name in ("folder", "file"):
        for verb in ("removed", "written", "moved"):
            target = tmp_path / "outside" if name == "folder" else tmp_path / "outside" / "000000.tar"
            link = storage.path / "train" / f"{name} {verb}"
            link.symlink_to(target)
            if verb == "removed":
                storage.remove(f"train/{link.name}")
                assert not link.exists()
            else:
                storage.write(f"train/{link.name}", b"new") if verb == "written" else storage.move(
                    "other", f"train/{link.name}"
                )
                assert not link.is_symlink() and link.read_bytes() == b"new"
                storage.write("other", b"new")
    (storage.path / "train" / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    storage.remove_leftovers(deep=True)
    storage.remove_folder("train/link")
    assert (storage.path / "train" / "link").is_symlink()
    storage.remove_folder("train")
    assert not (storage.path / "train").exists() and outside(storage) == before


def test_names_that_lead_out_are_refused(storage: LocalStorage) -> None:
    storage.write("a", b"")
    for name in ("../evil", "train/../../evil", str(storage.path.parent / "evil")):
        with pytest.raises((StorageError, ValueError)):
            storage.write(name, b"x")
    assert not (storage.path.parent / "evil").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_in_a_files_place_is_one_sentence_that_names_it(storage: LocalStorage, kind: str) -> None:
    storage.write("other", b"other")
    path = storage.path / "train" / "000000.tar"
    path.parent.mkdir()
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    for action in ("write", "move to", *(["remove"] if kind == "folder" else [])):
        with pytest.raises(StorageError) as caught:
            ACTIONS[action](storage)
        assert str(caught.value) == (
            f"cannot write {path}: it is a {kind}, not a file; remove it, or choose another --out"
        )
    if kind == "pipe":
        storage.remove_folder("train/000000.tar")
        assert path.is_fifo()
    for look in (storage.read, storage.info, storage.exists, storage.sha256):
        with pytest.raises(NotAFileError, match=f"is a {kind}, not a file: remove it and run the same command again"):
            look("train/000000.tar")
    if kind == "pipe":
        with pytest.raises(StorageError, match=r"train/000000\.tar: it is a pipe, not a folder; remove it"):
            storage.write("train/000000.tar/x", b"")


def test_folders_within_folders_are_listed_and_removed_at_any_depth(storage: LocalStorage) -> None:
    handle = os.open(storage.path.parent, os.O_RDONLY)
    folders = [handle]
    for name in ["set", ".work", *["d"] * 1200]:
        os.mkdir(name, dir_fd=handle)
        handle = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(folders.pop())
        folders.append(handle)
    os.close(handle)
    try:
        assert storage.files(deep=True) == {}
        storage.remove_folder(".work")  # as far as that is possible
        storage.write("still/usable", b"")
    finally:  # what is left is too deep for pytest to remove
        subprocess.run(["rm", "-rf", storage.path / ".work"], check=True)


def test_a_target_that_the_user_named_may_lie_behind_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    write_bytes(tmp_path / "link" / "report.html", b"report")
    with atomic_file(tmp_path / "link" / "new" / "report.html") as file:
        file.write(b"report")
    with atomic_folder(tmp_path / "link" / "export") as folder:
        (folder / "x").write_bytes(b"")
    assert {path.name for path in (tmp_path / "real").iterdir()} == {"report.html", "new", "export"}


def test_an_unfinished_download_is_not_continued_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "x.jpg.part").symlink_to(tmp_path / "mine")
    with pytest.raises(UsageError, match=r"x\.jpg\.part is a link"), partial_file(tmp_path / "x.jpg"):
        pytest.fail("the block must not run")
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_no_room_that_writes_below_datasets_has_another_door() -> None:
    """Writing goes through a storage: what would follow links is not even imported, nor called."""
    package = Path(matting_data.__file__).parent
    files = [path for room in ROOMS for path in sorted((package / room).rglob("*.py"))]
    assert len(files) > 50
    found = set()
    for path in files:
        name = path.relative_to(package).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in ("matting_data.storage.atomic", *MODULES):
                found |= {(name, alias.name) for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {(name, alias.name) for alias in node.names if alias.name in MODULES}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                found.add((name, node.func.attr))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
                modes = [argument.value for argument in node.args[1:2] if isinstance(argument, ast.Constant)]
                found |= {(name, "open") for mode in modes if set("wax+") & set(str(mode))}
    assert {entry for entry in found if entry[1] not in HARMLESS} == NAMED_BY_USERS
