"""Finding foregrounds in every layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pytest

from matting_data.errors import UsageError
from matting_data.recipes.recipe_file import LoadedRecipe, validate
from matting_data.sources.find_foregrounds import ForegroundInput, find_foregrounds
from matting_data.sources.opened import BUNDLED_PEOPLE, open_foregrounds, open_sources
from tests.support.synthetic import encoded, photo, save_cutouts, write


def loaded(base: Path, *sources: dict[str, Any], split: dict[str, Any] | None = None) -> LoadedRecipe:
    document = {
        "name": "r",
        "foregrounds": {"sources": list(sources), "split": split or {"test": 0}},
        "backgrounds": {"sources": [{"layout": "folder", "root": "photos"}]},
    }
    return LoadedRecipe(validate(document), base)


def found_in(recipe: LoadedRecipe) -> list[ForegroundInput]:
    return find_foregrounds(open_foregrounds(recipe), recipe.recipe.foregrounds.split.from_metadata)


def touch(root: Path, *names: str) -> None:
    for name in names:
        write(root / name, b"")


PAIRS = {"layout": "pairs", "image": "image", "alpha": "alpha", "name": "p"}


def matched(found: list[ForegroundInput]) -> list[tuple[str | None, str | None, str | None]]:
    return [(f.record.image, f.record.alpha, f.record.reason) for f in found]


def test_pairs_are_matched_by_path_whatever_their_suffix(tmp_path: Path) -> None:
    touch(tmp_path / "image", "a.jpg", "x/a.jpg", "b.PNG")
    touch(tmp_path / "alpha", "a.png", "x/a.png", "b.png")
    found = found_in(loaded(tmp_path, PAIRS))
    assert matched(found) == [("a.jpg", "a.png", None), ("b.PNG", "b.png", None), ("x/a.jpg", "x/a.png", None)]
    assert found[0].image_path == tmp_path / "image" / "a.jpg"
    assert found[0].alpha_path == tmp_path / "alpha" / "a.png"
    assert found[0].record.id == "p-a"


def test_names_in_other_folders_do_not_pair_unless_the_folders_are_numbered_alike(tmp_path: Path) -> None:
    touch(tmp_path / "clip_img", "1803/clip_01/a.jpg", "1803/clip_02/a.jpg", "1803/clip_03/a.jpg")
    touch(tmp_path / "matting", "1803/matting_01/a.png", "1803/matting_02/a.png", "1803/matting_04/a.png")
    aisegment = {"layout": "pairs", "image": "clip_img", "alpha": "matting"}
    assert matched(found_in(loaded(tmp_path, aisegment))) == [
        ("1803/clip_01/a.jpg", "1803/matting_01/a.png", None),
        ("1803/clip_02/a.jpg", "1803/matting_02/a.png", None),
        ("1803/clip_03/a.jpg", None, "no_matte"),
        (None, "1803/matting_04/a.png", "no_image"),
    ]
    touch(tmp_path / "image", "one/same.jpg", "two/same.jpg")
    touch(tmp_path / "alpha", "three/same.png")
    assert matched(found_in(loaded(tmp_path, PAIRS))) == [
        ("one/same.jpg", None, "no_matte"),
        ("two/same.jpg", None, "no_matte"),
        (None, "three/same.png", "no_image"),
    ]


def test_what_has_no_partner_is_rejected_with_the_name_that_is_missing(tmp_path: Path) -> None:
    touch(tmp_path / "image", "a.jpg", "b.jpg")
    touch(tmp_path / "alpha", "b.png", "c.png")
    found = [f.record for f in found_in(loaded(tmp_path, PAIRS))]
    assert [(r.id, r.state, r.reason, r.detail) for r in found] == [
        ("p-a", "rejected", "no_matte", "no matte is called 'a', whatever its suffix"),
        ("p-b", "ok", None, None),
        ("p-unpaired-c", "rejected", "no_image", "no image is called 'c', whatever its suffix"),
    ]


def test_a_folder_of_mattes_inside_that_of_images_or_the_other_way_round_is_not_listed_twice(tmp_path: Path) -> None:
    touch(tmp_path / "set", "a.jpg", "alpha/a.png")
    nested = {"layout": "pairs", "image": "set", "alpha": "set/alpha"}
    assert matched(found_in(loaded(tmp_path, nested))) == [("a.jpg", "a.png", None)]
    touch(tmp_path / "other", "a.png", "image/a.jpg")
    nested = {"layout": "pairs", "image": "other/image", "alpha": "other"}
    assert matched(found_in(loaded(tmp_path, nested))) == [("a.jpg", "a.png", None)]


def test_folders_of_an_object_store_are_told_apart_as_those_of_a_disk(tmp_path: Path) -> None:
    store = fsspec.filesystem("memory")
    for name in ("set/a.jpg", "set/alpha/a.png", "set/José.jpg", "set/alpha/Jose\u0301.png"):
        store.pipe_file(f"/{tmp_path.name}/{name}", b"")
    url = f"memory://{tmp_path.name}/set"
    found = found_in(loaded(tmp_path, {"layout": "pairs", "image": url, "alpha": f"{url}/alpha"}))
    assert matched(found) == [("José.jpg", "Jose\u0301.png", None), ("a.jpg", "a.png", None)]
    for alpha in (url, f"{url}/"):
        with pytest.raises(UsageError, match="name the same folder memory://"):
            found_in(loaded(tmp_path, {"layout": "pairs", "image": url, "alpha": alpha}))


def test_a_source_says_which_of_its_files_and_rows_it_did_not_use(tmp_path: Path) -> None:
    touch(tmp_path / "people", "a.png", "b.png")
    write(tmp_path / "people" / "c", encoded(photo(4, 4), "PNG"))
    write(tmp_path / "m.csv", b"file,person\na.png,ann\nc.png,carl\n")
    source = {"layout": "rgba", "root": "people", "metadata": "m.csv", "unmatched_rows": "note"}
    notes: list[str] = []
    find_foregrounds(open_foregrounds(loaded(tmp_path, source)), notes=notes)
    assert [note.partition(": ")[2][:30] for note in notes] == [
        "1 files are images by content ",
        "1 of 2 images have no row in t",
        "1 rows name no image (lines 3;",
    ]


def test_cutouts_are_a_tree_of_their_own_mattes(tmp_path: Path) -> None:
    save_cutouts(tmp_path / "people" / "x", 2)
    found = found_in(loaded(tmp_path, {"layout": "rgba", "root": "people"}))
    assert matched(found) == [("x/p0.png", None, None), ("x/p1.png", None, None)]
    assert {f.record.source for f in found} == {"people"}
    assert all(f.alpha_path is None for f in found)


def test_colours_are_estimated_for_photographs_and_trusted_in_cutouts_unless_said_otherwise(tmp_path: Path) -> None:
    touch(tmp_path / "image", "a.png")
    touch(tmp_path / "alpha", "a.png")
    expected = {"pairs": {"auto": "estimated", "estimate": "estimated", "as_is": "as_is"}}
    expected["rgba"] = {"auto": "as_is", "estimate": "estimated", "as_is": "as_is"}
    for layout, ways in expected.items():
        source = PAIRS if layout == "pairs" else {"layout": "rgba", "root": "image"}
        for way, colour in ways.items():
            found = found_in(loaded(tmp_path, {**source, "colour": way, "opaque_from": 250}))
            assert (found[0].record.colour, found[0].record.opaque_from) == (colour, 250)


def test_metadata_fills_the_record_and_the_source_fills_the_rest(tmp_path: Path) -> None:
    touch(tmp_path / "people", "x/a.png", "b.png", "c.png")
    write(
        tmp_path / "m.csv",
        b"file,subset,split,person,license,author,url\nx/a.png,solo,test,ann,CC0,me,http://x\nb.png,,train,bob,,,\n",
    )
    source = {"layout": "rgba", "root": "people", "metadata": "m.csv", "subset": "rest", "license": "MIT"}
    a, b, c = sorted(
        (f.record for f in found_in(loaded(tmp_path, source, split={"from_metadata": True}))),
        key=lambda record: str(record.image)[-5],
    )
    assert (a.subset, a.split, a.person, a.license, a.author, a.url) == ("solo", "test", "ann", "CC0", "me", "http://x")
    assert (b.subset, b.split, b.person, b.license) == ("rest", "train", "bob", "MIT")
    assert (c.subset, c.split, c.person, c.license, c.author) == ("rest", None, None, "MIT", None)


def test_metadata_may_name_files_without_their_folder(tmp_path: Path) -> None:
    touch(tmp_path / "people", "x/a.png")
    write(tmp_path / "m.csv", b"file,person\na.png,ann\n")
    found = found_in(loaded(tmp_path, {"layout": "rgba", "root": "people", "metadata": "m.csv"}))
    assert found[0].record.person == "ann"


def test_the_split_of_the_metadata_counts_only_where_the_recipe_asks_for_it(tmp_path: Path) -> None:
    touch(tmp_path / "people", "a.png")
    write(tmp_path / "m.csv", b"file,split\na.png,test\n")
    source = {"layout": "rgba", "root": "people", "metadata": "m.csv"}
    assert found_in(loaded(tmp_path, source, split={"test": 0}))[0].record.split is None


def test_sources_keep_the_order_of_the_recipe_and_files_find_their_way_back(tmp_path: Path) -> None:
    touch(tmp_path / "z", "1.png", "2.png")
    touch(tmp_path / "image", "a.jpg")
    touch(tmp_path / "alpha", "a.png")
    recipe = loaded(tmp_path, {"layout": "rgba", "root": "z"}, PAIRS)
    found = found_in(recipe)
    assert [f.record.id for f in found] == ["z-1", "z-2", "p-a"]
    files = [open_sources(recipe).foreground_files(f.record) for f in found]
    assert files == [(f.image_path, f.alpha_path) for f in found]


def test_two_sources_whose_ids_would_meet_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a", "b-c.png")
    touch(tmp_path / "a-b", "c.png")
    with pytest.raises(UsageError, match="two inputs, of the sources 'a' and 'a-b', would both be 'a-b-c'"):
        found_in(loaded(tmp_path, {"layout": "rgba", "root": "a"}, {"layout": "rgba", "root": "a-b"}))


@pytest.mark.parametrize(("missing", "key"), [("image", "image"), ("alpha", "alpha")])
def test_a_missing_folder_is_named_by_its_key(tmp_path: Path, missing: str, key: str) -> None:
    touch(tmp_path / ("alpha" if missing == "image" else "image"), "a.png")
    with pytest.raises(UsageError, match=rf"^foregrounds\.sources\[0\]\.{key}: there is no folder"):
        found_in(loaded(tmp_path, PAIRS))


def test_a_missing_folder_of_a_later_source_is_named_by_its_position(tmp_path: Path) -> None:
    touch(tmp_path / "people", "a.png")
    with pytest.raises(UsageError, match=r"^foregrounds\.sources\[1\]\.root: there is no folder"):
        found_in(loaded(tmp_path, {"layout": "rgba", "root": "people"}, {"layout": "rgba", "root": "gone"}))


def test_the_bundled_people_are_all_there_with_their_metadata(tmp_path: Path) -> None:
    if not BUNDLED_PEOPLE.is_dir():
        pytest.skip("the bundled people are not built yet")
    found = found_in(loaded(tmp_path, {"layout": "bundled"}, split={"from_metadata": True}))
    assert len(found) == 12
    assert sum(f.record.split == "test" for f in found) == 2
    assert all(f.record.license and f.record.source == "bundled" for f in found)
