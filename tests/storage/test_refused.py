"""What the system refused, told from what a file is."""

from __future__ import annotations

import errno
import gzip
import os
import pickle
from pathlib import Path

import pytest

from matting_data.errors import RefusedError
from matting_data.storage.refused import is_file, is_folder, is_refusal, looked_up, refusals, refused
from matting_data.storage.regular_files import NotRegularError, open_regular

OF_THE_FILE = {"ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "ENAMETOOLONG", "EFBIG", "EINVAL"}


def test_every_number_but_those_that_speak_of_the_file_is_a_refusal() -> None:
    refusing = {name for number, name in errno.errorcode.items() if is_refusal(OSError(number, os.strerror(number)))}
    assert refusing == set(errno.errorcode.values()) - OF_THE_FILE
    assert {"EIO", "ESTALE", "EMFILE", "ENFILE", "ENOMEM", "EACCES", "EPERM", "ETIMEDOUT", "ENOTCONN"} <= refusing


def test_what_a_library_did_not_like_is_no_refusal_and_rust_hides_its_numbers_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(b"no gzip at all")
    with pytest.raises(OSError, match="Not a gzipped file") as caught:
        gzip.decompress((tmp_path / "x.gz").read_bytes())
    assert not is_refusal(caught.value)
    assert is_refusal(OSError("Input/output error (os error 5)"))
    assert not is_refusal(OSError("No such file or directory (os error 2)"))
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(NotRegularError) as odd:
            open_regular(path)
        assert not is_refusal(odd.value)


def test_the_sentence_names_path_cause_and_remedy_and_travels() -> None:
    error = refused(Path("in/a.png"), OSError(errno.EMFILE, "Too many open files"))
    assert str(error) == (
        "cannot read in/a.png: Too many open files; raise the limit on open files (ulimit -n) and run the same command "
        "again"
    )
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.why, again.exit_code) == (str(error), "a.png: Too many open files", 1)


def test_absence_is_no_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to("circle")
    for name in ("nothing", "file/below", "circle", "x" * 300):
        assert looked_up(tmp_path / name) is None and not is_file(tmp_path / name)
    assert is_file(tmp_path / "file") and is_folder(tmp_path) and not is_folder(tmp_path / "file")
    with pytest.raises(FileNotFoundError), refusals("x"):
        (tmp_path / "nothing").read_bytes()
    with pytest.raises(RefusedError, match=r"^cannot read x: Stale file handle; check the disk"), refusals("x"):
        raise OSError(errno.ESTALE, "Stale file handle")
