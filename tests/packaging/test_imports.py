"""Who may import whom, where import-linter does not look: tests, and names that exist only once installed."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def imported(source: Path) -> set[str]:
    """Full names of the modules and members that a file imports; relative ones begin with a dot."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def test_tests_import_no_tests() -> None:
    """What several tests use lies in ``tests/support``, which itself imports no test."""
    tests = sorted((ROOT / "tests").rglob("*.py"))
    names = {path.stem for path in tests if path.stem.startswith("test_")} | {"conftest"}
    wrong = {
        (source.relative_to(ROOT).as_posix(), name)
        for source in tests
        for name in imported(source)
        if name.startswith(".")
        or name.split(".")[0] in names
        or (name.split(".")[0] == "tests" and name.split(".")[1:2] != ["support"])
    }
    assert not wrong


def test_only_the_main_module_imports_the_command_line() -> None:
    found = {
        (source.name, name)
        for source in (ROOT / "matting_data").rglob("*.py")
        for name in imported(source)
        if name == "cli" or name.startswith(("cli.", "matting_data.cli", "."))
    }
    assert found == {("__main__.py", "matting_data.cli.main.main")}
