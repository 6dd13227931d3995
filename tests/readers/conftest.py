"""A built dataset of several shards for everything that reads one."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import matting_data
from matting_data.readers import Split
from tests.support.projects import Project
from tests.support.range_server import RangeServer


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """21 training samples in shards of 6, 6, 6 and 3, and 6 test samples; not to be changed."""
    project = Project(tmp_path_factory.mktemp("readers") / "project", people=9)
    project.build()
    return project.out


@pytest.fixture
def copy(shards: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(shards, tmp_path / "dataset"))


@pytest.fixture(scope="session")
def train(shards: Path) -> Split:
    return matting_data.open(shards)["train"]


@pytest.fixture
def server(copy: Path) -> Iterator[RangeServer]:
    server = RangeServer(copy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
