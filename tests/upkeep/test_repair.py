"""Repairing a dataset: the same bytes again, or the reason why not, and nothing else touched."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from matting_data.building.build import build
from matting_data.building.materialize import materialize
from matting_data.building.scan_and_plan import scan_and_plan
from matting_data.errors import DamageError, UsageError
from matting_data.planning.plan import Plan
from matting_data.rendering.failures import TooManyFailures
from matting_data.upkeep import repair as module
from matting_data.upkeep.repair import repair
from matting_data.upkeep.verify import verify
from tests.support.projects import Project
from tests.support.vanishing import after_the_scan


def files(out: Path) -> dict[str, bytes]:
    found = (path for path in out.rglob("*") if path.is_file() and ".work" not in path.parts)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def tiny(root: Path, kind: str) -> Project:
    project = Project(root, people=3, photos=4)
    project.recipe["foregrounds"]["split"] = {"test": 1}
    project.recipe["composites"]["per_foreground"] = 2
    project.recipe["store"] = {"samples_per_shard": 2, "kind": kind}
    return project


@pytest.fixture(params=["composites", "layers"])
def sound(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    project = tiny(tmp_path / "project", request.param)
    project.build()
    return project


def flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def damaged(out: Path) -> bool:
    try:
        return bool(verify(out, False, 0, None, 1).problems)
    except DamageError:
        return True


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["composites", "layers", "appended"])
def test_every_flipped_byte_is_found_and_restored(tmp_path: Path, kind: str) -> None:
    sound = tiny(tmp_path / "project", "layers" if kind == "layers" else "composites")
    sound.build()
    if kind == "appended":
        sound.add_person(9)
        build(sound.load(), sound.out, 1, append=True)
    before = files(sound.out)
    rng, names = random.Random(1), sorted(before)
    sizes = [len(before[name]) for name in names]
    for trial in range(250):
        # every file in turn, then wherever a bit may fall
        name = names[trial] if trial < len(names) else rng.choices(names, sizes)[0]
        place, bit = rng.randrange(len(before[name])), rng.randrange(8)
        flip(sound.out / name, place, bit)
        assert damaged(sound.out), f"{name} at {place}"
        done = repair(sound.out, None, 1)
        assert (done.repaired, done.problems) == ([name], []), f"{name} at {place}"
        assert (sound.out / name).read_bytes() == before[name]
    assert files(sound.out) == before
    assert verify(sound.out, True, 6, None, 1).problems == []


def test_a_sound_dataset_is_not_touched(sound: Project) -> None:
    moments = {path: path.stat().st_mtime_ns for path in sound.out.rglob("*") if ".work" not in path.parts}
    done = repair(sound.out, None, 1)
    assert (done.repaired, done.problems) == ([], [])
    assert {path: path.stat().st_mtime_ns for path in moments} == moments


@pytest.mark.parametrize("index", [True, False])
def test_missing_files_come_back_and_only_they_are_written(sound: Project, index: bool) -> None:
    before = files(sound.out)
    lost = ["train/000001.tar", "train/000001.parquet", "test/000000.tar", "ledger/composites.parquet"]
    lost += ["recipe.yaml", "croissant.json", "README.md", "ATTRIBUTION.csv"]
    lost += [name for name in before if name.startswith("backgrounds/000001")]
    lost += [] if index else ["dataset.json"]
    moments = {name: (sound.out / name).stat().st_mtime_ns for name in before if name not in lost}
    for name in lost:
        (sound.out / name).unlink()
    done = repair(sound.out, None, 1)
    assert sorted(done.repaired) == sorted(lost) and done.problems == []
    assert files(sound.out) == before
    assert {name: (sound.out / name).stat().st_mtime_ns for name in moments} == moments


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The datasets whose inputs were looked at."""
    seen: list[Path] = []
    real = scan_and_plan

    def noting(recipe, sources, out, *others):
        seen.append(Path(out.name))
        return real(recipe, sources, out, *others)

    monkeypatch.setattr(module, "scan_and_plan", noting)
    return iter([seen])


def test_inputs_are_looked_at_again_for_a_damaged_plan_only(sound: Project, scans: Iterator[list[Path]]) -> None:
    before, seen = files(sound.out), next(scans)
    for name in ("train/000000.tar", "dataset.json", "recipe.yaml"):
        flip(sound.out / name, 40)
    assert repair(sound.out, None, 1).problems == [] and seen == []
    for name in ("plan.parquet", "foregrounds.parquet", "backgrounds.parquet"):
        (sound.out / name).unlink()
    assert repair(sound.out, None, 1).problems == [] and seen == [sound.out]
    for name in ("plan.parquet", "dataset.json", "test/000000.parquet"):
        (sound.out / name).unlink()
    assert repair(sound.out, None, 1).problems == []
    assert files(sound.out) == before


def test_what_has_lost_its_sources_is_named_and_left_as_it_is(sound: Project) -> None:
    shutil.rmtree(sound.root / "people")
    flip(sound.out / "train/000000.tar", 600)
    flip(sound.out / "ledger/foregrounds.parquet", 30)
    before = files(sound.out)
    done = repair(sound.out, None, 1)
    assert {problem.file for problem in done.problems} >= {"train/000000.tar"}
    assert "cannot be restored" in done.problems[0].what
    assert (sound.out / "train/000000.tar").read_bytes() == before["train/000000.tar"]
    assert damaged(sound.out)


def test_changed_sources_restore_nothing(sound: Project) -> None:
    sound.add_person(0).write_bytes((sound.root / "people/p01.png").read_bytes())
    before = files(sound.out)
    for name in ("train/000000.tar", "train/000001.tar", "test/000000.tar"):
        flip(sound.out / name, 700)
    done = repair(sound.out, None, 1)
    own = [problem for problem in done.problems if "changed" in problem.what]
    assert len(own) == 1 and len(done.repaired) == 2
    assert sum((sound.out / name).read_bytes() != before[name] for name in before) == 1


def test_a_damaged_plan_without_its_inputs_is_said(sound: Project) -> None:
    shutil.rmtree(sound.root / "photos")
    flip(sound.out / "backgrounds.parquet", 99)
    done = repair(sound.out, None, 1)
    assert done.repaired == []
    assert [problem.file for problem in done.problems] == ["backgrounds.parquet"]
    assert "cannot be made again from the inputs" in done.problems[0].what


def test_a_plan_of_other_inputs_replaces_nothing(sound: Project) -> None:
    flip(sound.out / "plan.parquet", 99)
    flip(sound.out / "dataset.json", 99)
    sound.add_person(9)
    before = files(sound.out)
    assert repair(sound.out, None, 1).problems
    assert files(sound.out) == before


def test_other_versions_of_the_tools_are_named(sound: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from matting_data.rendering import background_shards, sample_shards
    from matting_data.upkeep import repair_shards
    from matting_data.version import tool_versions

    newer = {**tool_versions(), "numpy": "99.0"}
    for place in (background_shards, repair_shards, sample_shards):
        monkeypatch.setattr(place, "tool_versions", lambda: newer)
    flip(sound.out / "train/000000.parquet", 2000)
    done = repair(sound.out, None, 1)
    assert [problem.file for problem in done.problems] == ["train/000000.parquet"]
    assert "other versions made it (numpy" in done.problems[0].what


def test_a_shard_with_failures_keeps_them(tmp_path: Path) -> None:
    project = tiny(tmp_path / "project", "composites")
    project.build(out=tmp_path / "first")
    project.out.mkdir()
    (tmp_path / "first" / ".work").rename(project.out / ".work")
    from tests.support.vanishing import vanish_after_the_scan

    vanish_after_the_scan(project, project.root / "photos" / "b01.jpg", tmp_path / "away")
    assert project.build().failed
    before = files(project.out)
    for name in [name for name in before if name.endswith((".tar", ".json"))]:
        flip(project.out / name, 5)
    assert repair(project.out, None, 1).problems
    (project.out / "dataset.json").write_bytes(before["dataset.json"])
    assert repair(project.out, None, 1).problems == []
    assert files(project.out) == before


@pytest.mark.parametrize("kind", ["composites", "layers"])
def test_a_build_without_a_sample_is_not_finished_by_a_repair(tmp_path: Path, kind: str) -> None:
    project = tiny(tmp_path / "project", kind)

    def lose_all(plan: Plan) -> None:
        for path in (project.root / "photos").iterdir():
            path.write_bytes(b"gone")

    with pytest.MonkeyPatch.context() as patched:
        after_the_scan(patched, lose_all)
        with pytest.raises(TooManyFailures, match="none of the 6 composites"):
            project.build()
    done = repair(project.out, None, 1)
    assert [(problem.file, "no composite could be made" in problem.what) for problem in done.problems] == [
        ("dataset.json", True)
    ]
    assert done.repaired == [] and not (project.out / "dataset.json").exists()


def test_a_materialized_store_is_repaired_from_the_sources(tmp_path: Path) -> None:
    project = tiny(tmp_path / "project", "layers")
    project.build()
    out = tmp_path / "composites"
    materialize(project.out, out, 1)
    before = files(out)
    for name in ("train/000000.tar", "dataset.json", "recipe.yaml"):
        (out / name).unlink()
    assert repair(out, None, 1).problems == []
    assert files(out) == before


def test_a_stray_file_is_named_and_left(sound: Project) -> None:
    (sound.out / "notes.txt").write_text("mine")
    done = repair(sound.out, None, 1)
    assert [(problem.file, problem.what) for problem in done.problems] == [("notes.txt", "is not part of the dataset")]
    assert (sound.out / "notes.txt").read_text() == "mine"


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="holds no dataset"):
        repair(tmp_path, None, 1)
    with pytest.raises(UsageError, match="holds no dataset"):
        repair(tmp_path / "nowhere", None, 1)


def test_a_copy_without_its_work_folder_is_repaired_from_a_given_base(sound: Project) -> None:
    before = files(sound.out)
    shutil.rmtree(sound.out / ".work")
    for name in ("dataset.json", "train/000000.tar"):
        flip(sound.out / name, 3)
    assert sorted(repair(sound.out, sound.root, 1).repaired) == ["dataset.json", "train/000000.tar"]
    assert files(sound.out) == before
