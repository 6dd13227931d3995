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
    head, first, second = str(caught.value).split("; ")
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


@pytest.mark.parametrize("whose", ["prediction", "truth"])
@pytest.mark.parametrize(
    ("plane", "note"),
    [
        (np.eye(30, 40, dtype=np.uint8), "0 and 1"),
        (np.eye(30, 40, dtype=np.uint16), "0 and 1"),
        (np.eye(30, 40, dtype=np.uint16) * 255, "8 bits in 16"),
        (np.eye(30, 40, dtype=np.uint16) * 256, ""),
        (np.eye(30, 40, dtype=np.uint8) * 2, ""),
        (np.zeros((30, 40), np.uint16), ""),
    ],
)
def test_a_matte_that_was_not_stretched_is_noted(truths: Path, whose: str, plane: np.ndarray, note: str) -> None:
    folder = predictions(truths, plane if whose == "prediction" else np.zeros((30, 40), np.uint8))
    if whose == "truth":
        cv2.imwrite(str(truths / "alpha" / "a.png"), plane)
    found = evaluate(folder, open_test_set(truths)).scores[0]
    assert found.values and found.note == (f"truth of {note}" if whose == "truth" and note else note)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (5, 3), (1, 7), (7, 1), (2, 2)])
@pytest.mark.parametrize("like", ["", *CONVENTIONS])
def test_images_of_few_pixels_are_scored(tmp_path: Path, shape: tuple[int, int], like: str) -> None:
    rng = np.random.default_rng(shape[0] * 8 + shape[1])
    truth, prediction = (rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
    for name, plane in (("alpha", truth), ("p", prediction), ("trimap", np.full(shape, 128, np.uint8))):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), plane)
    (score,) = evaluate(tmp_path / "p", open_test_set(tmp_path), ScoringOptions(like=like)).scores
    assert score.values and all(np.isfinite(value) and value >= 0 for value in score.values.values())
    cv2.imwrite(str(tmp_path / "p" / "a.png"), truth)
    (same,) = evaluate(tmp_path / "p", open_test_set(tmp_path), ScoringOptions(like=like)).scores
    assert set(same.values.values()) == {0.0}


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
