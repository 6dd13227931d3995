from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import matting_data
from matting_data.training.config_file import load_config
from matting_data.training.parallel import world
from matting_data.training.train import train


@pytest.mark.slow
def test_eight_samples_are_learnt_and_refined(dataset: Path, tmp_path: Path) -> None:
    """On what it was trained on, in evaluation mode: MAD below 0.02, and refinements well below the initial matte."""
    settings = (
        "data.limit=8", "data.augmentation=fixed", "data.crop=64", "validation.share=0", "validation.every=40",
        "validation.iterations=3", "matting.rate=0.004", "matting.schedule=cosine", "steps=80", "channels_last=true",
    )  # fmt: skip
    with world("cpu") as here:
        result = train(load_config("tiny", settings), matting_data.open(dataset), tmp_path / "run", here)
    initial, *refined = (float(look["mad"] or "nan") for look in result.watched)
    assert len(refined) == 3 and max(refined) < 0.02
    assert max(refined) < 0.8 * initial
