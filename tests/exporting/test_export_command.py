from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from matting_data.cli.export import _FORMATS
from matting_data.cli.main import cli

from matting_data.errors import DamageError, StorageError, UsageError
from matting_data.exporting.export import FORMATS, Options, export
from matting_data.sources.find_files import make_id
from matting_data.storage.atomic import TEMPORARY
from tests.support.projects import Project


def test_the_command_knows_every_format() -> None:
    assert tuple(FORMATS) == _FORMATS


@pytest.mark.parametrize("form", FORMATS)
def test_every_export_carries_its_terms_and_who_took_the_photographs(built: Path, tmp_path: Path, form: str) -> None:
    (built / "ATTRIBUTION.csv").write_text("id,author\na,b\n")
    result = export(built, form, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "## Licence" in text and "Do not redistribute" in text and "## This copy" in text
    assert (tmp_path / "out" / "ATTRIBUTION.csv").read_text() == "id,author\na,b\n"
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert result.files == len(files) and result.samples == 18
    assert result.bytes == sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_is_the_same_every_time(built: Path, tmp_path: Path, form: str) -> None:
    for name in ("one", "two"):
        export(built, form, tmp_path / name)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert files
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("form", FORMATS)
def test_the_estimate_is_near_what_is_written(built: Path, tmp_path: Path, form: str, monkeypatch) -> None:
    result = export(built, form, tmp_path / "out")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=result.bytes // 3))
    with pytest.raises(StorageError, match="needs about"):
        export(built, form, tmp_path / "other")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=result.bytes * 2))
    export(built, form, tmp_path / "other")


def test_the_command_reports_what_it_wrote(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", str(built), "--to", "coco", "--out", str(tmp_path / "coco"), "--split", "test"]
    cli.main([*arguments, "--json"], standalone_mode=False)
    said = json.loads(capsys.readouterr().out)
    assert (said["samples"], said["splits"], said["format"]) == (6, ["test"], "coco")
    assert said["out"] == str(tmp_path / "coco")


def test_what_is_there_is_never_overwritten(built: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="not an empty folder"):
        export(built, "coco", tmp_path / "taken")
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    export(built, "coco", tmp_path / "empty")
    assert (tmp_path / "empty" / "README.md").is_file()


def test_an_export_that_breaks_leaves_nothing(built: Path, tmp_path: Path) -> None:
    tar = built / "test" / "000000.tar"
    tar.write_bytes(tar.read_bytes()[:5000])
    with pytest.raises(DamageError):
        export(built, "coco", tmp_path / "out")
    assert list(tmp_path.glob("out*")) == []


def test_what_a_killed_export_left_is_removed_by_the_next(built: Path, tmp_path: Path) -> None:
    # number of the process, which no Linux gives as high as this one, and nine random digits
    dead, alive = (tmp_path / f"out{TEMPORARY}{process}012345678" for process in (2**22 + 1, os.getppid()))
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "half.png").write_bytes(b"half")
    export(built, "mds", tmp_path / "out")
    assert not dead.exists() and alive.exists()


def test_mistakes_are_named_with_their_remedy(built: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'coco'"):
        export(built, "cocoa", tmp_path / "out")
    with pytest.raises(UsageError, match="no split 'val': it has train and test"):
        export(built, "coco", tmp_path / "out", ["val"])
    with pytest.raises(UsageError, match="inside the dataset"):
        export(built, "coco", built / "coco")
    (built / "dataset.json").unlink()
    with pytest.raises(DamageError, match="unfinished"):
        export(built, "coco", tmp_path / "out", options=Options())
    assert list(tmp_path.glob("out*")) == []


def test_a_dataset_of_an_older_version_whose_ids_differ_by_case_only_is_refused(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(project.root / "people" / "p00.png", project.root / "people" / "P01.png")
    (project.root / "people" / "p00.png").unlink()
    places = "matting_data.sources.find_foregrounds."
    monkeypatch.setattr(places + "unique_ids", lambda source, paths: [make_id(source, path) for path in paths])
    monkeypatch.setattr(places + "require_distinct_ids", lambda inputs: None)
    project.build()
    with pytest.raises(
        UsageError, match=r"'people-P01' and 'people-p01' differ by case only, .* build the dataset again"
    ):
        export(project.out, "coco", tmp_path / "coco")
    assert not (tmp_path / "coco").exists()
