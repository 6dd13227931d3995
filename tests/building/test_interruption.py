from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.commands import COMMAND
from tests.support.projects import Project


def start(project: Project, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "build", str(project.write_recipe()), "--out", str(project.out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_shards(project: Project, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(list(project.out.glob("train/*.parquet"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def large(root: Path) -> Project:
    project = Project(root, people=16, photos=24)
    project.recipe["composites"]["per_foreground"] = 10
    project.recipe["foregrounds"]["split"] = {"test": 0}
    project.recipe["store"]["samples_per_shard"] = 10
    project.recipe["store"]["image"] = "png"
    return project


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_build_continues_to_the_same_bytes(tmp_path: Path, workers: str) -> None:
    project = large(tmp_path / "project")
    reference = project.build(out=tmp_path / "reference").index
    process = start(project, "--workers", workers)
    wait_for_shards(project, 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in project.out.glob("train/*.parquet")}
    assert not (project.out / "dataset.json").exists()
    assert project.build().index == reference
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert not list(project.out.rglob("*.tmp-*"))


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_build(tmp_path: Path) -> None:
    project = large(tmp_path / "project")
    process = start(project, "--workers", "2")
    wait_for_shards(project, 1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_says_so_exits_130_and_the_same_command_continues(tmp_path: Path, workers: str) -> None:
    project = large(tmp_path / "project")
    reference = project.build(out=tmp_path / "reference").index
    process = start(project, "--workers", workers)
    wait_for_shards(project, 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "mattingdata: interrupted; the same command continues where it stopped"
    assert project.build().index == reference


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_the_build_continues_with_more_room(tmp_path: Path) -> None:
    project = large(tmp_path / "project")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        project.out = disk / "out"
        reference = project.build(out=tmp_path / "reference").index
        process = start(project, "--workers", "2")
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 2
        assert errors.count("\n") == 1 and "the disk is full: free some space and run the same command" in errors
        assert not list(project.out.rglob("*.tmp-*"))
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert project.build().index == reference
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_read_only_folder_is_one_sentence(tmp_path: Path, project: Project) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a read-only disk is not permitted here")
    try:
        project.out = disk / "out"
        process = start(project)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2
        assert errors.count("\n") == 1 and "the file system is read-only: choose another --out" in errors
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
