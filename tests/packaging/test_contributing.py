"""What CONTRIBUTING.md tells newcomers to open is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`([\w/.]+(?:\.(?:py|md|yaml|csv|toml|cfg)|/))`", TEXT)))
NAMES = sorted(set(re.findall(r"`(_?[A-Z]\w+|_[a-z]\w+)`", TEXT)))
PLACES = sorted({
    (name, match[2])
    for match in re.finditer(r"((?:`\w+`[^`.;:]{0,40})+?)\bin\s+`([\w/]+\.py)`", TEXT)
    for name in re.findall(r"`(\w+)`", match[1])
})  # fmt: skip
"""Names, and the file that each is said to be in: one or several names, then ``in`` and the file."""
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


def test_most_lists_say_in_which_file_a_name_is() -> None:
    assert len(PLACES) >= 20
    assert {("_LAYOUTS", "matting_data/recipes/recipe.py"), ("_members", "sources/find_backgrounds.py")} <= set(PLACES)


@pytest.mark.parametrize(("name", "path"), PLACES)
def test_every_name_is_in_the_file_that_is_named_beside_it(name: str, path: str) -> None:
    file = next(file for file in (ROOT / path, ROOT / "matting_data" / path) if file.exists())
    defined = re.compile(rf"^\s*(?:class |def )?{name}\b\s*[(:=]", re.MULTILINE)
    assert defined.search(file.read_text(encoding="utf-8"))
