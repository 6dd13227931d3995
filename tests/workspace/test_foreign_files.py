"""What a user put beside the files that a build keeps: left alone, never believed, and in nobody's way."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from matting_data.errors import DamageError
from matting_data.records.kept_tables import keep_table, kept_table
from matting_data.records.tables import parquet_bytes
from matting_data.sources.openimages.verdicts import judge_metadata, read_report, read_verdicts
from matting_data.storage import LocalStorage
from tests.support.oi_files import IMAGES, image_row, write
from tests.support.projects import Project

TABLE = pl.DataFrame({"id": ["a", "b"], "stamp": ["1", "2"]})
COLUMNS = dict(TABLE.schema)


def foreign(folder: Path) -> dict[str, bytes | None]:
    """Fill a folder with what no build wrote; the files' content."""
    other = pl.DataFrame({"id": ["p-p00"], "stamp": ["x"], "state": ["rejected"]})
    contents = {
        "mine.parquet": parquet_bytes(other),
        "junk.parquet": b"junk",
        "000001.parquet": parquet_bytes(other),
        "000003.parquet": b"",
        "1.parquet": b"PAR1PAR1",
        "٣٣٣٣٣٣.parquet": b"digits, but not these",
        f"{10**40}.parquet": b"a large number",
        "000002.parquet.old": b"",
        "notes.txt": b"mine",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for name in ("x.parquet", "000002.parquet", "000004"):
        (folder / name).mkdir()
    (folder / "000005.parquet").symlink_to(folder / "nothing")
    (folder / "000006.parquet").symlink_to(folder)
    os.mkfifo(folder / "000007.parquet")
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def test_foreign_files_among_the_results_of_checks(project: Project) -> None:
    expected = project.build(out=project.root / "reference").index["content_sha256"]
    for name in ("backgrounds", "foregrounds"):
        (project.out / ".work" / name).mkdir(parents=True)
    (project.out / ".work" / "CACHEDIR.TAG").write_bytes(b"")
    work = project.out / ".work"
    before = {name: foreign(work / name) for name in ("backgrounds", "foregrounds")}
    assert project.build().index["content_sha256"] == expected
    for name, there in before.items():
        now = {path.name: path.read_bytes() if path.is_file() else None for path in (work / name).iterdir()}
        assert there.items() <= now.items() and set(now) - set(there) == {"000000.parquet"}
    assert project.build().index["content_sha256"] == expected  # which needs no new check
    assert {path.name for path in (work / "backgrounds").iterdir()} == {*before["backgrounds"], "000000.parquet"}
    project.add_photo(90)
    project.out.joinpath("dataset.json").unlink()
    for name in ("plan.parquet", "train", "test"):
        path = project.out / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    project.build()
    made = {path.name for path in (work / "backgrounds").iterdir()} - set(before["backgrounds"])
    assert made == {"000000.parquet", "000004.parquet"}


def test_results_of_another_recipe_or_kind_are_not_believed(project: Project) -> None:
    expected = project.build(out=project.root / "reference").index["content_sha256"]
    project.build("backgrounds.min_side=80", out=project.root / "other")
    project.build("foregrounds.min_side=90", out=project.root / "third")
    work = project.out / ".work"
    shutil.copytree(project.root / "other" / ".work", work)
    shutil.copy(work / "backgrounds" / "000000.parquet", work / "foregrounds" / "000005.parquet")
    shutil.copy(project.root / "third/.work/foregrounds/000000.parquet", work / "foregrounds" / "000006.parquet")
    assert project.build().index["content_sha256"] == expected


def test_a_kept_table_is_believed_for_what_it_was_made_of(tmp_path: Path) -> None:
    place = LocalStorage(tmp_path)
    assert kept_table(place, "t.parquet", COLUMNS) is None
    keep_table(place, "t.parquet", TABLE, "of this")
    found = kept_table(place, "t.parquet", COLUMNS, "of this")
    assert found is not None and found.equals(TABLE)
    assert kept_table(place, "t.parquet", COLUMNS, "of that") is None
    assert kept_table(place, "t.parquet", {**COLUMNS, "more": pl.Int64}, "of this") is None
    (tmp_path / "t.parquet").write_bytes(parquet_bytes(TABLE, {"made_of": "of this"}))  # as earlier versions did
    assert kept_table(place, "t.parquet", COLUMNS, "of this") is None


def test_foreign_files_among_verdicts(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    metadata = write(tmp_path / "metadata", {"image_ids_and_rotation.csv": [IMAGES, image_row(f"{1:016x}")]})
    theirs = {"verdicts-mine.parquet": b"mine", "verdicts-0000.parquet": parquet_bytes(TABLE), "notes.txt": b""}
    for name, content in theirs.items():
        (out / name).write_bytes(content)
    (out / "verdicts-folder.parquet").mkdir()
    for _ in range(2):
        judge_metadata(metadata, out)
        assert read_verdicts(out)["image_id"].to_list() == [f"{1:016x}"]
        assert all((out / name).read_bytes() == content for name, content in theirs.items())
    part = out / "verdicts-000.parquet"
    sound = part.read_bytes()
    part.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    for read in (read_report, read_verdicts):
        with pytest.raises(DamageError, match="judge the metadata again"):
            read(out)
