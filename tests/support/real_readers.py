"""Other people's readers, kept off the network and out of the home folder; a test that lacks one is skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when `datasets` is first imported


def load_dataset(*arguments: Any, cache: Path, **named: Any) -> Any:
    """``datasets.load_dataset`` with its cache in `cache`."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    return datasets.load_dataset(*map(str, arguments), cache_dir=str(cache), **named)


def run_python(code: str, *arguments: object, cache: Path) -> str:
    """Run code in a fresh interpreter, whose caches lie in `cache`; return what it printed."""
    environment = os.environ | {"CROISSANT_CACHE": str(cache), "HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def validate_croissant(path: Path, cache: Path) -> tuple[int, str]:
    """``mlcroissant validate``: exit code, and what it said."""
    pytest.importorskip("mlcroissant")
    command = Path(sys.executable).with_name("mlcroissant")
    environment = os.environ | {"CROISSANT_CACHE": str(cache)}
    done = subprocess.run(
        [command, "validate", "--jsonld", path], capture_output=True, text=True, check=False, env=environment
    )
    return done.returncode, done.stderr
