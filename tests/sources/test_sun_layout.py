"""Paths, class lists and partitions of SUN."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from matting_data.errors import UsageError
from matting_data.sources.sun.trees import (
    SunImage,
    find_images,
    parse_path,
    read_class_names,
    read_partition,
    read_partitions,
)

NAME = "sun_aaalbzqrimafwbiv.jpg"


@pytest.mark.parametrize(
    ("path", "category"),
    [
        (f"/a/abbey/{NAME}", "/a/abbey"),
        (f"a/abbey/{NAME}", "/a/abbey"),
        (f"SUN397/c/cabin/outdoor/{NAME}", "/c/cabin/outdoor"),
        (f"/data/SUN2012/Images/c/car_interior/backseat/{NAME}", "/c/car_interior/backseat"),
        (f"o/outdoor/a/b/{NAME}", "/o/outdoor/a/b"),
        ("/b/biology_laboratory/sun_0ktvuinccdrmemdb.jpg", "/b/biology_laboratory"),
    ],
)
def test_the_category_of_a_path(path: str, category: str) -> None:
    image = parse_path(path)
    assert image is not None
    assert image.category == category
    assert image.path == f"{category[1:]}/{image.name}"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        NAME,
        f"abbey/{NAME}",
        f"a/{NAME}",
        "a/abbey/abbey.jpg",
        "a/abbey/sun_short.jpg",
        f"b/abbey/{NAME}",
        f"1/1/{NAME}",
    ],
)
def test_other_paths_are_none_of_sun(path: str) -> None:
    assert parse_path(path) is None


def test_all_real_paths_of_sun397(shared_data: Path) -> None:
    categories = read_class_names(shared_data / "sun" / "ClassName.txt")
    images = read_partition(shared_data / "sun" / "image-paths.txt")
    count = Counter(image.category for image in images)
    assert (len(images), len(set(images)), len(count)) == (108_753, 108_753, 397)
    assert set(count) == set(categories)
    assert min(count.values()) >= 100
    assert [image.path for image in images if image.undecodable] == []  # TFDS's list leaves the damaged one out


def test_the_damaged_file_is_known() -> None:
    assert SunImage("/c/church/outdoor", "sun_bhenjvsvrtumjuri.jpg").undecodable


def test_real_trees_are_found(shared_data: Path) -> None:
    found = find_images(shared_data / "backgrounds" / "SUN397").images
    assert len(found) == 142
    assert sum(parse_path(path) is None for path in found) == 7  # p/park/labelme_….jpg
    above = find_images(shared_data / "backgrounds").images
    assert [path for path in above if path.startswith("SUN397/")] == [f"SUN397/{path}" for path in found]


def test_a_folder_without_sun_is_refused(tmp_path: Path) -> None:
    (tmp_path / "SUN397").mkdir()
    with pytest.raises(UsageError, match="holds no file such as a/abbey"):
        find_images(tmp_path / "SUN397")
    with pytest.raises(UsageError, match="did you mean 'SUN397'"):
        find_images(tmp_path / "SUN379")


@pytest.mark.parametrize(
    ("text", "message"),
    [("/a/abbey\nabbey\n", "line 2: 'abbey' is not a category"), ("/a/a\n\n/a/a\n", "line 3: .* listed twice")],
)
def test_broken_class_lists(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ClassName.txt"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_class_names(path)


def test_partitions(tmp_path: Path) -> None:
    train, test = tmp_path / "Training_01.txt", tmp_path / "Testing_01.txt"
    train.write_text(f"/a/abbey/{NAME}\r\n")
    with pytest.raises(UsageError, match=r"Testing_01\.txt cannot be read"):
        read_partitions(tmp_path, 1)
    test.write_text(f"/a/attic/{NAME}\n")
    sides = read_partitions(tmp_path, 1)
    assert (sides["train"][0].category, sides["test"][0].category) == ("/a/abbey", "/a/attic")
    test.write_text(train.read_text())
    with pytest.raises(UsageError, match=f"has a/abbey/{NAME} on both sides"):
        read_partitions(tmp_path, 1)
    train.write_text("abbey.jpg\n")
    with pytest.raises(UsageError, match=r"line 1: 'abbey\.jpg' is not a path"):
        read_partition(train)
