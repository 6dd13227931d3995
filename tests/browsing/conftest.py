"""FiftyOne with a real mongod and a database of its own; tests skip, with the reason, where either is absent."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from matting_data.errors import UsageError


@pytest.fixture(scope="session")
def fiftyone() -> Iterator[Any]:
    """Return the module, connected."""
    if importlib.util.find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed (extra 'browse')")
    from matting_data.browsing.database import open_fiftyone

    folder = tempfile.mkdtemp(prefix="fiftyone-")
    os.environ.setdefault("FIFTYONE_DATABASE_DIR", folder)  # read once, when FiftyOne is imported
    try:
        module = open_fiftyone()
    except UsageError as error:
        pytest.skip(str(error))
    before = set(module.list_datasets())
    yield module
    for name in set(module.list_datasets()) - before:
        module.delete_dataset(name)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
