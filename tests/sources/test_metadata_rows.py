"""The metadata CSV of a source, and which image each of its rows is about."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matting_data.errors import UsageError
from matting_data.sources.metadata_rows import MetadataRow, MetadataTable, read_metadata
from tests.support.synthetic import write

TABLE = Path("people.csv")


def sentence(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    return str(caught.value)


def rows_of(*files: str) -> list[MetadataRow]:
    return [MetadataRow(line, file, {"person": file}) for line, file in enumerate(files, start=2)]


def test_metadata_is_read_with_all_its_columns_stripped_and_the_unknown_ignored(tmp_path: Path) -> None:
    text = "\ufefffile,subset,split,person,license,author,url,height\na.png, solo ,test,ann,CC0,me,http://x,3\nd/b.png,,,,,,,\n"
    path = write(tmp_path / "people.csv", text.encode())
    assert {row.file: row.values for row in read_metadata(path)} == {
        "a.png": {
            "subset": "solo",
            "split": "test",
            "person": "ann",
            "license": "CC0",
            "author": "me",
            "url": "http://x",
        },
        "d/b.png": dict.fromkeys(("subset", "split", "person", "license", "author", "url"), ""),
    }


def test_short_rows_and_missing_columns_are_empty_values(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", b'split,file,subset\r\ntest,"a, b.png"\r\n')
    (row,) = read_metadata(path)
    assert (row.file, row.values["split"], row.values["subset"]) == ("a, b.png", "test", "")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name,split\nx,test\n", "{path} has no column 'file': add one with paths below the source's folder"),
        (b"", "{path} has no column 'file': add one with paths below the source's folder"),
        (
            b"file,person\na.png,Smith, John\n",
            "{path} line 2 has more values than columns: quote values that hold a comma",
        ),
        (b"file,split\na,test\nb,Test\n", "{path} line 3: split 'Test' is neither 'train' nor 'test'"),
    ],
)
def test_unusable_metadata_is_one_sentence(tmp_path: Path, content: bytes, expected: str) -> None:
    path = write(tmp_path / "m.csv", content)
    assert sentence(read_metadata, path) == expected.format(path=path)


def test_metadata_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing, binary = tmp_path / "none.csv", write(tmp_path / "b.csv", b"file\n\xff\xfe\n")
    for path in (missing, binary, tmp_path):
        message = sentence(read_metadata, path)
        assert message.startswith(f"cannot read the metadata {path}: ")
        assert message.endswith("; correct 'metadata' in the recipe")


def test_lines_are_those_of_the_file_and_rows_without_a_value_count_for_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", b'file,author,split\n\na.png,"two\nlines",\n,,\nb.png,,nope\n')
    assert sentence(read_metadata, path) == f"{path} line 6: split 'nope' is neither 'train' nor 'test'"
    path.write_bytes(path.read_bytes().replace(b"nope", b"test"))
    assert [(row.line, row.file) for row in read_metadata(path)] == [(4, "a.png"), (6, "b.png")]


def test_one_person_has_one_name_however_it_is_composed(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "José") for form in ("NFC", "NFD")]
    path = write(tmp_path / "m.csv", f"file,person\na.png,{names[0]}\nb.png,{names[1]}\n".encode())
    assert {row.values["person"] for row in read_metadata(path)} == {names[0]}


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("x/a.png", "x/a.png"),
        ("./x/a.png", "x/a.png"),
        ("x\\a.png", "x/a.png"),
        (".\\x\\a.png", "x/a.png"),
        ("x//a.png", "x/a.png"),
        ("a.png", "x/a.png"),
        ("./a.png", "x/a.png"),
        ("odd\\name.png", "odd\\name.png"),
        ("Jose\u0301.png", "Jos\u00e9.png"),
        ("y/Jos\u00e9 2.png", "y/Jose\u0301 2.png"),
    ],
)
def test_a_row_names_its_image(written: str, image: str) -> None:
    images = ["x/a.png", "y/b.png", "z/b.png", "odd\\name.png", "Jos\u00e9.png", "y/Jose\u0301 2.png"]
    found = MetadataTable(TABLE, rows_of(written)).match(images, "refuse")
    assert found == {image: {"person": written}}


@pytest.mark.parametrize(
    "written",
    [
        "",
        "c.png",
        "X/a.png",
        "x/a.PNG",
        "x/a.jpg",
        "people/x/a.png",
        "other/a.png",
        "/x/a.png",
        "../x/a.png",
        "b.png",
        "x",
    ],
)
def test_a_row_that_names_none_or_fits_two_is_refused_with_its_number_or_noted(written: str) -> None:
    images = ["x/a.png", "y/b.png", "z/b.png"]
    rows = rows_of("y/b.png", written, "z/b.png")
    table = MetadataTable(TABLE, rows)
    table.match(images, "refuse")
    message = sentence(table.settle)
    assert "(lines 3; " in message and f"the first is {written!r}" in message
    assert message.endswith("set 'unmatched_rows: note'")
    table = MetadataTable(TABLE, rows)
    found = table.match(images, "note")
    assert found == {"y/b.png": {"person": "y/b.png"}, "z/b.png": {"person": "z/b.png"}}
    (note,) = table.settle()
    assert "(lines 3; " in note


def test_a_table_of_several_sources_is_used_when_each_row_is_of_one_of_them() -> None:
    table = MetadataTable(TABLE, rows_of("a.png", "b.png", "c.png"))
    assert table.match(["a.png"], "note").keys() == {"a.png"}
    assert table.match(["b.png", "d.png"], "refuse").keys() == {"b.png"}
    assert "1 rows name no image (lines 4; " in sentence(table.settle)
    assert table.match(["x/c.png"], "note").keys() == {"x/c.png"}
    assert table.settle() == []


def test_a_table_without_a_row_for_a_source_is_refused_whatever_the_switch_says() -> None:
    assert sentence(MetadataTable(TABLE, rows_of("a.png")).match, ["x.png"], "note") == (
        "people.csv: 1 rows name no image (lines 2; the first is 'a.png'; did you mean 'x.png'); "
        "write paths below the source's folder"
    )


def test_the_message_counts_rows_by_what_is_wrong_with_them() -> None:
    images = ["x/a.png", "y/a.png", "y/anna.png"]
    files = ["a.png", "ana.png", *(f"{n}.png" for n in range(9))]
    table = MetadataTable(TABLE, rows_of("y/a.png", *files))
    table.match(images, "refuse")
    assert sentence(table.settle) == (
        "people.csv: 10 rows name no image (lines 4, 5, 6, 7, 8, 9, 10, 11, ...; the first is 'ana.png'; did you mean "
        "'y/anna.png') and 1 rows fit several images (lines 3; the first is 'a.png', which may be x/a.png or y/a.png); "
        "write paths below the source's folder, remove these rows, or set 'unmatched_rows: note'"
    )


@pytest.mark.parametrize("second", ["a.png", "./a.png", "x/a.png", "x\\a.png"])
def test_two_rows_about_one_image_are_refused_always(second: str) -> None:
    rows = rows_of("a.png", "b.png", second)
    for unmatched in ("refuse", "note"):
        message = sentence(MetadataTable(TABLE, rows).match, ["x/a.png", "b.png"], unmatched)
        assert message == f"people.csv line 4: {second!r} is described by line 2 too; remove one"


names = st.text(st.sampled_from("abé/.\\ e\u0301"), min_size=1, max_size=8)


@given(st.lists(names, unique=True, max_size=6), st.lists(names, max_size=6))
def test_no_row_is_lost(images: list[str], files: list[str]) -> None:
    rows = rows_of(*files)
    table = MetadataTable(TABLE, rows)
    try:
        found = table.match(images, "refuse")
        assert table.settle() == []
    except UsageError as refused:
        assert "line" in str(refused)
        return
    assert sorted(values["person"] for values in found.values()) == sorted(files)
    assert found.keys() <= set(images)
