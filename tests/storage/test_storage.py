"""One interface for folders, memory and an S3 server: what holds of one holds of all."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from matting_data.errors import DamageError, MissingExtraError, StorageError, UsageError
from matting_data.storage import LocalStorage, MissingFileError, Storage, open_storage
from tests.support.buckets import Bucket

CONTENT = bytes(range(256)) * 40


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "folder":
        yield open_storage(tmp_path / "set")
    elif request.param == "file":
        yield open_storage(f"file://{tmp_path}/set")
    elif request.param == "s3":
        bucket: Bucket = request.getfixturevalue("bucket")
        yield open_storage(bucket.url("deep/set/"))
    else:
        yield open_storage("memory://bucket/set")
        if fsspec.filesystem("memory").exists("/bucket"):
            fsspec.filesystem("memory").rm("/bucket", recursive=True)


def test_what_is_written_is_read_whole_or_in_parts(storage: Storage) -> None:
    assert storage.write("train/a.bin", CONTENT) == hashlib.sha256(CONTENT).hexdigest() == storage.sha256("train/a.bin")
    assert storage.read("train/a.bin") == CONTENT
    assert storage.read("train/a.bin", 7, 300) == CONTENT[7:307]
    assert storage.read("train/a.bin", 7, 0) == b""
    assert storage.info("train/a.bin").size == len(CONTENT)
    with storage.fetched("train/a.bin") as path:
        assert path.read_bytes() == CONTENT
    storage.write("train/a.bin", b"")
    assert storage.read("train/a.bin") == b"" and storage.sha256("train/a.bin") == hashlib.sha256().hexdigest()
    assert open_storage(storage) is storage


def test_it_travels_to_other_processes_unless_it_is_the_memory_of_this_one(storage: Storage) -> None:
    storage.write("a", CONTENT)
    if storage.name.startswith("memory://"):
        with pytest.raises(UsageError, match="lies in the memory of one process: use one worker, or name a folder"):
            pickle.dumps(storage)
    else:
        assert pickle.loads(pickle.dumps(storage)).read("a") == CONTENT


def test_what_is_not_there_is_said_to_be_missing_and_what_is_short_to_be_short(storage: Storage) -> None:
    storage.write("train/a.bin", CONTENT)
    assert storage.exists("train/a.bin") and not storage.exists("train/b.bin") and not storage.exists("b")
    for action in (storage.read, storage.info, storage.sha256):
        with pytest.raises(MissingFileError, match=r"set/train/b\.bin is missing: "):
            action("train/b.bin")
    with pytest.raises(MissingFileError), storage.fetched("train/b.bin"):
        pass
    with pytest.raises(DamageError, match=r"set/train/a\.bin is shorter than"):
        storage.read("train/a.bin", len(CONTENT) - 2, 3)


def test_files_are_listed_by_folder_or_all(storage: Storage) -> None:
    assert storage.files() == {} and storage.files("train", deep=True) == {} and storage.names() == set()
    for name in ("b.txt", "a.txt", "train/2", "train/1", "train/deep/3", "training/4"):
        storage.write(name, name.encode())
    assert list(storage.files()) == ["a.txt", "b.txt"]
    assert list(storage.files("train")) == ["train/1", "train/2"]
    assert list(storage.files("train", deep=True)) == ["train/1", "train/2", "train/deep/3"]
    assert len(storage.files(deep=True)) == 6
    assert storage.names() == {"a.txt", "b.txt", "train", "training"}
    assert storage.files("train")["train/1"].size == 7
    assert list(storage.below("train").files(deep=True)) == ["1", "2", "deep/3"]
    assert storage.below("train").read("deep/3") == b"train/deep/3"


def test_a_file_appears_when_it_is_complete_or_not_at_all(storage: Storage) -> None:
    storage.write("kept", b"before")
    with pytest.raises(ZeroDivisionError), storage.writing("kept") as file:
        file.write(b"after")
        _ = 1 / 0
    assert storage.read("kept") == b"before" and list(storage.files(deep=True)) == ["kept"]
    with storage.writing("kept") as file:
        file.write(b"af")
        file.write(b"ter")
        assert storage.read("kept") == b"before"
    assert storage.read("kept") == b"after"
    assert (file.bytes_written, file.sha256) == (5, hashlib.sha256(b"after").hexdigest())


def test_files_are_created_once_moved_and_removed(storage: Storage) -> None:
    assert storage.create("lock", b"mine") and not storage.create("lock", b"yours")
    assert storage.read("lock") == b"mine"
    storage.write("aside/lock", b"new")
    storage.move("aside/lock", "lock")
    assert storage.read("lock") == b"new" and not storage.exists("aside/lock")
    storage.remove("lock")
    storage.remove("lock")  # is no error
    for name in ("aside/a", "aside/deep/b", "asides"):
        storage.write(name, b"?")
    storage.remove_folder("aside")
    assert list(storage.files(deep=True)) == ["asides"]


def test_places_that_are_none_are_one_sentence(bucket: Bucket) -> None:
    assert isinstance(open_storage("file:///tmp/x"), LocalStorage)
    with pytest.raises(UsageError, match=r"cannot open nosuch://x: .*name a folder or a URL"):
        open_storage("nosuch://x")
    with pytest.raises(StorageError, match=r"cannot write s3://nosuch/x/a: .*; create the bucket, or choose another"):
        open_storage("s3://nosuch/x").write("a", b"?")
    assert open_storage("s3://nosuch/x").names() == set()


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(url: str, **options: object) -> None:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec.core, "url_to_fs", absent)
    with pytest.raises(MissingExtraError, match=r"run pip install 'mattingdata\[cloud\]'"):
        open_storage("s3://bucket/x")
    with pytest.raises(UsageError, match=r"cannot open gs://bucket/x: Please install gcsfs"):
        open_storage("gs://bucket/x")


@pytest.mark.parametrize("error", [TypeError, AttributeError, NameError, AssertionError, KeyError, IndexError])
def test_a_mistake_in_code_is_passed_on_at_once(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def fail(self: object, path: str, *arguments: object, **options: object) -> None:
        tried.append(path)
        raise error("planted")

    storage = open_storage("memory://mistaken/set")
    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "cat_file", fail)
    with pytest.raises(error, match="planted"):
        storage.read("a")
    assert len(tried) == 1


def test_a_class_of_a_file_system_is_a_sentence_whatever_it_derives_from(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoSuchKey(KeyError):
        pass

    def fail(self: object, path: str, *arguments: object, **options: object) -> None:
        raise NoSuchKey("gone")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "cat_file", fail)
    with pytest.raises(StorageError, match=r"cannot read memory://mistaken/set/a \(tried 2 times\): 'gone'"):
        Storage("memory://mistaken/set", tries=2, wait=0).read("a")
