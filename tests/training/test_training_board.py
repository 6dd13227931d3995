from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

from matting_data.training.run_folder import read_rows  # noqa: E402
from tests.support.training_runs import run_here  # noqa: E402


def test_curves_and_pictures_of_mattes_and_flaw_maps(dataset: Path, tmp_path: Path) -> None:
    run_here(dataset, tmp_path / "run", "steps=4", "saving.pictures_every=2")
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    logged = [row["loss"] for row in read_rows(tmp_path / "run" / "metrics.jsonl")]
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(logged)
    assert {"watched/mad_0", "watched/mad_2"} <= set(events.Tags()["scalars"])
    pictures = {"image", "truth", "matte 0", "matte 1", "matte 2", "flaws of 0", "flaws of 1"}
    assert pictures <= set(events.Tags()["images"])
    shown = events.Images("flaws of 1")
    assert [event.step for event in shown] == [2, 4] and (shown[0].width, shown[0].height) == (2 * 64, 64)
