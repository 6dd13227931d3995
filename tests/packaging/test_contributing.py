"""What CONTRIBUTING.md tells newcomers to open is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`([\w/.]+(?:\.(?:py|md|yaml|csv|toml|cfg)|/))`", TEXT)))
NAMES = sorted(set(re.findall(r"`(_?[A-Z]\w+|_[a-z]\w+)`", TEXT)))
SOURCES = [path for folder in ("matting_data", "cli", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("path", PATHS)
def test_every_file_and_folder_that_is_named_is_there(path: str) -> None:
    """Below the root, below ``matting_data``, or a file of any test room by its name alone."""
    beside = [path_ for path_ in SOURCES if path_.name == path]
    assert (ROOT / path).exists() or (ROOT / "matting_data" / path).exists() or beside


@pytest.mark.parametrize("name", NAMES)
def test_every_class_function_and_constant_that_is_named_is_defined(name: str) -> None:
    defined = re.compile(rf"^(?:class |def )?{name}\b\s*[(:=]", re.MULTILINE)
    assert any(defined.search(path.read_text(encoding="utf-8")) for path in SOURCES)
