"""An error of our own ends a command with its traceback, and never becomes a row of the ledger."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from matting_data.cli.main import cli

from matting_data.building.build import build
from matting_data.planning.plan import Plan
from matting_data.rendering.failures import TooManyFailures
from tests.support.commands import COMMAND
from tests.support.projects import Project
from tests.support.vanishing import after_the_scan

KEY = "people-p04-01"

PLANTED = f"""
from matting_data.rendering.composites import ForegroundRenderer
render = ForegroundRenderer.render
def planted(self, composite, background):
    if composite.key == {KEY!r}:
        raise TypeError("planted")
    return render(self, composite, background)
ForegroundRenderer.render = planted
"""


def run(project: Project, *options: str, plant: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command; Python executes ``sitecustomize`` in this and every worker process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*([plant] if plant else []), Path.cwd()]))}
    command = [*COMMAND, "build", str(project.write_recipe()), "--out", str(project.out), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("options", [("--workers", "1"), ("--workers", "2"), ("--executor", "ray", "--workers", "2")])
def test_a_planted_error_ends_the_build_and_its_removal_continues_it(
    project: Project, tmp_path: Path, options: tuple[str, ...]
) -> None:
    if "ray" in options:
        pytest.importorskip("ray")
    plant = tmp_path / "plant"
    plant.mkdir()
    (plant / "sitecustomize.py").write_text(PLANTED)
    reference = project.build(out=tmp_path / "reference").index["content_sha256"]
    stopped = run(project, *options, "--log-file", str(tmp_path / "log"), plant=plant)
    assert stopped.returncode == 70, stopped.stderr
    assert "Traceback (most recent call last)" in stopped.stderr and "TypeError: planted" in stopped.stderr
    assert 'raise TypeError("planted")' in stopped.stderr or "in planted" in stopped.stderr  # the worker's own lines
    assert f"mattingdata was at {KEY}" in stopped.stderr
    assert stopped.stderr.splitlines()[-1].endswith("the same command continues where it stopped")
    assert not (project.out / "dataset.json").exists()
    log = (tmp_path / "log").read_text()
    assert "CRITICAL matting_data.cli: an error of mattingdata" in log and KEY in log
    done = run(project, *options)
    assert done.returncode == 0 and f"content {reference}" in done.stdout, done.stderr


def test_a_dataset_without_a_sample_is_never_finished(project: Project) -> None:
    project.recipe["foregrounds"]["split"] = {"test": 0}
    loaded = project.load()

    def lose_all(plan: Plan) -> None:
        for path in (project.root / "photos").iterdir():
            path.write_bytes(b"gone")

    with pytest.MonkeyPatch.context() as patched:
        after_the_scan(patched, lose_all)
        with pytest.raises(
            TooManyFailures, match=r"^none of the 18 composites could be made \(18 × changed, such as people-p\d+-\d"
        ):
            build(loaded, project.out, 1)
    assert not (project.out / "dataset.json").exists()


def test_the_build_names_the_most_frequent_reasons(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    after_the_scan(monkeypatch, lambda plan: (project.root / "photos" / "b03.jpg").write_bytes(b"gone"))
    arguments = ["build", str(project.write_recipe()), "--out", str(project.out), "--workers", "1"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.return_value == 1
    assert "failed: " in done.stdout and "× changed, such as people-p" in done.stdout
    assert "b03.jpg is no longer the file that was checked" in done.stdout
