"""Finding backgrounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from matting_data.errors import UsageError
from matting_data.recipes.recipe_file import LoadedRecipe, validate
from matting_data.sources.find_backgrounds import BUNDLED_PHOTOS, find_backgrounds
from matting_data.sources.opened import open_backgrounds, open_sources
from tests.support.synthetic import write


def loaded(base: Path, *sources: dict[str, Any]) -> LoadedRecipe:
    document = {
        "name": "r",
        "foregrounds": {"sources": [{"layout": "bundled"}]},
        "backgrounds": {"sources": list(sources)},
    }
    return LoadedRecipe(validate(document), base)


def test_a_folder_gives_every_image_of_its_tree_with_the_licence_of_its_source(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/c.gif", "notes.txt"):
        write(tmp_path / "my photos" / name, b"")
    recipe = loaded(tmp_path, {"layout": "folder", "root": "my photos", "license": "CC-BY-4.0"})
    found = find_backgrounds(open_backgrounds(recipe))
    assert [(f.record.path, f.record.source, f.record.license) for f in found] == [
        ("a/c.gif", "my-photos", "CC-BY-4.0"),
        ("b.jpg", "my-photos", "CC-BY-4.0"),
    ]
    assert found[1].record.id == "my-photos-b"
    assert [open_sources(recipe).background_file(f.record) for f in found] == [f.file for f in found]
    assert found[0].file.path == tmp_path / "my photos" / "a" / "c.gif"


def test_sources_keep_the_order_of_the_recipe_and_a_missing_one_is_named(tmp_path: Path) -> None:
    write(tmp_path / "z" / "1.jpg", b"")
    write(tmp_path / "a" / "2.jpg", b"")
    z, a = ({"layout": "folder", "root": name} for name in "za")
    assert [f.record.id for f in find_backgrounds(open_backgrounds(loaded(tmp_path, z, a)))] == ["z-1", "a-2"]
    with pytest.raises(UsageError, match=r"^backgrounds\.sources\[1\]\.root: there is no folder"):
        find_backgrounds(open_backgrounds(loaded(tmp_path, z, {"layout": "folder", "root": "gone"})))


def test_two_sources_whose_ids_would_meet_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b-c.png", b"")
    write(tmp_path / "a-b" / "c.png", b"")
    sources = [{"layout": "folder", "root": name} for name in ("a", "a-b")]
    with pytest.raises(UsageError, match="would both be 'a-b-c'"):
        find_backgrounds(open_backgrounds(loaded(tmp_path, *sources)))


def test_the_bundled_photographs_exist_with_a_licence_each(tmp_path: Path) -> None:
    recipe = loaded(tmp_path, {"layout": "bundled", "name": "photos"})
    found = find_backgrounds(open_backgrounds(recipe))
    assert {f.record.path: f.record.license for f in found} == BUNDLED_PHOTOS
    assert all(f.file.path.is_file() and open_sources(recipe).background_file(f.record) == f.file for f in found)
