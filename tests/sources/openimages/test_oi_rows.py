"""Reading tables: headers, blocks, malformed rows by line, and every container."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import UsageError
from matting_data.sources.openimages.blocks import Layout, open_table
from matting_data.sources.openimages.recognise import MetadataFile, recognise
from matting_data.sources.openimages.usable_rows import parse
from tests.support.oi_files import BOXES, CLICKS, IMAGES, LABELS, PERSON, box_row, image_row, write

A, B, C = "0000000000000001", "000a1249af2bc5f0", "ca8b3187cf011043"


def read(path: Path, kind: str, block_bytes: int = 1 << 20) -> tuple[pl.DataFrame, list[tuple[int, str]], pl.DataFrame]:
    table = open_table(MetadataFile(path, kind, "train"), block_bytes)
    found = [parse(block, table.layout) for block in table.blocks]
    return (
        pl.concat([rows.table for rows in found]),
        [problem for rows in found for problem in rows.problems],
        pl.concat([rows.runs for rows in found]),
    )


def labels(tmp_path: Path, *lines: str, header: str = LABELS) -> Path:
    return write(tmp_path, {"train-annotations-human-imagelabels.csv": [header, *lines]}) / (
        "train-annotations-human-imagelabels.csv"
    )


def test_labels_with_both_spellings_of_confidence(tmp_path: Path) -> None:
    path = labels(tmp_path, f"{A},verification,{PERSON},1", f"{A},verification,/m/0,0.0", f"{B},machine,/m/0,0.602119")
    table, problems, runs = read(path, "verified")
    assert table["Confidence"].to_list() == [1.0, 0.0, 0.602119]
    assert problems == []
    assert runs.rows() == [(1, 2), (int(B, 16), 1)]


def test_malformed_rows_are_named_by_line(tmp_path: Path) -> None:
    path = labels(
        tmp_path,
        f"{A},verification,{PERSON},1",  # line 2
        ",,,",
        "",
        f"{A},verification,{PERSON}",
        f"{A},verification,{PERSON},1,1",
        f"{A[1:]},verification,{PERSON},1",
        f"{A},verification,Person,1",
        f"{A},verification,{PERSON},yes",
        f"{A},verification,{PERSON},1.5",
        f"{A},verification,{PERSON},",
        f"{A},verification,{PERSON},nan",
        f'"{B}","verification","{PERSON}","1"',
        f"{C.upper()},verification,{PERSON},0",
    )
    table, problems, _ = read(path, "verified")
    assert table["ImageID"].to_list() == [A, B, C]
    assert problems == [
        (3, "blank_row"), (4, "blank_row"), (5, "column_count"), (6, "column_count"), (7, "bad_image_id"),
        (8, "bad_label"), (9, "bad_confidence"), (10, "bad_confidence"), (11, "bad_confidence"),
        (12, "bad_confidence"),
    ]  # fmt: skip


def test_the_real_blank_rows(shared_data: Path) -> None:
    path = shared_data / "openimages/metadata/validation-annotations-bbox-blank-rows.csv"
    table, problems, _ = read(path, "boxes")
    assert table.height == 0
    assert problems == [(line, "blank_row") for line in range(2, 201)]


def test_the_real_boxes(shared_data: Path) -> None:
    for name, rows in (("train-annotations-bbox.csv", 13134), ("test-annotations-bbox.csv", 2784)):
        table, problems, runs = read(shared_data / "openimages/metadata" / name, "boxes", 4096)
        assert (table.height, problems, runs["rows"].sum()) == (rows, [], rows)


@pytest.mark.parametrize("name", ["A", "BOXES", "LABELS"])
def test_the_real_rows_of_every_file(shared_data: Path, tmp_path: Path, name: str) -> None:
    text = (shared_data / "openimages/metadata/ROWS.md").read_text()
    blocks = [block.split("```")[0].strip() for block in text.split("```\n")[1:]]
    header, kind, count = {
        "A": ("ImageID,Subset", "images", 3),
        "BOXES": (BOXES + CLICKS, "boxes", 3),
        "LABELS": (LABELS + "\n", "verified", 6),
    }[name]
    content = next(block for block in blocks if block.startswith(header))
    path = tmp_path / "train.csv"
    path.write_text(content + "\n")
    table, problems, _ = read(path, kind)
    assert (table.height, problems) == (count, [])
    if name == "A":
        assert table["Rotation"].fill_null("").to_list() == ["0.0", "0.0", ""]


@pytest.mark.parametrize("clicks", [False, True])
def test_boxes_of_13_and_21_columns(tmp_path: Path, clicks: bool) -> None:
    header, more = (BOXES + CLICKS, ",0.1" * 8) if clicks else (BOXES, "")
    lines = [header, box_row(A) + more, box_row(A, flags="-1,-1,-1,-1,-1") + more, box_row(B, flags="0,0,x,0,0") + more,
             box_row(B) + more + ",1", box_row(B)[:-2] + more]  # fmt: skip
    path = write(tmp_path, {"train-annotations-bbox.csv": lines}) / "train-annotations-bbox.csv"
    table, problems, _ = read(path, "boxes")
    assert table["IsDepiction"].to_list() == [0, -1]
    assert problems == [(4, "bad_flag"), (5, "column_count"), (6, "column_count")]


def test_miap_boxes_with_other_names_of_flags(tmp_path: Path) -> None:
    header = (
        "ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepictionOf,IsInsideOf,"
        "GenderPresentation,AgePresentation"
    )
    row = f"{A},{PERSON},1,0,1,0,1,0,0,0,1,0,Unknown,Unknown"
    name = "open_images_extended_miap_boxes_val.csv"
    table, problems, _ = read(write(tmp_path, {name: [header, row]}) / name, "boxes")
    assert (table["IsDepiction"].to_list(), problems) == ([1.0], [])


def test_titles_with_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    titles = ["a, b", 'the "mill"', "two\nlines", 'a\nb "c"\n\nd', "Häuser"]
    ids = [f"{number:016x}" for number in range(len(titles))]
    lines = [IMAGES, *(image_row(image, title, "") for image, title in zip(ids, titles, strict=True))]
    path = write(tmp_path, {"train-images.csv": lines}) / "train-images.csv"
    for block_bytes in (1 << 20, 300, 64):
        table, problems, _ = read(path, "images", block_bytes)
        assert table["Title"].to_list() == titles
        assert problems == []


def test_a_stray_quotation_mark_damages_its_own_row_only(tmp_path: Path) -> None:
    broken = image_row(B).replace("plain", '"plain')
    lines = [IMAGES, image_row(A), broken, image_row(C), image_row(A, rotation="left"), ",,,,,,,,,,,", "zz,train"]
    path = write(tmp_path, {"train-images.csv": lines}) / "train-images.csv"
    table, problems, _ = read(path, "images")
    assert table["ImageID"].to_list() == [A, C]
    assert problems == [(3, "column_count"), (5, "bad_rotation"), (6, "blank_row"), (7, "column_count")]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_endings_and_marks(tmp_path: Path, ending: str, bom: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(
        bom + ending.join([LABELS, f"{A},verification,{PERSON},1", f"{B},verification,{PERSON},0"]).encode()
    )
    table, problems, _ = read(path, "verified", 20)
    assert (table["Confidence"].to_list(), problems) == ([1.0, 0.0], [])


def test_a_file_without_header_is_read_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{A},verification,{PERSON},1\n")
    assert read(path, "verified")[0].height == 1
    path.write_text(image_row(A, "a, b") + "\n" + image_row(B) + "\n")
    assert read(path, "images")[0]["ImageID"].to_list() == [A, B]
    path.write_text(f"{A},{PERSON}\n")
    with pytest.raises(UsageError, match="has no header and 2 columns"):
        read(path, "verified")


def test_the_spelling_of_made_up_files_is_not_accepted(tmp_path: Path) -> None:
    path = labels(tmp_path, f"{A},verification,{PERSON},1", header=LABELS.replace("Confidence", "Condidence"))
    with pytest.raises(UsageError, match="has no column 'Confidence'; the nearest is 'Condidence'"):
        read(path, "verified")


def test_containers_give_the_same_rows(tmp_path: Path) -> None:
    lines = [f"{A},verification,{PERSON},1.0", ",,,", f"{B},crowdsource-verification,/m/0,0.0", f"{C},x,{PERSON},2"]
    path = labels(tmp_path, *lines)
    packed = tmp_path / "y.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()[:40]) + gzip.compress(path.read_bytes()[40:]))
    columnar = tmp_path / "y.parquet"
    pl.read_csv(path, schema_overrides={"Confidence": pl.Float32}).write_parquet(columnar)
    table, problems, runs = read(path, "verified")
    assert problems == [(3, "blank_row"), (5, "bad_confidence")]
    for other, shift in ((packed, 0), (columnar, -1)):  # a row of a Parquet file is one less than its line in CSV
        rows, found, other_runs = read(other, "verified")
        assert rows.select(table.columns).equals(table)
        assert found == [(line + shift, problem) for line, problem in problems]
        assert other_runs.equals(runs)


@pytest.mark.parametrize("keep", [0, 5, 60, -5])
def test_damaged_containers_are_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "x.csv.gz"
    data = gzip.compress("\n".join([LABELS, *(f"{n:016x},verification,/m/{n},1" for n in range(999))]).encode())
    path.write_bytes(data[:keep])
    with pytest.raises(UsageError, match=r"cut short or damaged|is empty"):
        read(path, "verified")
    columnar = tmp_path / "x.parquet"
    columnar.write_bytes(b"PAR1" + data[:keep])
    with pytest.raises(UsageError, match="no readable Parquet"):
        read(columnar, "verified")


def test_empty_and_unreadable_files(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="is empty"):
        read(path, "machine")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    with pytest.raises(UsageError, match="has no column 'ImageID'"):
        read(path, "machine")


good = st.builds(
    lambda n, c: f"{n:016x},verification,/m/{n % 7},{c}", st.integers(0, 40), st.sampled_from(["0", "1.0", "0.5"])
)
bad = st.sampled_from(
    [",,,", "", "x", "a,b,c,d,e", f"{A},v,/m/1,", f"{A},v,nope,1", f"{A},v,/m/1,7", f"{A},v,/m/\udce9,x"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(good | bad, min_size=1, max_size=60), st.integers(1, 400))
def test_every_row_is_used_or_named_for_any_size_of_block(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "x.csv"
    path.write_bytes(("\n".join([LABELS, *lines]) + "\n").encode("utf-8", "surrogateescape"))
    table, problems, runs = read(path, "verified", size)
    assert table.height + len(problems) == len(lines)
    assert [line for line, _ in problems] == sorted({line for line, _ in problems})
    kept = [line for number, line in enumerate(lines, 2) if number not in dict(problems)]
    assert table["ImageID"].to_list() == [line.split(",")[0] for line in kept]
    assert runs["rows"].sum() == len(kept)


def test_where_rows_start() -> None:
    plain, quoted = Layout("machine", ("ImageID",)), Layout("images", ("ImageID",))
    data = f'{A},"two\nlines"\n{B},x\ntail'.encode()
    assert plain.cut_before(data, len(data)) == data.index(b"tail")
    assert quoted.cut_before(data, len(data)) == data.index(B.encode())
    assert quoted.cut_before(data, 28) == 0


def test_fixture_names_are_recognised(tmp_path: Path) -> None:
    path = labels(tmp_path, f"{A},verification,{PERSON},1")
    assert recognise(tmp_path).files[0].path == path
