"""Links inside a tar, compared with what tarfile unpacks."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from matting_data.errors import UsageError
from matting_data.sources.inputs import InputFile, read_input
from matting_data.sources.sun.archive import TarMember, find_tar_images
from matting_data.storage import LocalStorage

A, B = (f"SUN397/a/abbey/sun_{letter * 16}.jpg" for letter in "ab")


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", link: str = "", kind: bytes = tarfile.SYMTYPE) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    if link:
        info.type, info.linkname = kind, link
    tar.addfile(info, io.BytesIO(data))


def make(path: Path, links: dict[str, str], hard: bool = False, first: bool = False) -> Path:
    def add_links() -> None:
        for name, target in links.items():
            add(tar, name, link=target, kind=tarfile.LNKTYPE if hard else tarfile.SYMTYPE)

    with tarfile.open(path, "w") as tar:
        if first:
            add_links()
        add(tar, A, b"one" * 100)
        add(tar, B, b"two" * 100)
        add(tar, "SUN397/README", b"no image")
        if not first:
            add_links()
    return path


def content(path: Path, member: TarMember) -> bytes:
    return read_input(InputFile(path, member.offset, member.size))


TREES = {
    "file": {"SUN397/b/bar/x.jpg": "../../a/abbey/" + A[-24:]},
    "folder": {"SUN397/b": "a"},
    "folder above": {"train": "SUN397/a"},
    "chain": {"SUN397/x.jpg": "y.jpg", "SUN397/y.jpg": "z.jpg", "SUN397/z.jpg": "./a/../a/abbey/" + A[-24:]},
    "through a linked folder": {"SUN397/c": "a", "SUN397/d.jpg": "c/abbey/" + B[-24:]},
    "link in a linked folder": {"SUN397/a/abbey/more.jpg": B[-24:], "SUN397/z": "a"},
    "two links to one folder": {"SUN397/x": "a", "SUN397/y": "a"},
    "a linked folder in a linked folder": {"SUN397/m/n": "../a", "SUN397/o": "m"},
    "through itself and out again": {"SUN397/l": "a", "SUN397/a/m.jpg": "../l/abbey/" + A[-24:]},
}


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("name", TREES)
def test_links_lead_where_unpacking_leads(tmp_path: Path, name: str, first: bool) -> None:
    path = make(tmp_path / "sun.tar", TREES[name], first=first)
    found = {member.path: content(path, member) for member in find_tar_images(path)}
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path / "unpacked", filter="fully_trusted")
    root = tmp_path / "unpacked"
    seen = {
        str(file.relative_to(root)): file.read_bytes()
        for folder, _, files in os.walk(root, followlinks=True)
        for file in map(Path(folder).joinpath, files)
        if file.suffix == ".jpg"
    }
    assert found == seen and len(found) > 2


def test_hard_links_give_the_bytes_of_their_file(tmp_path: Path) -> None:
    path = make(tmp_path / "sun.tar", {"SUN397/a/abbey/hard.jpg": A, "./SUN397/dot.jpg": f"./{B}"}, hard=True)
    found = {member.path: member for member in find_tar_images(path, LocalStorage(tmp_path))}
    assert content(path, found["SUN397/a/abbey/hard.jpg"]) == b"one" * 100
    assert content(path, found["SUN397/dot.jpg"]) == b"two" * 100
    assert {member.path: member for member in find_tar_images(path, LocalStorage(tmp_path))} == found


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../../etc/passwd", "gone.jpg", "../../../../SUN397", "/SUN397/a/abbey", "missing/"]
)
@pytest.mark.parametrize("name", ["SUN397/a/abbey/x.jpg", "SUN397/linked"])
def test_a_link_to_what_the_tar_does_not_hold_is_listed_as_lost(tmp_path: Path, name: str, target: str) -> None:
    path = make(tmp_path / "sun.tar", {name: target})
    for _ in range(2):  # walked, and from the index
        found = {member.path: member for member in find_tar_images(path, LocalStorage(tmp_path))}
        assert found.keys() == {A, B, name}
        assert found[name].offset is None and found[name].lost_link


def test_a_link_to_what_is_no_image_is_none(tmp_path: Path) -> None:
    path = make(tmp_path / "sun.tar", {"SUN397/LICENSE": "README"})
    assert [member.path for member in find_tar_images(path)] == [A, B]


@pytest.mark.parametrize(
    "links",
    [
        {"SUN397/x.jpg": "x.jpg"},
        {"SUN397/x.jpg": "y.jpg", "SUN397/y.jpg": "x.jpg"},
        {"SUN397/a/up": ".."},
        {"SUN397/a/self": "../a"},
        {"SUN397/a/here": "."},
        {"SUN397/a/to_b": "../b", "SUN397/b/to_a": "../a"},
        {"SUN397/a/root": "../.."},
    ],
)
def test_circles_are_refused(tmp_path: Path, links: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"the link SUN397/\S+ leads in a circle, or links multiply: remove it"):
        find_tar_images(make(tmp_path / "sun.tar", links))


def test_folders_that_double_at_every_level_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matting_data.sources.sun.links._MOST", 5000)
    links = {f"d{level}/{side}": f"../d{level + 1}" for level in range(40) for side in "lr"} | {"d40/x": "../SUN397/a"}
    with pytest.raises(UsageError, match="links multiply"):
        find_tar_images(make(tmp_path / "sun.tar", links))


def test_a_name_that_comes_again_is_the_last_of_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "sun.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, A, b"one")
        add(tar, B, link=A[-24:])
        add(tar, B, b"two")
    found = {member.path: content(path, member) for member in find_tar_images(path)}
    assert found == {A: b"one", B: b"two"}
    with tarfile.open(path, "a") as tar:
        add(tar, A, link="gone.jpg")
    lost = next(member for member in find_tar_images(path) if member.path == A)
    assert lost.lost_link == "SUN397/a/abbey/gone.jpg"
