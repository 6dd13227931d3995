"""What may be asked for: image lists, image-ids tables, and names that cannot leave the folder."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path

import polars as pl
import pytest

from matting_data.errors import UsageError
from matting_data.fetching.fetch_ledger import Fetched
from matting_data.fetching.image_requests import (
    bucket_request,
    original_images,
    original_request,
    read_image_list,
    read_image_rows,
)
from matting_data.fetching.metadata_files import metadata_files, metadata_request
from matting_data.fetching.wanted import Wanted, check_base_url

A, B, C = "f9e0434389a1d4dd", "1a007563ebc18664", "ea8bfd4e765304db"
HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,OriginalSize,OriginalMD5,"
    "Thumbnail300KURL,Rotation"
)
REAL = (  # as OpenImages publishes them
    "4fa8054781a4c382,train,https://farm3.staticflickr.com/5310/5898076654_51085e157c_o.jpg,"
    "https://www.flickr.com/photos/michael-beat/5898076654,https://creativecommons.org/licenses/by/2.0/,"
    "https://www.flickr.com/people/michael-beat/,Michael Beat,...die FNF-Kerze,4405052,KFukvivpCM5QXl5SqKe41g==,"
    "https://c1.staticflickr.com/6/5310/5898076654_00643a940c_z.jpg,0.0",
    'b37f763ae67d0888,train,https://c1.staticflickr.com/1/67/197493648_628a7cb2ee_o.jpg,'
    "https://www.flickr.com/photos/drstarbuck/197493648,https://creativecommons.org/licenses/by/2.0/,"
    'https://www.flickr.com/people/drstarbuck/,"Karen, ""K""","Three boys, on\na hill",494555,9IzEn38GRNsVpATuv7gzEA==,'
    "https://c3.staticflickr.com/1/67/197493648_628a7cb2ee_z.jpg,",
)  # fmt: skip


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_in_the_official_format(tmp_path: Path) -> None:
    text = f"\ufefftrain/{A}\r\n\n# a comment\ntest/{B.upper()}.jpg  # another\n  validation/{C}\ntrain/{A}\n"
    path = write(tmp_path / "list.txt", text)
    splits, refused = read_image_list(path)
    assert splits == {A: "train", B: "test", C: "validation"}
    assert list(splits) == [A, B, C] and refused == []
    wanted = list(bucket_request(path, "http://h/b/"))
    assert len(wanted) == 3 and wanted[1] == Wanted(B, f"{B}.jpg", f"http://h/b/test/{B}.jpg")


@pytest.mark.parametrize(
    "line",
    [
        A, f"train/{A[:-1]}", f"train/{A}0", f"training/{A}", f"train/../{A}", "train/../../etc", f"train\\{A}",
        f"train/{A}.png", f"train/{A}/x", "train/", "/", f"train /{A}", "train/ｆ9e0434389a1d4dd",
        f"train/{A} test/{B}", f"http://h/train/{A}", "x" * 5000, "train/\x00" + A[1:],
    ],
)  # fmt: skip
def test_a_malformed_line_is_reported_with_its_number(tmp_path: Path, line: str) -> None:
    splits, (problem,) = read_image_list(write(tmp_path / "list.txt", f"train/{A}\n\n{line}\ntrain/{B}\n"))
    assert list(splits) == [A, B]
    assert (problem.id, problem.reason) == ("line 3", "malformed_line")
    assert problem.detail.startswith("line 3: ") and len(problem.detail) < 200


def test_one_id_in_two_splits_is_reported(tmp_path: Path) -> None:
    splits, refused = read_image_list(write(tmp_path / "list.txt", f"train/{A}\ntest/{A}\n"))
    assert splits == {A: "train"}
    assert refused[0].detail == f"line 2: {A} is listed before as train/{A}"


def test_a_list_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the image list .* No such file"):
        read_image_list(tmp_path / "none.txt")
    with pytest.raises(UsageError, match="names no image: write one SPLIT/IMAGE_ID a line"):
        read_image_list(write(tmp_path / "list.txt", "# nothing\nwhatever\n"))
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(UsageError, match="names no image"):
        read_image_list(tmp_path / "binary")


@pytest.mark.parametrize("url", ["ftp://h/b", "file:///b", "h/b", "http://", "http://h/?q", "http://[", ""])
def test_a_base_that_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--base-url"):
        check_base_url(url, "https://h")
    assert check_base_url("https://h:81/b/", "https://h") == "https://h:81/b"


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_originals_come_from_the_image_ids_file(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "ids.csv", "\n".join([HEADER, *REAL, ""]))
    if kind == "csv.gz":
        data, path = path.read_bytes(), tmp_path / "ids.csv.gz"
        path.write_bytes(gzip.compress(data))
    elif kind == "parquet":
        frame = pl.read_csv(path)
        path = tmp_path / "ids.parquet"
        frame.write_parquet(path)
    first, second = original_images(read_image_rows(path))
    assert first == Wanted(
        "4fa8054781a4c382", "4fa8054781a4c382.jpg",
        "https://farm3.staticflickr.com/5310/5898076654_51085e157c_o.jpg",
        4405052, base64.b64decode("KFukvivpCM5QXl5SqKe41g==").hex(),
    )  # fmt: skip
    assert second.id == "b37f763ae67d0888"
    asked = ["b37f763ae67d0888", A]
    one, absent = original_images(read_image_rows(path, asked), asked)
    assert one == second and isinstance(absent, Fetched) and (absent.id, absent.reason) == (A, "no_url")


def test_rows_that_cannot_be_asked_for_are_said(tmp_path: Path) -> None:
    digest = base64.b64encode(hashlib.md5(b"").digest()).decode()
    rows = [
        f"../../../etc/x,http://h/1,5,{digest}", f"{A},,5,{digest}", f"{B},http://h/2,many,{digest}",
        f"{C},http://h/3,5,nonsense", f"{C[::-1]},http://h/4,,", f"{C[::-1]},http://h/again,,", f",http://h/5,5,{digest}",
    ]  # fmt: skip
    path = write(tmp_path / "ids.csv", "\n".join(["ImageID,OriginalURL,OriginalSize,OriginalMD5", *rows]))
    found = list(original_images(read_image_rows(path)))
    assert [(item.id, getattr(item, "reason", "")) for item in found] == [
        ("row 1", "malformed_row"), (A, "no_url"), (B, "malformed_row"), (C, "malformed_row"), (C[::-1], ""),
        ("row 7", "malformed_row"),
    ]  # fmt: skip


def test_an_image_ids_file_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path / "none.parquet", write(tmp_path / "x.parquet", "no"), tmp_path):
        with pytest.raises(UsageError, match="cannot read the image-ids file"):
            read_image_rows(path)
    with pytest.raises(UsageError, match="no column 'OriginalURL'"):
        read_image_rows(write(tmp_path / "ids.csv", "ImageID,Title\nx,y\n"))


def test_requests_count_what_they_ask_for(tmp_path: Path) -> None:
    images = write(tmp_path / "list.txt", f"train/{A}\ntrain/{B}\nbad\n")
    request = bucket_request(images)
    assert len(request) == 3 == len(list(request)) == len(list(request))
    ids = write(tmp_path / "ids.csv", "\n".join([HEADER, *REAL, ""]))
    request = original_request(ids, images)
    assert len(request) == 3 == len(list(request))
    assert len(original_request(ids)) == 2
    with pytest.raises(UsageError, match="--images"):
        bucket_request(None)
    with pytest.raises(UsageError, match="give one of them"):
        original_request(ids, images, "http://h")


def test_metadata_files_are_data_with_true_hashes() -> None:
    files = metadata_files()
    assert len({file.name for file in files}) == len(files) > 30
    for file in files:
        assert file.path.isascii() and ".." not in file.path and not file.path.startswith("/")
        assert len(file.sha256) in (0, 64) and len(file.md5) in (0, 32) and file.version in file.path
        assert file.split in ("train", "validation", "test", "all")
    known = {file.name: file for file in files}
    assert known["oidv7-train-annotations-human-imagelabels.csv"].bytes == 2_735_816_020
    assert known["image_ids_and_rotation.csv"].wanted().url == (
        "https://storage.googleapis.com/openimages/2018_04/image_ids_and_rotation.csv"
    )
    assert known["class-descriptions-boxable.csv"].wanted().bytes == 0  # a size without a hash is hearsay


def test_metadata_is_chosen_by_name_group_and_split() -> None:
    def names(*arguments: list[str]) -> list[str]:
        return [item.name for item in metadata_request(*arguments)]

    assert names(["v5/test-annotations-bbox.csv"]) == ["test-annotations-bbox.csv"] == names([], ["boxes"], ["test"])
    assert len(names([], ["labels", "boxes"])) == 6
    assert len(names([], ["classes"], ["validation"])) == 6
    assert metadata_request([], ["boxes"]).bytes == 2_258_447_590 + 25_105_048 + 77_484_237
    for arguments, message in (
        (([],), "name files, or a --group of images"),
        ((["test-annotation-bbox.csv"],), "did you mean 'test-annotations-bbox.csv'"),
        (([], ["label"]), "did you mean 'labels'"),
        (([], ["labelled_images"], ["test"]), "leave out --split"),
    ):
        with pytest.raises(UsageError, match=message):
            metadata_request(*arguments)
