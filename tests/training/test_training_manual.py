from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

from matting_data.training.config_file import load_config

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "training.md"


def test_the_config_in_the_manual_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    path = tmp_path / "config.yaml"
    path.write_text(block)
    config = load_config(path)
    assert (config.network.width, config.network.iterations, config.accumulate) == (48, 3, 2)


def test_the_presets_in_the_manual_exist() -> None:
    table = MANUAL.read_text().split("| preset |")[1].split("\n\n")[0]
    names = {name for row in table.splitlines()[2:] for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert {"unrolled", "paper", "tiny", "sam_fem"} <= names
    for name in names:
        load_config(name)
