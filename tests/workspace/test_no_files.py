"""Pipes, folders and endless devices in the places of a dataset's files: every verb answers, in one sentence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import matting_data
from matting_data.errors import MattingDataError
from matting_data.recipes.recipe_file import load
from matting_data.scanning.audit import read_labels
from matting_data.shards.reader import read_members
from tests.support.hall import OTHERS, Hall, run
from tests.support.projects import Project


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("train/000000.tar", "directory"),
        pytest.param("train/000000.tar", "pipe", marks=pytest.mark.slow),
        pytest.param("train/000000.parquet", "directory", marks=pytest.mark.slow),
        pytest.param("train/000000.parquet", "pipe", marks=pytest.mark.slow),
    ],
)
def test_what_lies_in_a_shards_place_is_named_and_can_be_removed(hall: Hall, name: str, kind: str) -> None:
    word = {"pipe": "pipe", "directory": "folder"}[kind]
    for commands in list(hall.verbs("finished"))[2:5]:  # builds and a repair
        shutil.rmtree(hall.out, ignore_errors=True)
        shutil.copytree(hall.root / "finished", hall.out)
        hall.put(name, kind)
        looks = [["verify", str(hall.out)], ["preview", str(hall.out)]]
        for arguments in (*looks, commands[0], commands[0]):
            code, said = run(arguments)
            assert code in (1, 2) and f"{name}" in said and f"is a {word}, not a file" in said, (arguments, said)
            assert "remove it" in said and len(said.splitlines()) < 10
        path = hall.out / name
        assert path.is_fifo() if kind == "pipe" else (path / "mine").read_bytes() == b"mine"
        path.unlink() if kind == "pipe" else shutil.rmtree(path)
        assert run(commands[0])[0] == 0 and run(["verify", str(hall.out)])[0] == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dataset.json", "pipe"),
        ("dataset.json", "endless"),
        ("recipe.yaml", "directory"),
        ("plan.parquet", "pipe"),
        ("foregrounds.parquet", "pipe"),
        (".work/base.json", "endless"),
        (".work/lock", "pipe"),
        (".work/repair", "pipe"),
    ],
)
def test_commands_answer_whatever_lies_in_a_files_place(hall: Hall, name: str, kind: str) -> None:
    for _, arguments, code, said in hall.tried([("finished", name, kind)]):
        assert code == 0 or any(line.strip() for line in said.splitlines()), arguments


@pytest.mark.slow
@pytest.mark.parametrize("part", range(40))
def test_commands_answer_whatever_lies_anywhere(hall: Hall, part: int) -> None:
    assert hall.tried(hall.combinations(OTHERS)[part::40])


def test_a_pipe_in_a_shards_place_keeps_no_reader_waiting(hall: Hall) -> None:
    shutil.rmtree(hall.out, ignore_errors=True)
    shutil.copytree(hall.root / "finished", hall.out)
    hall.put("train/000000.tar", "pipe")
    with pytest.raises(MattingDataError, match=r"train/000000\.tar is a pipe, not a file: remove it"):
        matting_data.open(hall.out)["train"]
    row = matting_data.open(hall.root / "finished")["train"].rows[0]
    with pytest.raises(MattingDataError, match=r"train/000000\.tar.*is a pipe, not a file"):
        read_members(hall.out / "train/000000.tar", row)


def test_what_a_user_names_is_not_waited_for_either(project: Project, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    project.recipe["overrides"] = str(pipe)
    for action in (project.build, lambda: load(pipe), lambda: read_labels(pipe)):
        with pytest.raises(MattingDataError, match="pipe"):
            action()
