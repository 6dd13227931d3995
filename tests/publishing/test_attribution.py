"""ATTRIBUTION.csv and the licence policy."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matting_data.publishing.attribution import (
    AttributionRow,
    attribute,
    to_csv,
)

A, B, C = "4fa8054781a4c382", "b37f763ae67d0888", "fe600639ac5f36c1"
BY = "https://creativecommons.org/licenses/by/2.0/"
ROW = {
    "ImageID": A, "Subset": "train", "OriginalURL": "https://farm3.staticflickr.com/5310/5898076654_51085e157c_o.jpg",
    "OriginalLandingURL": "https://www.flickr.com/photos/michael-beat/5898076654", "License": BY,
    "AuthorProfileURL": "https://www.flickr.com/people/michael-beat/", "Author": "Michael Beat",
    "Title": "...die FNF-Kerze", "OriginalSize": "4405052", "Rotation": None,
}  # fmt: skip


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def row(**values: str) -> AttributionRow:
    empty = dict.fromkeys(AttributionRow.__dataclass_fields__, "")
    return AttributionRow(**{**empty, **values})


def test_each_background_used_gets_its_row() -> None:
    used = [
        AttributionRow(B, sha256="bb"),
        AttributionRow(A.upper(), sha256="aa", retrieved="2026-11-22T12:00:00Z"),
        AttributionRow(B, sha256="bb"),
    ]
    found = attribute(used, [{**ROW, "ImageID": B, "Author": "Karen"}, {**ROW, "ImageID": C}, ROW])
    assert found.missing == {}
    assert [entry.id for entry in found.rows] == [A, B]
    assert found.rows[0] == AttributionRow(
        A, "Michael Beat", "https://www.flickr.com/people/michael-beat/", "...die FNF-Kerze",
        "https://www.flickr.com/photos/michael-beat/5898076654", BY, "aa", "2026-11-22T12:00:00Z",
    )  # fmt: skip
    assert read(to_csv(found.rows))[1]["author"] == "Karen"


def test_what_is_not_known_is_reported_and_the_row_is_there_nevertheless() -> None:
    used = [AttributionRow(A, sha256="aa"), AttributionRow(B, sha256="bb"), AttributionRow(C, sha256="cc")]
    found = attribute(used, [{**ROW, "Title": ""}, {**ROW, "ImageID": B, "Author": " ", "License": None}])
    assert found.missing == {B: ("author", "license"), C: ("metadata",)}
    assert [(entry.id, entry.sha256) for entry in found.rows] == [(A, "aa"), (B, "bb"), (C, "cc")]


def test_the_file_is_always_the_same() -> None:
    rows = attribute([AttributionRow(A, sha256="aa")], [ROW]).rows
    assert to_csv(rows) == to_csv(rows)
    assert to_csv(rows).decode().splitlines()[0] == (
        "id,author,author_profile,title,landing_page,license,sha256,retrieved,background,source"
    )


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ('=HYPERLINK("http://evil","x")', '\'=HYPERLINK("http://evil","x")'),
        ("+1", "'+1"), ("-2+3", "'-2+3"), ("@SUM(A1)", "'@SUM(A1)"), ("  =1", "'  =1"), ("\t=1", "' =1"),
        ("\r\n=1", "' =1"), ("two\nlines\x00", "two lines "), ('say "hi", he', 'say "hi", he'), ("_=1", "_=1"),
        ("Łódź 写真", "Łódź 写真"), ("", ""),
    ],
)  # fmt: skip
def test_a_formula_becomes_text(title: str, written: str) -> None:
    assert read(to_csv([row(id=A, title=title)]))[0]["title"] == written


@given(st.lists(st.text(), min_size=2, max_size=4))
def test_no_title_breaks_the_table(titles: list[str]) -> None:
    data = to_csv([row(id=A, title=title, author=title) for title in titles])
    assert len(data.splitlines()) >= len(titles) + 1
    rows = read(data)
    assert len(rows) == len(titles) and all(entry["id"] == A for entry in rows)
    assert not any(entry["title"].lstrip().startswith(("=", "+", "-", "@")) for entry in rows)
