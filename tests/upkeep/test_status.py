"""What is said of folders that a build began and did not get far with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import matting_data
from matting_data.errors import DamageError, UsageError
from matting_data.upkeep.status import status
from matting_data.workspace.work_folder import locked
from tests.support.commands import COMMAND, RunCommand
from tests.support.projects import Project


@pytest.fixture
def begun(project: Project) -> Path:
    """The folder of a build that ended before it had a plan."""
    with locked(project.out):
        pass
    return project.out


def test_a_build_that_was_interrupted_during_the_checks_is_begun(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", people=40, photos=60)
    process = subprocess.Popen(
        [*COMMAND, "build", str(project.write_recipe()), "--out", str(project.out), "--workers", "1"],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (project.out / ".work" / "CACHEDIR.TAG").exists():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130 and not (project.out / "plan.parquet").exists()
    found = status(project.out)
    assert (found.state, found.running) == ("begun", False)
    assert found.lines()[0].startswith(f"{project.out}: inputs were checked, perhaps not all; there is no plan yet: ")
    project.build()
    assert status(project.out).state == "complete"


@pytest.mark.parametrize("left", [["lock"], ["lock", "CACHEDIR.TAG.tmp-77"]])
def test_a_build_that_was_killed_at_once_is_begun(tmp_path: Path, left: list[str]) -> None:
    (tmp_path / ".work").mkdir()
    for name in left:
        (tmp_path / ".work" / name).touch()
    assert status(tmp_path).state == "begun"


def test_the_command_says_it_as_json_too(begun: Path, command: RunCommand) -> None:
    code, out, _ = command("status", begun, "--json")
    assert (code, json.loads(out)["state"]) == (0, "begun")
    code, out, _ = command("status", begun, "--watch")
    assert code == 0 and "there is no plan yet" in out


@pytest.mark.parametrize("verb", ["verify", "stats", "preview", "report", "card", "repair"])
def test_other_commands_call_it_unfinished(begun: Path, command: RunCommand, verb: str) -> None:
    assert command(verb, begun) == (
        1,
        "",
        f"mattingdata: the dataset in {begun} is unfinished: run 'mattingdata build' again to complete it\n",
    )
    with pytest.raises(DamageError, match="is unfinished"):
        matting_data.open(begun)


def test_a_folder_that_no_build_began_holds_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="holds no dataset: name the folder"):
            status(place)


def test_a_dataset_that_lost_its_plan_is_damaged_and_not_absent(built: Path, command: RunCommand) -> None:
    (built / "plan.parquet").unlink()
    code, _, said = command("status", built)
    assert (code, said) == (1, f"mattingdata: {built / 'plan.parquet'} is damaged: run 'mattingdata repair {built}'\n")


def test_a_check_of_no_foregrounds_at_all_is_refused_as_a_build_is(project: Project, command: RunCommand) -> None:
    shutil.rmtree(project.root / "people")
    (project.root / "people").mkdir()
    recipe = project.write_recipe()
    said = {
        verb: command(*verb.split(), recipe, "--out", project.out) for verb in ("build", "plan", "foregrounds check")
    }
    assert {code for code, *_ in said.values()} == {2}
    assert len({message for *_, message in said.values()}) == 1, said
