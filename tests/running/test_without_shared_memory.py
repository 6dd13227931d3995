"""Many workers where there is no /dev/shm to coordinate them: one process does the work, and the command says so."""

from __future__ import annotations

import errno
import json
import multiprocessing.synchronize
import operator
import os
import subprocess
from pathlib import Path

import pytest

from matting_data.running import local_processes
from matting_data.running.executor import run
from tests.support.commands import COMMAND
from tests.support.projects import Project
from tests.support.shared_memory import KINDS, run_python, without

_RUN_TWICE = """
import logging, operator, os
logging.basicConfig()
from matting_data.running.executor import run
print(list(run(operator.neg, range(9), 4)) == [-n for n in range(9)])
print(set(run(eval, ["__import__('os').getpid()"] * 5, 2)) == {os.getpid()})
"""


@pytest.mark.parametrize("kind", KINDS)
def test_one_process_does_it_all_and_says_so_once(kind: str) -> None:
    done = run_python(kind, _RUN_TWICE)
    assert (done.returncode, done.stdout.split()) == (0, ["True", "True"]), done.stderr
    why = {"missing": "No such file or directory", "read-only": "Read-only file system", "full": "No space left"}[kind]
    assert done.stderr.count("one process does all the work") == 1
    assert f"/dev/shm ({why}" in done.stderr and "--shm-size" in done.stderr


def test_little_shared_memory_is_enough_for_worker_processes() -> None:
    done = run_python("64k", _RUN_TWICE)
    assert done.stdout.split()[1] == "False" and "one process" not in done.stderr


@pytest.mark.parametrize("kind", ["missing", "read-only"])
def test_the_same_dataset_is_built_and_verified(kind: str, project: Project) -> None:
    recipe = str(project.write_recipe())
    project.build()
    out = project.root / "alone"
    for arguments in (["build", recipe, "--out", str(out), "--workers", "2"], ["verify", str(out), "--workers", "2"]):
        done = subprocess.run(without(kind, *COMMAND, *arguments), capture_output=True, text=True, timeout=240)
        assert done.returncode == 0 and done.stderr.count("one process does all the work") == 1, done.stderr
    sums = [json.loads(Path(each, "dataset.json").read_bytes())["content_sha256"] for each in (project.out, out)]
    assert sums[0] == sums[1]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    local_processes._say_alone.cache_clear()
    return monkeypatch


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def semaphore(*_: object) -> None:
        raise error

    monkeypatch.setattr(multiprocessing.synchronize._multiprocessing, "SemLock", semaphore)  # type: ignore[attr-defined] # not in typeshed


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EROFS, errno.ENOSPC, errno.EACCES, errno.ENOSYS, errno.EPERM])
def test_whatever_refuses_semaphores_is_named(
    refused: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    refuse(refused, OSError(number, os.strerror(number)))
    assert set(run(eval, ["__import__('os').getpid()"] * 3, 2)) == {os.getpid()}
    assert os.strerror(number) in caplog.text


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_limits_of_another_kind_are_not_blamed_on_it(refused: pytest.MonkeyPatch, number: int) -> None:
    refuse(refused, OSError(number, os.strerror(number)))
    with pytest.raises(OSError) as caught:
        list(run(operator.neg, range(3), 2))
    assert caught.value.errno == number
