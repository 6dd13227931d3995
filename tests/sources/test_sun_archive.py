"""Images straight from a tar."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Literal

import pytest

from matting_data.errors import RejectedInput, UsageError
from matting_data.sources.inputs import InputFile, read_input
from matting_data.sources.sun.archive import find_tar_images
from matting_data.storage import LocalStorage

PATHS = [
    f"SUN397/{category}/sun_{letter * 16}.jpg" for category, letter in [("a/abbey", "b"), ("c/cabin/outdoor", "a")]
]


LINK = "SUN397/a/abbey/sun_" + "l" * 16 + ".jpg"


def make_tar(path: Path, members: list[tuple[str, bytes]], mode: Literal["w", "w:gz"] = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo(LINK)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return path


def read(path: Path, name: str, cache: LocalStorage | None = None) -> bytes:
    member = next(member for member in find_tar_images(path, cache, "sun.parquet") if member.path == name)
    return read_input(InputFile(path, member.offset, member.size))


def test_images_are_read_by_place(tmp_path: Path) -> None:
    members = [("SUN397/README.txt", b"x"), *((path, path.encode() * 99) for path in PATHS), (PATHS[0], b"again")]
    path = make_tar(tmp_path / "sun.tar", members)
    found = find_tar_images(path)
    assert [member.path for member in found if member.lost_link is None] == PATHS
    assert [(member.path, member.lost_link) for member in found if member.lost_link] == [(LINK, "/etc/passwd")]
    assert read(path, PATHS[1]) == PATHS[1].encode() * 99
    assert read(path, PATHS[0]) == b"again"  # the last of a name counts, as when unpacking


def test_the_index_is_kept_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, index, cache = tmp_path / "sun.tar", tmp_path / "cache" / "sun.parquet", LocalStorage(tmp_path / "cache")
    make_tar(path, [(PATHS[0], b"one")])
    assert read(path, PATHS[0], cache) == b"one"
    with monkeypatch.context() as context:
        context.setattr(tarfile, "open", lambda *_: pytest.fail("walked again"))
        assert read(path, PATHS[0], cache) == b"one"
    make_tar(path, [(PATHS[1], b"three"), (PATHS[0], b"two")])
    assert read(path, PATHS[0], cache) == b"two"
    index.write_bytes(b"damaged")
    assert read(path, PATHS[1], cache) == b"three"


def test_a_tar_cut_short_gives_what_it_has(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "sun.tar", [(PATHS[0], b"a" * 5000), (PATHS[1], b"b" * 5000)])
    path.write_bytes(path.read_bytes()[:8000])
    assert read(path, PATHS[0]) == b"a" * 5000
    with pytest.raises(RejectedInput, match=r"sun.tar ends .* bytes before the image does"):
        read(path, PATHS[1])


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sun.tar"
    with pytest.raises(UsageError, match="cannot be read"):
        find_tar_images(path)
    path.write_bytes(b"no tar at all" * 100)
    with pytest.raises(UsageError, match="is not a tar"):
        find_tar_images(path)
    make_tar(path, [(PATHS[0], b"x")], "w:gz")
    with pytest.raises(UsageError, match=r"is compressed.*decompress it first"):
        find_tar_images(path)
    make_tar(path, [("readme", b"x")])
    with pytest.raises(UsageError, match="holds no file such as"):
        find_tar_images(path)
