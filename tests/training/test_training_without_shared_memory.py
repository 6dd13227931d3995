"""``mattingdata train`` in a container without /dev/shm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import COMMAND
from tests.support.shared_memory import without
from tests.support.training_runs import TINY

pytest.importorskip("torch")


@pytest.mark.parametrize(("workers", "stream"), [(0, True), (2, False), (2, True)])
def test_it_trains_in_one_process_and_says_what_others_need(
    dataset: Path, tmp_path: Path, workers: int, stream: bool
) -> None:
    settings = [*TINY, "steps=1", f"data.workers={workers}", f"data.stream={str(stream).lower()}"]
    arguments = ["train", "tiny", "--data", str(dataset), "--out", str(tmp_path / "run"), "--device", "cpu"]
    arguments += [part for setting in settings for part in ("--set", setting)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        without("read-only", *COMMAND, *arguments), capture_output=True, text=True, timeout=280, env=environment
    )
    assert "Traceback" not in done.stderr
    if workers:
        assert done.returncode == 2 and "loading processes need /dev/shm (Read-only file system)" in done.stderr
        assert "set num_workers (data.workers of a training config) to 0" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
