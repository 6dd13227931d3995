"""Images and mattes by their names."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matting_data.sources.match_files import match_files


def pairs(images: list[str], mattes: list[str]) -> list[tuple[str | None, str | None, str | None]]:
    return [(match.image, match.alpha, match.reason) for match in match_files(images, mattes)]


@pytest.mark.parametrize(
    ("images", "mattes", "expected"),
    [
        (["a.jpg"], ["a.png"], [("a.jpg", "a.png", None)]),
        (["a.jpg"], [], [("a.jpg", None, "no_matte")]),
        ([], ["a.png"], [(None, "a.png", "no_image")]),
        (["a.jpg", "a.png"], ["a.png"], [("a.jpg", None, "no_matte"), ("a.png", "a.png", None)]),
        (
            ["a.jpg"],
            ["a.png", "a.tif"],
            [
                ("a.jpg", None, "ambiguous_matte"),
                (None, "a.png", "ambiguous_image"),
                (None, "a.tif", "ambiguous_image"),
            ],
        ),
        (
            ["a.jpg", "a.bmp"],
            ["a.png"],
            [
                ("a.jpg", None, "ambiguous_matte"),
                ("a.bmp", None, "ambiguous_matte"),
                (None, "a.png", "ambiguous_image"),
            ],
        ),
        (["x/a.jpg"], ["a.png"], [("x/a.jpg", None, "no_matte"), (None, "a.png", "no_image")]),
        (["x/a.jpg"], ["y/a.png"], [("x/a.jpg", None, "no_matte"), (None, "y/a.png", "no_image")]),
        (["x1/a.jpg"], ["y1/a.png"], [("x1/a.jpg", "y1/a.png", None)]),
        (["x1/a.jpg"], ["y2/a.png"], [("x1/a.jpg", None, "no_matte"), (None, "y2/a.png", "no_image")]),
        (
            ["x1/a.jpg", "z2/b.jpg"],  # the word is not the same in all
            ["y1/a.png"],
            [("x1/a.jpg", None, "no_matte"), ("z2/b.jpg", None, "no_matte"), (None, "y1/a.png", "no_image")],
        ),
        (["A.jpg"], ["a.png"], [("A.jpg", None, "no_matte"), (None, "a.png", "no_image")]),
    ],
)
def test_what_pairs_and_why_not(
    images: list[str], mattes: list[str], expected: list[tuple[str | None, str | None, str | None]]
) -> None:
    assert pairs(images, mattes) == expected


def test_the_detail_names_what_was_found_instead() -> None:
    two, taken, none = match_files(["a.jpg", "b.jpg", "c.jpg"], ["a.png", "a.tif", "b.jpg", "b.png"])[:3]
    assert two.detail == "2 mattes have the name of a.jpg: a.png, a.tif; keep one"
    assert taken.alpha == "b.jpg"
    assert none.detail == "no matte is called 'c', whatever its suffix"
    left = match_files(["a.jpg", "a.png"], ["a.png"])[0]
    assert left.detail == "the matte a.png belongs to a.png"
    shared = match_files(["a.jpg", "a.bmp"], ["a.png"])[0]
    assert shared.detail == "the matte a.png fits 2 files: a.jpg, a.bmp; keep one"


WORDS = ["José", "Zoë", "Å", "각", "한글", "ệ", "ñandú", "Ĳ", "plain", "q\u0307\u0323"]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(("one", "other"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC"), ("NFD", "NFD")])
def test_spellings_of_one_name_pair_in_folders_too(word: str, one: str, other: str) -> None:
    image = unicodedata.normalize(one, f"{word}/{word} 1.jpg")
    matte = unicodedata.normalize(other, f"{word}/{word} 1.png")
    assert pairs([image, "b.jpg"], ["b.png", matte]) == [(image, matte, None), ("b.jpg", "b.png", None)]


def test_files_that_differ_in_normalisation_only_each_get_their_own() -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    images, mattes = [f"{composed}.jpg", f"{decomposed}.jpg"], [f"{decomposed}.png", f"{composed}.png"]
    assert pairs(images, mattes) == [(images[0], mattes[1], None), (images[1], mattes[0], None)]


folders = st.sampled_from(["", "x/", "y/", "x/y/", "0001/", "0002/", "clip_1/", "clip_2/", "m1/"])
files = st.tuples(folders, st.sampled_from(["a", "b", "é", "e\u0301"]), st.sampled_from([".jpg", ".png"])).map("".join)
trees = st.lists(files, unique=True, max_size=10)


@given(trees, trees)
def test_every_file_is_listed_once_and_never_with_one_of_another_name_or_number(
    images: list[str], mattes: list[str]
) -> None:
    found = match_files(images, mattes)
    assert [match.image for match in found if match.image] == images
    assert sorted(match.alpha for match in found if match.alpha) == sorted(mattes)
    for match in found:
        assert (match.reason is None) == (match.image is not None and match.alpha is not None)
        if match.image and match.alpha:
            one, other = (PurePosixPath(unicodedata.normalize("NFC", path)) for path in (match.image, match.alpha))
            assert one.stem == other.stem
            digits = ["".join(filter(str.isdigit, str(path.parent))) for path in (one, other)]
            assert one.parent == other.parent or (digits[0] == digits[1] != "")
