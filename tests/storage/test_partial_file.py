"""A file that grows over several runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from matting_data.errors import StorageError
from matting_data.storage.atomic import PARTIAL, TEMPORARY, partial_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_grows_and_takes_its_name_when_committed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.jpg"
    with partial_file(path) as part:
        part.write(b"abc")
        assert part.size == 3 and not path.exists()
    assert names(path.parent) == [f"x.jpg{PARTIAL}"]
    assert TEMPORARY not in PARTIAL  # remove_leftovers leaves it alone
    with partial_file(path) as part:
        assert part.size == 3
        part.write(b"de")
        part.flush()
        assert part.path.read_bytes() == b"abcde"
        part.commit()
    assert path.read_bytes() == b"abcde" and names(path.parent) == ["x.jpg"]


def test_it_survives_an_exception_and_can_start_anew_or_go(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), partial_file(path) as part:
        part.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"old" and part.path.read_bytes() == b"half"
    with partial_file(path) as part:
        part.restart()
        part.write(b"new")
        assert part.size == 3
        part.commit()
    assert path.read_bytes() == b"new"
    with partial_file(path) as part:
        part.write(b"x")
        part.discard()
    assert names(tmp_path) == ["x.jpg"]


def test_a_disk_that_refuses_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="a part of that path is a file"), partial_file(tmp_path / "file" / "x"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*folder"), partial_file(tmp_path / "folder") as part:
        part.write(b"x")
        part.commit()
