from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from matting_data.cli import main as verbs
from matting_data.cli.main import main
from PIL import Image

from tests.support.projects import Project


class Run:
    """What a command printed and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["mattingdata", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        self.code = ended.value.code
        self.out, self.err = capsys.readouterr()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return lambda *arguments: Run(capsys, monkeypatch, *arguments)


def test_help_answers_at_once_without_heavy_packages() -> None:
    code = (
        "import sys; sys.argv = ['mattingdata', '--help']\n"
        "from matting_data.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'polars', 'pymatting', 'onnxruntime', 'skimage', 'matplotlib', 'torch'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for verb in ("build", "plan", "verify", "status", "preview", "stats", "foregrounds"):
        assert verb in done.stdout


def test_a_build_is_verified_previewed_and_counted(run, project: Project) -> None:
    built = run("build", project.write_recipe(), "--out", project.out, "--workers", 1)
    assert built.code == 0 and "18 composites in 3 shards" in built.out and built.err == ""
    assert "foregrounds: 6 = 6 written" in built.out
    assert run("verify", project.out, "--workers", 1).out.startswith(f"{project.out}: 18 samples, sound; 16 recomposed")
    assert "complete" in run("status", project.out).out
    sheet = project.root / "sheet.png"
    assert run("preview", project.out, "--out", sheet, "--samples", 4).code == 0
    assert np.asarray(Image.open(sheet)).std() > 20
    table = run("stats", project.out, "--plot", project.root / "plot.png").out
    assert "train" in table and "18" in table
    assert Image.open(project.root / "plot.png").size == (1100, 700)


def test_results_are_json_for_machines(run, project: Project) -> None:
    recipe = project.write_recipe()
    plan = json.loads(run("plan", recipe, "--out", project.out, "--workers", 1, "--json").out)
    assert plan["composites"] == {"train": 12, "test": 6} and plan["bytes"] > 10_000
    built = json.loads(run("build", recipe, "--out", project.out, "--workers", 1, "--json").out)
    assert built["format"] == "mattingdata/2"
    assert abs(plan["bytes"] - sum(s["bytes"] for e in built["splits"].values() for s in e["shards"])) < plan["bytes"]
    assert json.loads(run("verify", project.out, "--workers", 1, "--json").out)["problems"] == []
    assert json.loads(run("status", project.out, "--json").out)["state"] == "complete"
    assert json.loads(run("stats", project.out, "--json").out)["total"]["composites"] == 18
    assert json.loads(run("foregrounds", "check", recipe, "--out", project.out, "--json").out)["usable"] == 6


def test_a_plan_writes_no_dataset(run, project: Project) -> None:
    assert run("plan", project.write_recipe(), "--out", project.out, "--workers", 1).code == 0
    assert [path.name for path in project.out.iterdir()] == [".work"]


def test_foregrounds_check_explains_each_rejected_file(run, project: Project) -> None:
    (project.root / "people" / "bad.png").write_bytes(b"?")
    result = run("foregrounds", "check", project.write_recipe(), "--out", project.out, "--workers", 1)
    assert result.code == 1
    assert "6 of 7 foregrounds can be used" in result.out
    assert "bad.png: unreadable: the content is of no known image format" in result.out


MISTAKES = {
    "no such recipe": (["build", "nowhere.yaml"], "no recipe nowhere.yaml: name a YAML file, or a bundled recipe"),
    "an unknown key": (["--set", "composits.crop=center"], "unknown key 'composits'; did you mean 'composites'?"),
    "a bad value": (["--set", "composites.crop=left"], "composites.crop is 'left': input should be 'top_left'"),
    "a missing folder": (
        ["--set", "backgrounds.sources.0.root=fotos"],
        "backgrounds.sources[0].root: there is no folder",
    ),
    "an unknown detector": (["--set", "backgrounds.humans.detector=defalt"], "unknown human detector 'defalt'"),
    "too few backgrounds": (["--set", "composites.per_foreground=9"], "add 6 more, or lower composites.per_foreground"),
    "counts that do not hold": (
        ["--set", "foregrounds.expect.total=7"],
        "foregrounds.expect does not hold: 6 foregrounds in total instead of 7",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_2(run, project: Project, kind: str) -> None:
    arguments, words = MISTAKES[kind]
    if arguments[0] != "build":
        arguments = ["build", str(project.write_recipe()), *arguments]
    result = run(*arguments, "--out", project.out, "--workers", 1)
    assert result.code == 2
    assert words in result.err and result.err.count("\n") == 1
    assert "Traceback" not in result.err
    assert not (project.out / "recipe.yaml").exists()


def test_the_help_names_every_verb_once_and_cuts_no_text_off(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("--help").out.splitlines()
    assert not [line for line in lines if line.endswith("...") and not line.startswith("Usage")]
    headings = [line for line in lines if line in {"Build:", "Look:", "Train:", "Publish:", "Keep:"}]
    assert len(headings) == 5
    rows = [line.split(maxsplit=1) for line in lines[lines.index("Build:") :] if line.startswith("  ")]
    modules = Path(verbs.__file__).parent.glob("*.py")
    written = {path.stem for path in modules if f"\ndef {path.stem}(" in path.read_text()} - {"main"}
    assert sorted(verb for verb, _ in rows) == sorted(written)
    context = click.Context(verbs.cli)
    for verb, text in rows:  # a text of more than a line would stand in rows of its own, and name no verb
        command = verbs.cli.get_command(context, verb)
        assert command is not None and command.short_help == text and text[0].isupper() and text.endswith(".")


@pytest.mark.parametrize("group", ["foregrounds", "fetch"])
def test_the_help_of_a_group_cuts_no_text_off(run, monkeypatch: pytest.MonkeyPatch, group: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = run(group, "--help").out.split("Commands:\n")[1].splitlines()
    assert len(rows) == 2 and all(row.endswith(".") and not row.endswith("...") for row in rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["biuld"], "No such command 'biuld'; did you mean 'build'?"),
        (["foregrounds", "chekc"], "No such command 'chekc'; did you mean 'check'?"),
        (["fetch", "imags"], "No such command 'imags'; did you mean 'openimages'?"),
        (["zzzz"], "No such command 'zzzz'.\n"),
        (["frobnicate"], "No such command 'frobnicate'.\n"),
        (["plan", "x", "--bogus"], "No such option '--bogus'.\n"),
        (["plan", "x", "--worker", "3"], "Did you mean '--workers'?"),
    ],
)
def test_a_wrong_verb_gets_the_nearest_right_one(run, arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.code == 2 and words in result.err


def test_a_wrong_option_gets_the_nearest_right_one(run) -> None:
    result = run("build", "--wrokers", "3")
    assert result.code == 2 and "--workers" in result.err


def test_an_unknown_verb_or_option_exits_with_2(run) -> None:
    assert run("bild").code == 2
    assert run("build", "--worker", "3").code == 2


def test_damage_exits_with_1(run, built: Path) -> None:
    (built / "train" / "000000.tar").unlink()
    result = run("verify", built, "--workers", 1)
    assert result.code == 1 and "train/000000.tar: is missing" in result.out
    (built / "dataset.json").unlink()
    assert run("verify", built).code == 1


def test_status_tells_an_interrupted_build_from_a_running_one(run, built: Path) -> None:
    from matting_data.workspace.work_folder import locked

    (built / "train" / "000001.parquet").unlink()
    interrupted = run("status", built).out
    assert "interrupted" in interrupted and "2 of 3 shards, 12 of 18 composites" in interrupted
    with locked(built):
        time.sleep(0.01)
        assert "building" in run("status", built).out


def test_status_of_something_else_is_refused(run, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    assert run("status", tmp_path).code == 2
