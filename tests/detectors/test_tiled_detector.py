"""Tiles cover the image, give boxes back in its pixels, and find people that the whole image hides."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from matting_data.detectors import registry
from matting_data.detectors.default import DefaultDetector
from matting_data.detectors.detector import Detection, Thresholds
from matting_data.detectors.scaling import resized
from matting_data.detectors.spec import DetectorSpec, Limits
from matting_data.detectors.tiling import MAX_ENLARGED, MAX_TILES, OVERLAP, TiledDetector, tile_windows
from matting_data.records.checked import HumanBox

SIDE = 64


class RedSpotDetector:
    """Squeezes an image to 64×64 and finds what is still red there."""

    name, version, thresholds, input_side, batch_size = "spot", "1", Thresholds(0.5, 0.25), SIDE, 3

    def __init__(self) -> None:
        self.batches: list[int] = []

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        self.batches.append(len(images))
        return [self._seen(image) for image in images]

    def _seen(self, image: NDArray[np.uint8]) -> Detection:
        red = resized(image, (SIDE, SIDE))[:, :, 0] / 255
        score = float(red.max())
        if score < 0.5:
            return Detection(score)
        y, x = np.nonzero(red >= 0.5)
        sy, sx = image.shape[0] / SIDE, image.shape[1] / SIDE
        x0, y0, x1, y1 = (float(v) for v in (x.min() * sx, y.min() * sy, (x.max() + 1) * sx, (y.max() + 1) * sy))
        return Detection(score, (HumanBox(x0, y0, x1, y1, score, "spot"),))


@given(
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    st.one_of(st.just("auto"), st.integers(1, 8)),
    st.integers(32, 1333),
)
def test_tiles_lie_in_the_image_cover_it_and_overlap(size: tuple[int, int], tiles: int | str, input_side: int) -> None:
    windows = tile_windows(size, tiles, input_side)
    assert len(windows) <= MAX_TILES and len(set(windows)) == len(windows)
    if not windows:
        return
    side = windows[0][2]
    assert side * MAX_ENLARGED >= input_side
    rows, columns = sorted({w[0] for w in windows}), sorted({w[1] for w in windows})
    assert len(windows) == len(rows) * len(columns)
    for starts, length in ((rows, size[0]), (columns, size[1])):
        assert starts[0] == 0 and starts[-1] + side == length
        for before, after in itertools.pairwise(starts):
            assert before + side - after >= OVERLAP * side - 1


@pytest.mark.parametrize(
    ("size", "tiles", "input_side", "count"),
    [
        ((768, 1024), 1, 640, 0),
        ((768, 1024), 2, 640, 6),
        ((768, 1024), "auto", 640, 0),  # 768 is within a quarter of 640
        ((1200, 1600), "auto", 640, 6),
        ((3000, 4000), "auto", 640, 35),
        ((100, 100), 2, 640, 0),  # tiles of 58 pixels would be enlarged elevenfold
        ((200, 60000), 2, 64, 0),  # a thousand tiles
    ],
)
def test_how_many_tiles(size: tuple[int, int], tiles: int, input_side: int, count: int) -> None:
    assert len(tile_windows(size, tiles, input_side)) == count


def test_what_the_whole_image_hides_is_found_where_it_is() -> None:
    image = np.zeros((400, 560, 3), np.uint8)
    image[301:305, 430:434, 0] = 255  # less than a pixel of the squeezed picture
    inner = RedSpotDetector()
    assert inner.detect(image).score < 0.5
    found = TiledDetector(inner, 3).detect(image)
    assert found.score >= 0.5
    box = found.boxes[0]
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((430, 301, 434, 305), abs=3)
    assert len(found.boxes) == 1  # neighbours that share it are merged
    auto = TiledDetector(inner, "auto").detect(image)
    assert auto.score > 0.5


def test_batches_are_filled_across_images_and_change_nothing() -> None:
    inner = RedSpotDetector()
    detector = TiledDetector(inner, 2)
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in [(300, 200), (40, 900), (10, 10), (150, 150)]]
    alone = [detector.detect(image) for image in images]
    inner.batches.clear()
    assert detector.detect_batch(images) == alone
    assert set(inner.batches[:-1]) == {3}
    assert detector.detect_batch([]) == []


def test_name_version_and_thresholds_tell_the_tiles() -> None:
    inner = RedSpotDetector()
    two, three = TiledDetector(inner, 2), TiledDetector(inner, 3)
    assert two.name == "spot (tiles 2)" and two.thresholds == inner.thresholds
    assert len({inner.version, two.version, three.version}) == 3
    assert TiledDetector(inner, 2, (Thresholds(0.9, 0.8), inner.thresholds)).version != two.version


def test_a_tile_must_be_as_much_surer_as_asked() -> None:
    image = np.zeros((400, 560, 3), np.uint8)
    image[301:305, 430:434, 0] = 200
    inner = RedSpotDetector()
    plain = TiledDetector(inner, 3).detect(image).score
    at_reject = TiledDetector(inner, 3, (Thresholds(plain, 0.4), Thresholds(0.5, 0.25))).detect(image)
    at_review = TiledDetector(inner, 3, (Thresholds(1.0, plain), Thresholds(0.5, 0.25))).detect(image)
    assert at_reject.score == pytest.approx(0.5) and at_review.score == pytest.approx(0.25)
    assert inner.detect(image).score < plain < 1
    image[:, :, 0] = 200  # what the whole image shows keeps its score
    sure = TiledDetector(inner, 3, (Thresholds(1.0, 1.0), Thresholds(0.5, 0.25))).detect(image)
    assert sure.score == inner.detect(image).score


def test_the_default_detector_can_be_tiled() -> None:
    spec = DetectorSpec(kind="default", tiles=2, thresholds=Limits(0.6, 0.2))
    detector = registry.load(spec)
    assert detector.name == "default (tiles 2)" and detector.thresholds == Thresholds(0.6, 0.2)
    image = np.random.default_rng(0).integers(0, 256, (500, 400, 3), dtype=np.uint8)
    whole = DefaultDetector().detect(image)
    assert detector.detect(image).score >= whole.score
    small = image[:200, :200]  # nothing to gain from tiles
    assert detector.detect(small) == DefaultDetector().detect(small)
