"""What these tests read is the source tree; beside an installed wheel there is none."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def source_tree() -> None:
    """Skip where the tests run against an installed package."""
    if not (Path(__file__).resolve().parents[2] / "matting_data").is_dir():
        pytest.skip("the source tree is not here: mattingdata is installed from a distribution")
