"""Finding files, naming them, and what comes beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import RejectedInput, UsageError
from matting_data.sources.find_files import image_tree, list_images, make_id, require_distinct_ids, unique_ids
from matting_data.sources.inputs import read_input
from tests.support.synthetic import encoded, photo, write


def sentence(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    return str(caught.value)


def test_a_tree_lists_images_by_suffix_sorted_without_hidden_ones(tmp_path: Path) -> None:
    for name in (
        "b.JPG",
        "a/c.png",
        "a/b/d.webp",
        "a.b/x.tiff",
        "notes.txt",
        "noext",
        ".hidden.png",
        ".git/x.png",
        "Z.gif",
    ):
        write(tmp_path / name, b"")
    assert image_tree(tmp_path, "k") == ["Z.gif", "a.b/x.tiff", "a/b/d.webp", "a/c.png", "b.JPG"]


def test_links_to_folders_and_to_files_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "real" / "deep" / "x.png", b"")
    write(tmp_path / "elsewhere" / "y.png", b"")
    (tmp_path / "real" / "deep" / "on").symlink_to(tmp_path / "elsewhere")
    root = tmp_path / "root"
    root.mkdir()
    (root / "train").symlink_to(tmp_path / "real")
    (root / "again").symlink_to(tmp_path / "real")
    (root / ".hidden").symlink_to(tmp_path / "real")
    (root / "link.png").symlink_to(tmp_path / "real" / "deep" / "x.png")
    below = ["deep/on/y.png", "deep/x.png"]
    assert image_tree(root, "k") == [
        *(f"again/{name}" for name in below),
        "link.png",
        *(f"train/{name}" for name in below),
    ]
    (tmp_path / "root link").symlink_to(root)
    assert image_tree(tmp_path / "root link", "k") == image_tree(root, "k")


@pytest.mark.parametrize("links", [{"a/up": ".."}, {"a/self": "../a"}, {"a/b": "../c", "c/d": "../a"}, {"a/root": "/"}])
def test_links_in_circles_are_refused(tmp_path: Path, links: dict[str, str]) -> None:
    root = tmp_path / "root"
    for folder in ("a", "c"):
        write(root / folder / "x.png", b"")
    for link, target in links.items():
        (root / link).symlink_to(root if target == "/" else target)
    message = sentence(image_tree, root, "k")
    assert message.startswith(f"k: the link {root}/") and message.endswith(", which holds it: remove the link")


def test_images_without_their_suffix_and_links_to_nowhere_are_counted_and_named(tmp_path: Path) -> None:
    picture = photo(8, 8)
    for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"):
        write(tmp_path / "plain" / form.lower(), encoded(picture, form))
    write(tmp_path / "a.jpg_large", encoded(picture, "JPEG"))
    write(tmp_path / "phone.HEICX", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    write(tmp_path / "used.png", encoded(picture, "PNG"))
    write(tmp_path / ".DS_Store", encoded(picture, "PNG"))
    texts = {"BMW.txt": b"BMW is a make of cars", "P5.txt": b"P5 notes", "empty": b"", "x.json": b"{}",
             "half": b"\x89PNG\r\n\x1a\n", "notes.md": b"MM\0* no tiff", "gif.txt": b"GIF89a"}  # fmt: skip
    for name, data in texts.items():
        write(tmp_path / name, data)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "lost").symlink_to(tmp_path / "no such folder")
    (tmp_path / "ring").symlink_to("ring")
    tree = list_images(tmp_path, "k")
    assert tree.images == ["used.png"]
    assert tree.notes("people") == [
        "people: 10 files are images by content but not by suffix and are left out, such as a.jpg_large (JPEG): "
        "give them the suffix of their format",
        "people: 2 links lead nowhere, such as lost",
    ]


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert image_tree(tmp_path, "k") == []


def test_a_missing_folder_is_named_with_its_key_and_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    wrong = tmp_path / "fotos"
    assert sentence(image_tree, wrong, "backgrounds.sources[0].root") == (
        f"backgrounds.sources[0].root: there is no folder {wrong}; did you mean 'photos'?"
    )
    lost = tmp_path / "no" / "such" / "place"
    assert sentence(image_tree, lost, "k") == f"k: there is no folder {lost}; correct the path in the recipe"


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.png", b"")
    assert (
        sentence(image_tree, path, "k") == f"k: {path} is a file, not a folder; name the folder that holds the images"
    )


def test_a_name_that_no_table_can_hold_is_named(tmp_path: Path) -> None:
    try:
        write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")), b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert (
        sentence(image_tree, tmp_path, "k") == f"k: the name 'caf\\udce9.png' below {tmp_path} is not UTF-8: rename it"
    )


def test_plain_paths_are_their_ids() -> None:
    assert make_id("people", "anna_01.png") == "people-anna_01"
    assert make_id("people", "anna-01.JPEG") == "people-anna-01"


def test_what_a_slug_would_merge_a_hash_keeps_apart() -> None:
    ids = [make_id("s", path) for path in ("a/b.png", "a-b.png", "a b.png", "a.b.png", "ä-b.png")]
    assert len(set(ids)) == 5
    assert ids[1] == "s-a-b"
    assert all(name.startswith("s-a-b-") for name in (ids[0], ids[2], ids[3]))


paths = st.lists(
    st.text(st.sampled_from("abAB/. -_éж人"), min_size=1, max_size=120)
    .map(lambda text: "/".join(part.strip(". ") or "x" for part in text.split("/")))
    .flatmap(lambda stem: st.sampled_from([".jpg", ".png", ".JPG", ".jpeg", "-jpg.png", "-png.jpg"]).map(stem.__add__)),
    unique=True,
    max_size=12,
)


@given(st.text(st.sampled_from("abcXYZ019_-"), min_size=1, max_size=120), paths)
@settings(max_examples=300)
def test_ids_are_distinct_short_and_made_of_plain_characters(source: str, found: list[str]) -> None:
    ids = unique_ids(source, found)
    assert len({name.lower() for name in ids}) == len(found) == len(ids)
    for name in ids:
        assert name.isascii()
        assert all(c.isalnum() or c in "-_" for c in name)
        assert len(f"{name}-999.trimap.png") <= 100
    assert unique_ids(source, found) == ids


def test_files_that_differ_in_their_suffix_only_carry_it_in_their_id() -> None:
    assert unique_ids("s", ["a.jpg", "a.png", "b.png"]) == ["s-a-jpg", "s-a-png", "s-b"]


def test_files_that_differ_in_case_only_get_ids_that_differ_in_more() -> None:
    for paths in (
        ["a.png", "A.png"],
        ["x/a.png", "X/a.png"],
        ["a.png", "a.PNG", "A.png"],
        ["a.jpg", "A.png", "a-jpg.png"],
    ):
        ids = unique_ids("s", paths)
        assert len({name.lower() for name in ids}) == len(paths)
    assert unique_ids("s", ["a.jpg", "A.png", "b.png"]) == ["s-a-jpg", "s-A-png", "s-b"]


def test_a_suffix_that_joins_an_id_does_not_meet_another_file() -> None:
    ids = unique_ids("s", ["a.jpg", "a.png", "a-jpg.png"])
    assert len(set(ids)) == 3
    assert ids[1] == "s-a-png"


def test_long_source_names_stay_apart() -> None:
    one, other = (make_id("x" * 60 + end, "a.png") for end in ("1", "2"))
    assert one != other
    assert len(one) == len(other) == 42


def test_an_id_of_two_sources_is_refused_with_the_remedy() -> None:
    require_distinct_ids([("a", "a-b"), ("a", "a-c"), ("b", "b-b")])
    pairs = [("a", make_id("a", "b-c.png")), ("a-b", make_id("a-b", "c.png"))]
    assert sentence(require_distinct_ids, pairs) == (
        "two inputs, of the sources 'a' and 'a-b', would both be 'a-b-c': "
        "give one source another 'name' in the recipe, or rename a file"
    )


def test_ids_of_two_sources_that_differ_by_case_only_are_refused() -> None:
    assert sentence(require_distinct_ids, [("people", "people-a"), ("People", "People-a")]) == (
        "two inputs, of the sources 'people' and 'People', would both be 'people-a' or 'People-a', which some file "
        "systems do not tell apart: give one source another 'name' in the recipe, or rename a file"
    )


def test_an_input_that_cannot_be_opened_is_a_rejection(tmp_path: Path) -> None:
    assert read_input(write(tmp_path / "x", b"abc")) == b"abc"
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(RejectedInput) as caught:
            read_input(path)
        assert caught.value.reason == "unreadable"
        assert caught.value.detail
