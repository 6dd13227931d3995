"""Predictions that cannot be scored, or are odd: what is said of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from matting_data.errors import UsageError
from matting_data.evaluation.conventions import CONVENTIONS
from matting_data.evaluation.evaluate import evaluate
from matting_data.evaluation.scoring import ScoringOptions, same_aspect
from matting_data.evaluation.test_sets import open_test_set


@pytest.fixture
def truths(tmp_path: Path) -> Path:
    (tmp_path / "alpha").mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / "alpha" / f"{name}.png"), np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1)))
    return tmp_path


def predictions(root: Path, plane: np.ndarray) -> Path:
    (root / "p").mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(root / "p" / f"{name}.png"), plane)
    return root / "p"


def test_where_nothing_is_scored_the_first_reasons_are_said(truths: Path) -> None:
    folder = predictions(truths, np.zeros((30, 20), np.uint8))
    data = open_test_set(truths)
    with pytest.raises(UsageError) as caught:
        evaluate(folder, data)
    head, first, second = str(caught.value).splitlines()
    assert head == "no image could be scored (2 size): check --predictions and --data"
    assert (
        first
        == "a: size: the prediction is 20×30 and the truth 40×30: give --resize where it was made of a scaled image"
    )
    assert second.startswith("b: size: ")
    with pytest.raises(UsageError, match="--resize scales, but keeps the aspect ratio"):
        evaluate(folder, data, ScoringOptions(resize=True))


def test_predictions_of_0_and_1_are_scored_and_noted(truths: Path) -> None:
    found = evaluate(predictions(truths, np.eye(30, 40, dtype=np.uint8)), open_test_set(truths))
    assert found.table.noted == {"0 and 1": 2} and found.failed == 0
    assert any(line == "noted: 2 0 and 1" for line in found.lines())


def test_a_scaled_size_is_told_from_another_aspect_ratio() -> None:
    for height, width in ((1000, 667), (37, 512), (1, 1), (1080, 1920)):
        for scale in (0.25, 0.37, 0.5, 2.0, 3.3):
            for rounding in (np.floor, np.ceil, np.rint):
                size = tuple(max(1, int(rounding(side * scale))) for side in (height, width))
                assert same_aspect(size, (height, width))
    assert not same_aspect((512, 512), (1000, 667))
    assert not same_aspect((300, 200), (200, 300))


@pytest.mark.parametrize("name", list(CONVENTIONS))
def test_no_convention_scores_what_is_not_finite(name: str) -> None:
    for trimap in (np.zeros((4, 4), np.uint8), np.full((4, 4), 128, np.uint8)):
        with pytest.raises(UsageError, match="NaN"):
            CONVENTIONS[name].score(np.full((4, 4), np.nan), np.zeros((4, 4)), trimap)
