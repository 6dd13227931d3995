"""Fixtures that tests of several rooms use."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import command as command
from tests.support.projects import Project

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

SLOW_TIMEOUT = 1800
"""Seconds; other tests have those of pyproject.toml."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared real data is not at hand")
    return SHARED


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Project]:
    return lambda **sizes: Project(tmp_path / "project", **sizes)


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("built") / "project")
    project.build()
    return project


@pytest.fixture
def built(_built: Project, tmp_path: Path) -> Path:
    """A finished dataset that a test may damage; its sources stay where they are."""
    return Path(shutil.copytree(_built.out, tmp_path / "dataset"))
