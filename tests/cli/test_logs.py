"""What commands log, and where to."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from matting_data.cli.main import cli

from matting_data.running import progress
from tests.support.commands import COMMAND
from tests.support.projects import Project


def test_verbose_says_what_is_being_done_and_more_of_it_when_asked_twice(project: Project) -> None:
    arguments = ["build", str(project.write_recipe()), "--out", str(project.out), "--workers", "1"]
    quiet, some = (CliRunner().invoke(cli, [*arguments, *more], standalone_mode=False).stderr for more in ([], ["-v"]))
    assert quiet == ""
    assert "mattingdata: checking backgrounds: 12 found, 12 of them checked before\n" in some
    assert "compositing: 3 of 3 shards are there already" in some
    project.out.joinpath("train", "000000.parquet").unlink()
    more = CliRunner().invoke(cli, [*arguments, "-vv"], standalone_mode=False).stderr
    assert "train/000000: 6 rows written" in more and "train/000000" not in some


def test_a_log_file_gets_times_and_how_the_command_ended(project: Project, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    arguments = ["build", str(project.write_recipe()), "--out", str(project.out), "--workers", "1"]
    for options in ([], ["--set", "seed=x"]):
        command = [*COMMAND, *arguments, *options, "--log-file", str(log)]
        subprocess.run(command, capture_output=True, check=False)
    lines = log.read_text().splitlines()
    assert any("INFO matting_data.building" in line and "is finished: content" in line for line in lines)
    assert "ERROR matting_data.cli" in lines[-1] and "seed is 'x'" in lines[-1]
    refused = CliRunner().invoke(cli, [*arguments, "--log-file", "/nowhere/log"])
    assert "cannot write --log-file /nowhere/log" in str(refused.exception)


@pytest.mark.parametrize("verb", [["build"], ["foregrounds", "check"], ["fetch", "openimages"], ["status"], ["train"]])
def test_every_verb_takes_the_options(verb: list[str]) -> None:
    text = CliRunner().invoke(cli, [*verb, "--help"]).stdout
    assert "--verbose" in text and "--log-file" in text


def test_without_a_terminal_progress_is_a_line_of_the_log_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: lines.append(record.getMessage()))
    monkeypatch.setattr(progress, "_EVERY", 0.2)
    monkeypatch.setattr(progress.LOG, "handlers", [handler])
    monkeypatch.setattr(progress.LOG, "level", logging.INFO)
    for _ in progress.track(range(8), 8, "checking", "images"):
        time.sleep(0.1)
    assert 2 <= len(lines) <= 6
    assert lines[0].startswith("checking: ") and " of 8 images, " in lines[0] and lines[0].endswith(" left")


def test_progress_without_a_terminal_shows_without_any_option(project: Project, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import matting_data.running.progress as progress\nprogress._EVERY = 0.001\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    command = [*COMMAND, "build", str(project.write_recipe()), "--out", str(project.out), "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "mattingdata: compositing: " in done.stderr and "of 18 composites" in done.stderr
