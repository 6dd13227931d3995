from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from matting_data.errors import UsageError
from matting_data.imaging import encode
from matting_data.imaging.decode import decode
from matting_data.recipes.recipe_file import load
from matting_data.upkeep.verify import verify
from tests.support.projects import Project, draw_person


def test_a_folder_with_a_recipe_of_its_own_is_not_taken_for_a_dataset(project: Project) -> None:
    recipe = project.write_recipe()
    text = recipe.read_text()
    (project.root / "people" / "notes.tmp-backup.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no mattingdata dataset"):
        project.build(out=project.root)
    assert recipe.read_text() == text
    assert (project.root / "people" / "notes.tmp-backup.txt").exists()


def test_a_foreign_work_folder_does_not_make_a_folder_ours(project: Project) -> None:
    (project.out / ".work").mkdir(parents=True)
    (project.out / "thesis.tmp-2").write_text("mine")
    with pytest.raises(UsageError, match="holds no mattingdata dataset"):
        project.build()
    assert (project.out / "thesis.tmp-2").exists()


def test_a_dataset_whose_work_folder_was_deleted_is_still_ours(project: Project) -> None:
    import shutil

    first = project.build().index
    shutil.rmtree(project.out / ".work")
    assert project.build().index == first


def test_a_composite_that_failed_is_made_when_its_input_is_back(project: Project) -> None:
    reference = project.build(out=project.root / "reference").index
    path = project.root / "photos" / "b00.jpg"
    before, status = path.read_bytes(), path.stat()
    project.out.mkdir()
    (project.root / "reference" / ".work").rename(project.out / ".work")
    path.write_bytes(before[:-40] + b"x" + before[-39:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert project.build().failed > 0
    path.write_bytes(before)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert project.build().index == reference


@pytest.mark.parametrize("name", ["train/000000.tar", "train/000000.parquet", "dataset.json", "plan.parquet"])
def test_building_again_repairs_damage(project: Project, name: str) -> None:
    first = project.build().index
    path = project.out / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert project.build().index == first
    assert verify(project.out, True, 2, None, 1).problems == []


def test_files_of_equal_stems_pair_with_their_equals(project: Project) -> None:
    names = ("a.jpg", "a.png", "b.png")
    for folder in ("image", "alpha"):
        (project.root / folder).mkdir()
    for number, name in enumerate(names):
        person = draw_person(80 + number)
        (project.root / "image" / name).write_bytes(encode.png(person[..., :3].copy()))
        (project.root / "alpha" / name).write_bytes(encode.matte_png(person[..., 3].copy()))
    (project.root / "alpha" / "c.png").write_bytes(encode.matte_png(draw_person(90)[..., 3].copy()))
    source = {"layout": "pairs", "name": "q", "image": "image", "alpha": "alpha", "colour": "as_is"}
    project.recipe["foregrounds"] = {"sources": [source], "split": {"test": 0}}
    index = project.build().index
    assert index["ledger"]["foregrounds"]["written"] == 3
    assert index["ledger"]["foregrounds"]["rejected"] == {"no_image": 1}
    assert verify(project.out, True, 9, None, 1).problems == []


def test_verifying_writes_nothing(project: Project) -> None:
    import shutil

    project.build()
    shutil.rmtree(project.out / ".work")
    before = sorted(project.out.rglob("*"))
    assert verify(project.out, True, 4, project.root, 1).recomposed == 4
    assert sorted(project.out.rglob("*")) == before


def test_a_pipe_and_postscript_are_no_photographs(project: Project) -> None:
    os.mkfifo(project.root / "photos" / "z.jpg")
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n(x) print showpage\n"
    (project.root / "photos" / "y.jpg").write_bytes(script)
    assert project.build().index["ledger"]["backgrounds"]["rejected"] == {"unreadable": 2}


def test_a_folder_named_like_a_bundled_recipe_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sample").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load(None).recipe.name == load(Path("sample")).recipe.name == "sample"


def test_every_member_of_every_shard_decodes(project: Project) -> None:
    project.build()
    for tar in project.out.glob("t*/*.tar"):
        with tarfile.open(tar) as archive:
            for member in archive:
                data = archive.extractfile(member)
                assert data is not None
                content = io.BytesIO(data.read()).getvalue()
                assert member.name.endswith(".json") or min(decode(content).size) > 0
