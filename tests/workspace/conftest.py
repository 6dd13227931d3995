"""Datasets in every state, made once."""

from __future__ import annotations

import pytest

from tests.support.hall import Hall


@pytest.fixture(scope="session")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Hall:
    return Hall(tmp_path_factory.mktemp("hall"))
