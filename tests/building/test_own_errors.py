"""An error of our own ends a command with its traceback, and never becomes a row of the ledger."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matting_data.cli.main import cli
from numpy.typing import NDArray

from matting_data.building.build import build
from matting_data.detectors.detector import Detection, Thresholds
from matting_data.planning.plan import Plan
from matting_data.records.checked import CheckedBackground
from matting_data.rendering.failures import TooManyFailures
from matting_data.scanning.checks import with_detection
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


@pytest.mark.parametrize(
    "options",
    [
        ("--workers", "1"),
        ("--executor", "ray", "--workers", "2"),
        pytest.param(("--workers", "2"), marks=pytest.mark.slow),
    ],
)
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


@pytest.mark.parametrize(
    ("kind", "planted", "keys"),
    [
        ("composites", "matting_data.imaging.encode.matte_png", ["people-p00", "train/000000"]),
        ("composites", "matting_data.imaging.encode.jpeg", ["people-p00-00", "people-p00", "train/000000"]),
        (
            "composites",
            "matting_data.rendering.sample_shards.with_places",
            ["people-p00-00", "people-p00", "train/000000"],
        ),
        ("composites", "matting_data.rendering.shard_task.commit", ["train/000000"]),
        ("layers", "matting_data.imaging.encode.matte_png", ["people-p00", "train/000000"]),
        ("layers", "matting_data.rendering.sample_shards.sample_row", ["people-p00", "train/000000"]),
        ("layers", "matting_data.shards.writer.ShardWriter.add", ["photos-b02", "backgrounds/000000"]),
        ("layers", "matting_data.rendering.background_shards.StoredBackground", ["photos-b02", "backgrounds/000000"]),
        ("composites", "matting_data.rendering.shard_task.read_commit", ["train/000000"]),
    ],
)
@pytest.mark.parametrize("error", [TypeError("planted"), OSError("planted")], ids=repr)
def test_an_error_anywhere_in_a_shard_says_where(
    project: Project, monkeypatch: pytest.MonkeyPatch, kind: str, planted: str, keys: list[str], error: Exception
) -> None:
    if planted.endswith("read_commit"):  # asked of finished shards only
        project.build()

    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    error = type(error)(*error.args)  # with no notes yet
    monkeypatch.setattr(planted, fail)
    with pytest.raises(type(error), match="planted") as caught:
        project.build(f"store.kind={kind}")
    assert caught.value.__notes__ == [f"mattingdata was at {key}" for key in keys]
    if not planted.endswith("read_commit"):
        assert not (project.out / "dataset.json").exists()


def test_an_error_of_our_own_after_the_detector_names_its_photograph(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Detector:
        name, version, thresholds = "one", "1", Thresholds(0.5, 0.4)

        def detect(self, image: NDArray[np.uint8]) -> Detection:
            return Detection(0.1)

    def fail(record: CheckedBackground, *arguments: Any) -> CheckedBackground:
        if record.id == "photos-b05":
            raise TypeError("planted")
        return with_detection(record, *arguments)

    monkeypatch.setattr("matting_data.detectors.registry.load", lambda _: Detector())
    monkeypatch.setattr("matting_data.scanning.check_tasks.with_detection", fail)
    with pytest.raises(TypeError, match="planted") as caught:
        project.build("backgrounds.humans.detector=one")
    assert caught.value.__notes__ == ["mattingdata was at photos-b05"]


BROKEN_PIPE = """
import matting_data.scanning.checks as checks
def planted(*arguments):
    raise BrokenPipeError(32, "planted")
checks.decode = planted
"""


def test_a_pipe_that_breaks_inside_is_an_error_of_our_own(project: Project, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN_PIPE)
    stopped = run(project, "--workers", "1", plant=tmp_path)
    assert stopped.returncode == 70, stopped.stderr
    assert "BrokenPipeError: [Errno 32] planted\nmattingdata was at " in stopped.stderr


def test_output_that_nobody_reads_ends_the_command_silently(project: Project) -> None:
    command = [*COMMAND, "build", str(project.write_recipe()), "--out", str(project.out), "--workers", "1"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_log_has_the_traceback_behind_a_sentence_about_a_library(
    project: Project, tmp_path: Path, workers: str
) -> None:
    (project.root / "odd.onnx").write_bytes(b"no network")
    project.recipe["backgrounds"]["humans"] = {"detector": {"kind": "onnx", "weights": "odd.onnx"}}
    stopped = run(project, "--workers", workers, "--log-file", str(tmp_path / "log"))
    assert stopped.returncode == 2 and stopped.stderr.count("\n") == 1
    assert "odd.onnx is not an ONNX file that onnxruntime can open" in stopped.stderr
    log = (tmp_path / "log").read_text()
    assert "Traceback (most recent call last)" in log and "onnxruntime.capi.onnxruntime_pybind11_state." in log


@pytest.mark.parametrize(
    "planted", ["matting_data.shards.commit.read_records", "matting_data.shards.commit.json.loads"]
)
def test_an_error_of_reading_shards_does_not_make_them_again(
    project: Project, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    project.build()

    def fail(*arguments: Any) -> None:
        raise TypeError("planted")

    with monkeypatch.context() as patched:
        patched.setattr(planted, fail)
        with pytest.raises(TypeError, match="planted"):
            project.build()


def test_a_shard_whose_manifest_is_another_table_is_made_again(project: Project) -> None:
    before = project.build().index
    manifest = project.out / "train" / "000000.parquet"
    content = manifest.read_bytes()
    manifest.write_bytes((project.out / "plan.parquet").read_bytes())  # as whole as any
    assert project.build().index == before
    assert manifest.read_bytes() == content


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
