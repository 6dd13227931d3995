"""Runs of a narrow network: in this process, or as the command in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.projects import Project

TINY = (
    "data.crop=64", "batch=4", "steps=6", "saving.every=2", "saving.log_every=1", "validation.samples=2",
    "validation.every=3", "validation.iterations=2", "network.width=4", "network.flaw_width=2",
    "network.detector_width=4", "network.reduced_width=8", "network.decoder_widths=[8, 8, 8, 4, 4]",
    "network.iterations=2", "matting.warm_up=0", "deterministic=true",
)  # fmt: skip


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 training samples of 8 people and 6 test samples of 2, 96×128; not to be changed."""
    project = Project(tmp_path_factory.mktemp("training") / "project", people=10)
    project.build()
    return project.out


def tiny(*overrides: str) -> Any:
    """Return the config of a run of seconds."""
    from matting_data.training.config_file import load_config

    return load_config("tiny", [*TINY, *overrides])


def run_here(dataset: Path, out: Path, *overrides: str, resume: bool = False, say: Callable[..., None] = print) -> Any:
    """Train in this process."""
    import matting_data
    from matting_data.training.parallel import world
    from matting_data.training.train import train

    with world("cpu") as here:
        return train(tiny(*overrides), matting_data.open(dataset), out, here, resume, say)


def start(dataset: Path, out: Path, *overrides: str, resume: bool = False, processes: int = 1) -> Any:
    """Start ``mattingdata train`` in processes of its own, as a user would."""
    settings = [part for override in (*TINY, *overrides) for part in ("--set", override)]
    script = str(Path(__file__).with_name("mattingdata_command.py"))
    launcher = (
        [] if processes == 1 else ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    )
    command = [sys.executable, *launcher, script, "train", "tiny", "--data", str(dataset), "--out", str(out),
               "--device", "cpu", *(["--resume"] if resume else []), *settings]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
