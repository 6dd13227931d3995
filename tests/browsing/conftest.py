"""FiftyOne with a real mongod and a database of its own; tests skip, with the reason, where either is absent."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from matting_data.errors import UsageError


@pytest.fixture(scope="session")
def fiftyone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the module, connected."""
    if importlib.util.find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed (extra 'browse')")
    from matting_data.browsing.database import open_fiftyone

    folder = tmp_path_factory.mktemp("database")  # mongod outlives the tests: the folder is not for them to remove
    os.environ.setdefault("FIFTYONE_DATABASE_DIR", str(folder))  # read once, when FiftyOne is imported
    try:
        module = open_fiftyone()
    except UsageError as error:
        pytest.skip(str(error))
    before = set(module.list_datasets())
    yield module
    for name in set(module.list_datasets()) - before:
        module.delete_dataset(name)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
