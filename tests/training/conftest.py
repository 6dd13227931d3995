"""A small dataset to train on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.one_thread import one_thread
from tests.support.training_runs import dataset

__all__ = ["dataset", "one_thread"]


@pytest.fixture
def damaged_copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(dataset, tmp_path / "dataset"))
