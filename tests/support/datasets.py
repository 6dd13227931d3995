"""Built datasets for tests of several rooms."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.projects import Project


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 training samples of 8 people and 6 test samples of 2, 96×128; not to be changed."""
    project = Project(tmp_path_factory.mktemp("training") / "project", people=10)
    project.build()
    return project.out


@pytest.fixture
def damaged_copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(dataset, tmp_path / "dataset"))
