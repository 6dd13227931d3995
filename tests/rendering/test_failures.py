"""What a build does about failures, and what status says of them while it runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from matting_data.cli.main import cli

from matting_data.building.build import build
from matting_data.errors import DamageError
from matting_data.rendering.failures import FailurePolicy, TooManyFailures
from matting_data.upkeep.status import status, watch
from matting_data.upkeep.verify import verify
from matting_data.workspace.work_folder import locked
from tests.support.commands import COMMAND
from tests.support.projects import Project
from tests.support.vanishing import vanish_after_the_scan


@pytest.fixture(params=["composites", "layers"])
def failing(request: pytest.FixtureRequest, project: Project, tmp_path: Path) -> Project:
    """A project of which one photograph vanishes between the plan and the shards."""
    project.recipe["store"]["kind"] = request.param
    project.recipe["foregrounds"]["split"] = {"test": 0}
    vanish_after_the_scan(project, project.root / "photos" / "b03.jpg", tmp_path / "away.jpg")
    return project


def run(project: Project, **policy: bool | int) -> int:
    return build(project.load(), project.out, 1, FailurePolicy(**policy)).failed


def test_stop_leaves_what_is_finished_and_the_same_command_continues(failing: Project, tmp_path: Path) -> None:
    with pytest.raises(TooManyFailures, match=r"stopped after \d failures, the last .*unreadable.*--on-error skip"):
        run(failing, stop=True)
    assert not (failing.out / "dataset.json").exists()
    assert status(failing.out).state == "interrupted"
    shutil.move(tmp_path / "away.jpg", failing.root / "photos" / "b03.jpg")
    assert run(failing, stop=True) == 0
    assert (
        failing.build(out=tmp_path / "reference").index["content_sha256"]
        == (json.loads((failing.out / "dataset.json").read_text())["content_sha256"])
    )
    assert verify(failing.out, True, 4, None, 1).problems == []


@pytest.mark.slow
def test_stop_ends_the_workers_before_it_lets_go(failing: Project) -> None:
    with pytest.raises(TooManyFailures):
        build(failing.load("store.samples_per_shard=1"), failing.out, 2, FailurePolicy(stop=True))
    before = sorted(failing.out.rglob("*"))
    time.sleep(0.3)
    assert sorted(failing.out.rglob("*")) == before
    assert not list(failing.out.rglob("*.tmp-*"))


def test_stop_counts_up_to_max_errors(failing: Project) -> None:
    assert 0 < run(failing, stop=True, max_errors=3) <= 3
    assert (failing.out / "dataset.json").exists()


def test_failures_count_composites_not_what_failed_with_them(failing: Project) -> None:
    result = failing.build()
    assert result.failed == result.index["ledger"]["composites"]["failed"]["unreadable"]
    assert result.index["ledger"]["backgrounds"]["failed"] == {"no_composite": 1}


def test_kept_failures_are_not_tried_again(failing: Project, tmp_path: Path) -> None:
    failed = failing.build().failed
    first = (failing.out / "dataset.json").read_bytes()
    moments = {path: path.stat().st_mtime_ns for path in failing.out.rglob("*.tar")}
    shutil.copy(tmp_path / "away.jpg", tmp_path / "kept.jpg")
    shutil.copystat(tmp_path / "away.jpg", tmp_path / "kept.jpg")
    shutil.move(tmp_path / "away.jpg", failing.root / "photos" / "b03.jpg")
    assert run(failing, retry=False) == failed > 0
    assert {path: path.stat().st_mtime_ns for path in moments} == moments
    assert (failing.out / "dataset.json").read_bytes() == first
    assert run(failing) == 0


def test_status_counts_failures_by_reason(failing: Project) -> None:
    (failing.root / "people" / "bad.png").write_bytes(b"nothing")
    failed = failing.build().failed
    found = status(failing.out)
    assert found.failed == {"unreadable": failed}
    assert found.inputs["foregrounds"] == {"unreadable": 1}
    assert f"composites failed: {failed} unreadable" in found.lines()
    assert "foregrounds not usable: 1 unreadable" in found.lines()


def test_status_gives_a_rate_while_building(project: Project) -> None:
    project.build()
    with locked(project.out):
        assert status(project.out).per_second is None  # nothing committed yet by this build
        moment = time.time()
        for number, name in enumerate(["train/000000", "train/000001"]):
            os.utime(project.out / f"{name}.parquet", (moment + 1 + number, moment + 1 + number))
        (project.out / "test" / "000000.parquet").rename(project.root / "later")
        found = status(project.out)
        assert (found.state, found.shards_done, found.shards) == ("building", 2, 3)
        assert found.per_second is not None and found.seconds_left == pytest.approx(6 / found.per_second)
        assert any("composites a second, about" in line for line in found.lines())
    assert status(project.out).state == "interrupted"


def test_status_of_a_damaged_plan_says_what_to_do(built: Path) -> None:
    (built / "plan.parquet").write_bytes(b"PAR1")
    with pytest.raises(DamageError, match="mattingdata repair"):
        status(built)


def test_watching_ends_with_the_build(project: Project) -> None:
    project.build()
    seen = []
    with locked(project.out):
        states = watch(project.out, 0.01)
        seen.append(next(states).state)
    seen += [found.state for found in states]
    assert seen == ["building", "complete"]


@pytest.mark.slow
def test_a_build_is_watched_from_another_terminal(project: Project) -> None:
    project.build("store.samples_per_shard=3", out=project.root / "warm")
    recipe = project.write_recipe()
    building = subprocess.Popen([*COMMAND, "build", str(recipe), "--out", str(project.out), "--workers", "1"])
    while not (project.out / ".work" / "lock").exists():
        time.sleep(0.001)
    watching = [*COMMAND, "status", str(project.out), "--watch", "--interval", "0.1", "--json"]
    done = subprocess.run(watching, capture_output=True, text=True, timeout=60, check=False)
    assert building.wait() == 0 and done.returncode == 0, done.stderr
    states = [json.loads(line)["state"] for line in done.stdout.splitlines()]
    assert states[-1] == "complete"


def command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)


def test_the_command_line_stops_keeps_and_repairs(project: Project) -> None:
    out, recipe = str(project.out), str(project.write_recipe())
    policy = ["--on-error", "stop", "--max-errors", "2", "--keep-failed"]
    assert command("build", recipe, "--out", out, "--workers", "1", *policy).return_value == 0
    before = (project.out / "train" / "000000.tar").read_bytes()
    (project.out / "train" / "000000.tar").write_bytes(before[:-1] + b"x")
    assert command("verify", out, "--workers", "1").return_value == 1
    done = command("repair", out, "--workers", "1")
    assert done.return_value == 0
    assert done.stdout.splitlines() == ["train/000000.tar: restored", f"{out}: 1 files restored, sound"]
    assert (project.out / "train" / "000000.tar").read_bytes() == before
    shutil.rmtree(project.root / "people")
    (project.out / "train" / "000000.tar").unlink()
    done = command("repair", out, "--workers", "1", "--json")
    assert done.return_value == 1
    assert [problem["file"] for problem in json.loads(done.stdout)["problems"]] == ["train/000000.tar"]
    assert command("status", out, "--watch").stdout.startswith(f"{out}: project, complete\n")
