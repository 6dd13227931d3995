"""The requirement itself: 95 % of photographs with a person rejected at no more than 20 % of clean ones lost."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks import cross_validation, human_filter  # noqa: E402
from matting_data.detectors import default  # noqa: E402
from matting_data.detectors.detector import Thresholds  # noqa: E402
from matting_data.errors import UsageError  # noqa: E402

DATA = human_filter.default_data()
needs_photos = pytest.mark.skipif(
    not (DATA / "person_filter" / "labels.csv").is_file(),
    reason="the labelled photographs are not beside the repository and MATTINGDATA_SHARED is not set",
)


@pytest.fixture(scope="module")
def photos() -> human_filter.Photos:
    return human_filter.read_photos(DATA)


@needs_photos
@pytest.mark.slow
def test_cross_validated_recall_meets_the_requirement(photos: human_filter.Photos) -> None:
    scorer = cross_validation.learned(human_filter.default_features(photos), photos.person)
    figures = cross_validation.cross_validated("default", scorer, photos.person, photos.stratum)
    assert len(photos.person) == 412 and photos.person.sum() == 173
    assert figures.recall_range[0] >= 0.95
    assert figures.lost_range[1] <= 0.20


@needs_photos
@pytest.mark.slow
def test_the_shipped_numbers_are_the_fitted_ones(photos: human_filter.Photos) -> None:
    fitted = human_filter.fitted(photos)
    shipped = {
        "INTERCEPT": default.INTERCEPT,
        "SSDLITE_WEIGHT": default.SSDLITE_WEIGHT,
        "POSE_WEIGHT": default.POSE_WEIGHT,
        "review": default.THRESHOLDS.review,
        "reject": default.THRESHOLDS.reject,
    }
    assert fitted == pytest.approx(shipped, abs=0.01)


def test_folds_deal_out_every_stratum_evenly() -> None:
    stratum = np.repeat([0, 1, 2], [40, 12, 5])
    fold = cross_validation.folds(stratum, seed=3)
    for value in range(3):
        counts = np.bincount(fold[stratum == value], minlength=cross_validation.FOLDS)
        assert counts.max() - counts.min() <= 1


def test_figures_of_perfect_and_of_useless_scores() -> None:
    person = np.repeat([True, False], 50)
    assert cross_validation.area_under_curve(person.astype(float), person) == 1.0
    assert cross_validation.area_under_curve(np.zeros(100), person) == 0.5
    assert cross_validation.recall_losing(person.astype(float), person, 0.1) == 1.0
    low, high = cross_validation.wilson(0.95, 100)
    assert 0.88 < low < 0.95 < high < 0.99


def test_the_strongest_look_counts_and_the_curve_is_fitted_on_the_whole_image() -> None:
    rng = np.random.default_rng(0)
    person = np.repeat([True, False], 60)
    whole = rng.normal(person * 2.0, 1.0)[:, None]
    tiles = np.stack([whole, np.where(person[:, None], 9.0, -9.0)], axis=1)
    everything = np.ones(120, dtype=bool)
    alone = cross_validation.learned(whole, person)(everything)
    assert (np.argsort(alone) == np.argsort(whole[:, 0])).all()
    tiled = cross_validation.learned(tiles, person)(everything)
    assert (tiled >= alone - 1e-12).all() and tiled[person].min() > tiled[~person].max()
    repeated = cross_validation.learned(np.stack([whole, whole], axis=1), person)(everything)
    np.testing.assert_allclose(repeated, alone)


def test_either_rejects_what_one_of_its_parts_rejects() -> None:
    person = np.asarray([True, True, False, False])
    first, second = np.asarray([0.9, 0.1, 0.1, 0.0]), np.asarray([0.0, 0.7, 0.1, 0.2])
    parts: list[tuple[cross_validation.Scorer, Thresholds | cross_validation.Losses]] = [
        (cross_validation.given(first), Thresholds(0.8, 0.4)),
        (cross_validation.given(second), Thresholds(0.6, 0.4)),
    ]
    scores = cross_validation.either(parts, person)(np.ones(4, dtype=bool))
    figures = cross_validation.at_threshold("both", scores, person, 0.5)
    assert (figures.recall, figures.lost) == (1.0, 0.0)
    alone = cross_validation.at_threshold("first", first, person, 0.8)
    assert alone.recall == 0.5 and alone.recall_interval[0] < 0.5 < alone.recall_interval[1]


def test_a_detector_of_ones_own_is_loaded_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("[default, {kind: default, tiles: 2}]")
    assert human_filter.plugin(tmp_path / "mine.yaml").name == "default + default (tiles 2)"
    (tmp_path / "net.yaml").write_text("{kind: onnx, weights: net.onnx}")
    with pytest.raises(UsageError, match=r"'net\.onnx' of the detector is not a file"):
        human_filter.plugin(tmp_path / "net.yaml")
    with pytest.raises(UsageError, match="cannot be read as YAML"):
        human_filter.plugin(tmp_path / "gone.yaml")
