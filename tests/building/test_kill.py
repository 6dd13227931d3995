"""Whatever ends a build, at whatever instant: the same command continues to the same bytes."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import time
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from matting_data.building.build import build
from matting_data.errors import StorageError
from matting_data.recipes.recipe_file import load
from matting_data.upkeep.verify import verify
from tests.support.commands import COMMAND
from tests.support.projects import Project
from tests.support.vanishing import vanish_after_the_scan

TRIALS = int(os.environ.get("MATTINGDATA_KILLS", "20"))


def small(root: Path, kind: str) -> Project:
    project = Project(root, people=6, photos=12)
    project.recipe["composites"]["per_foreground"] = 6
    project.recipe["store"] = {"samples_per_shard": 6, "kind": kind}
    return project


def build_alone(recipe: Path, out: Path, started: str) -> None:
    """Run in a process of its own; the file tells when its work begins."""
    Path(started).touch()
    build(load(recipe), out, 1)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Starts processes in which everything is imported already, so that a kill meets a build and not an import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["matting_data.building.build", "matting_data.rendering.sample_shards"])
    return context


class Killer:
    """Builds a project again and again from nothing, killing each build at some instant of its life.

    What precedes the first shard (the checks, and loading what is compiled) lasts longer than all shards of so small a
    dataset, so half of the instants are drawn from either part.
    """

    def __init__(self, project: Project, processes: ForkServerContext) -> None:
        self.project, self.processes = project, processes
        self.reference = project.build(out=project.root / "reference").index
        for _ in range(2):  # the first fills the caches of the compiler
            process, started = self.start()
            self.wait_for_a_shard(process)
            self.before = time.monotonic() - started
            process.join()
            self.after = time.monotonic() - started - self.before

    def start(self) -> tuple[BaseProcess, float]:
        shutil.rmtree(self.project.out, ignore_errors=True)
        mark = self.project.root / "started"
        mark.unlink(missing_ok=True)
        recipe = self.project.write_recipe()
        process = self.processes.Process(target=build_alone, args=(recipe, self.project.out, str(mark)))
        process.start()
        while not mark.exists():
            time.sleep(0.001)
        return process, time.monotonic()

    def wait_for_a_shard(self, process: BaseProcess) -> None:
        while process.is_alive() and not any(self.project.out.glob("t*/*.parquet")):
            time.sleep(0.001)

    def kill_and_continue(self, share: float, among_shards: bool) -> tuple[int, bool]:
        """Kill at a share of either part and continue; return how many shards were kept, and if it was finished."""
        process, _ = self.start()
        if among_shards:
            self.wait_for_a_shard(process)
        process.join(share * (self.after if among_shards else self.before))
        process.kill()
        process.join()
        out = self.project.out
        finished = (out / "dataset.json").exists()
        kept = {path: path.stat().st_mtime_ns for path in out.glob("t*/*.parquet")}
        self.check()
        assert all(path.stat().st_mtime_ns == moment for path, moment in kept.items())
        return len(kept), finished

    def check(self) -> None:
        assert self.project.build().index == self.reference
        result = verify(self.project.out, True, 0, None, 1)
        assert result.problems == [] and result.samples == 36
        assert not list(self.project.out.rglob("*.tmp-*"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["composites", "layers"])
def test_killed_at_any_instant_a_build_continues_to_the_same_bytes(
    tmp_path: Path, kind: str, processes: ForkServerContext
) -> None:
    killer = Killer(small(tmp_path / "project", kind), processes)
    rng = random.Random(kind)
    trials = TRIALS // 2
    met = [killer.kill_and_continue((number + rng.random()) / trials, number % 2 == 1) for number in range(trials)]
    assert any(kept > 0 for kept, _ in met) and not all(finished for _, finished in met)


@pytest.mark.parametrize("number", range(max(2, TRIALS // 10)))
def test_a_killed_tree_of_processes_continues_to_the_same_bytes(tmp_path: Path, number: int) -> None:
    project = small(tmp_path / "project", ["composites", "layers"][number % 2])
    reference = project.build(out=tmp_path / "reference").index
    command = [*COMMAND, "build", str(project.write_recipe()), "--out", str(project.out), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while not list(project.out.glob("train/*")) and process.poll() is None:
        time.sleep(0.001)
    time.sleep(random.Random(number).uniform(0, 0.2))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert project.build().index == reference
    assert verify(project.out, True, 0, None, 1).problems == []


@pytest.mark.slow
def test_a_store_of_layers_survives_ctrl_c(tmp_path: Path) -> None:
    project = small(tmp_path / "project", "layers")
    reference = project.build(out=tmp_path / "reference").index
    command = [*COMMAND, "build", str(project.write_recipe()), "--out", str(project.out), "--workers", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list(project.out.glob("backgrounds/*.parquet")) and process.poll() is None:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (0, 130)  # 0 where it was faster than the signal
    assert project.build().index == reference


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["composites", "layers"])
def test_a_disk_that_fills_up_again_and_again_only_delays(tmp_path: Path, kind: str) -> None:
    project = small(tmp_path / "project", kind)
    reference = project.build(out=tmp_path / "reference").index
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        project.out, full = disk / "out", 0
        for size in range(80, 4000, 40):
            try:
                assert project.build().index == reference
                break
            except StorageError as error:
                assert "the disk is full: free some space" in str(error)
                assert not (project.out / "dataset.json").exists()
                full += 1
            subprocess.run(["mount", "-o", f"remount,size={size}k", disk], check=True)
        assert full > 2
        assert verify(project.out, True, 4, None, 1).problems == []
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("kind", ["composites", "layers"])
@pytest.mark.parametrize("what", ["people/p01.png", "photos/b01.jpg"])
def test_an_input_that_vanishes_fails_alone_and_the_build_is_whole_when_it_is_back(
    tmp_path: Path, kind: str, what: str
) -> None:
    project = small(tmp_path / "project", kind)
    reference = project.build(out=tmp_path / "reference").index
    (tmp_path / "reference" / ".work").rename(tmp_path / "work")  # every check is done, and no shard
    path, away = project.root / what, tmp_path / "away"
    project.out.mkdir()
    (tmp_path / "work").rename(project.out / ".work")
    vanish_after_the_scan(project, path, away)
    index = project.build().index
    assert 0 < index["ledger"]["composites"]["failed"]["unreadable"] < 36
    assert index["content_sha256"] != reference["content_sha256"]
    assert verify(project.out, True, 0, None, 1).problems == []
    shutil.move(away, path)
    assert project.build().index == reference
    assert verify(project.out, True, 4, None, 1).problems == []


@pytest.mark.parametrize("left", [[], ["lock"], ["lock", "CACHEDIR.TAG.tmp-77"]])
def test_a_build_killed_before_it_set_its_mark_continues(project: Project, left: list[str]) -> None:
    work = project.out / ".work"
    work.mkdir(parents=True)
    for name in left:
        (work / name).touch()
    assert project.build().failed == 0
    assert not (work / "CACHEDIR.TAG.tmp-77").exists()
