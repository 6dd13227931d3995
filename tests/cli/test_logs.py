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


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (
            ["verify", "{out}", "--recompose", "0"],
            ("verifying {out}: 3 shards", "verified 18 samples of {out}: 0 problems"),
        ),
        (["repair", "{out}"], ("repairing {out} with its index", "repaired {out}: 0 files restored, 0 cannot be")),
        (["card", "{out}"], ("wrote README.md", "of {out} anew")),
        (
            ["export", "{out}", "--to", "coco", "--out", "{new}"],
            ("exporting 18 samples of {out} as coco", "exported to {new}: "),
        ),
    ],
)
def test_other_verbs_log_what_they_begin_and_end(
    project: Project, tmp_path: Path, verb: list[str], words: tuple[str, ...]
) -> None:
    project.build()
    names = {"out": str(project.out), "new": str(tmp_path / "export")}
    told = CliRunner().invoke(cli, [*(word.format(**names) for word in verb), "-v"], standalone_mode=False)
    assert told.exception is None and not told.return_value
    for text in words:
        assert text.format(**names) in told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-v", "plan"], "-v goes after the verb: mattingdata plan -v"),
        (["-vv", "plan", "-v"], "-v goes after the verb: mattingdata plan -v"),
        (["--log-file", "x", "plan"], "--log-file goes after the verb: mattingdata plan --log-file"),
        (["foregrounds", "-v", "check"], "-v goes after the verb: mattingdata foregrounds check -v"),
        (["--verbose"], "--verbose goes after the verb: mattingdata VERB --verbose"),
        (["--bogus", "plan"], "No such option"),
    ],
)
def test_an_option_before_its_verb_is_answered_with_where_it_goes(arguments: list[str], words: str) -> None:
    refused = CliRunner().invoke(cli, arguments, prog_name="mattingdata")
    assert refused.exit_code == 2 and words in refused.stderr


def test_the_help_names_the_options_of_every_verb() -> None:
    assert "Every verb takes -v, -vv and --log-file FILE." in CliRunner().invoke(cli, ["--help"]).stdout
