"""The snippets of docs/readers.md run, one after the other, as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import matting_data

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "readers.md"


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_every_snippet_runs(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchdata")
    shutil.copytree(shards, tmp_path / "out" / "sample")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    snippets = re.findall(r"```python\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    assert len(snippets) >= 8
    for snippet in snippets:
        exec(compile(snippet, str(MANUAL), "exec"), names)
    again = names["again"]
    assert again.epoch == names["loader"].epoch + 1 == 3
    assert isinstance(names["dataset"], matting_data.readers.Dataset)
