"""Several detectors as one: whoever any of them rejects is rejected."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from matting_data.detectors import registry
from matting_data.detectors.combined import CombinedDetector, common_scale
from matting_data.detectors.default import DefaultDetector
from matting_data.detectors.detector import Detection, Thresholds
from matting_data.detectors.spec import DetectorSpec
from matting_data.humans.policy import HumanPolicy, verdict
from matting_data.records.checked import HumanBox

IMAGE = np.zeros((10, 10, 3), np.uint8)
ORDER = ["keep", "review", "reject"]
shares = st.floats(0, 1)


@dataclass
class Fixed:
    name: str
    score: float
    thresholds: Thresholds
    version: str = "1"

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        return Detection(self.score, (HumanBox(1, 1, 5, 5, self.score, self.name),))


@given(st.tuples(shares, shares), st.tuples(shares, shares), shares, shares)
def test_the_verdict_is_the_strictest_of_the_parts(
    one: tuple[float, float], other: tuple[float, float], score: float, second: float
) -> None:
    parts = [Fixed("a", score, Thresholds(max(one), min(one))), Fixed("b", second, Thresholds(max(other), min(other)))]
    combined = CombinedDetector(parts)
    policy = HumanPolicy(detector="combined", review="review")
    alone = [verdict(part.detect(IMAGE), policy, part.thresholds).verdict for part in parts]
    found = combined.detect(IMAGE)
    assert verdict(found, policy, combined.thresholds).verdict == max(alone, key=ORDER.index)


@given(st.tuples(shares, shares), shares, shares)
def test_the_common_scale_never_falls(limits: tuple[float, float], low: float, high: float) -> None:
    thresholds = Thresholds(max(limits), min(limits))
    low, high = sorted((low, high))
    assert 0 <= common_scale(low, thresholds) <= common_scale(high, thresholds) <= 1


def test_the_common_scale_is_linear_between_the_thresholds() -> None:
    thresholds = Thresholds(reject=0.8, review=0.4)
    scores = [0, 0.2, 0.4, 0.6, 0.8, 0.9, 1]
    assert [common_scale(score, thresholds) for score in scores] == pytest.approx([0, 0.125, 0.25, 0.375, 0.5, 0.75, 1])


def test_all_parts_are_named_and_decide_the_version() -> None:
    a, b = Fixed("a", 0.5, Thresholds(0.5, 0.2)), Fixed("b", 0.9, Thresholds(0.6, 0.2))
    combined = CombinedDetector([a, b])
    assert combined.name == "a + b"
    changed = [Fixed("b", 0.9, Thresholds(0.7, 0.2)), Fixed("b", 0.9, Thresholds(0.6, 0.2), version="2")]
    versions = {combined.version, *(CombinedDetector([a, other]).version for other in changed)}
    assert len(versions) == 3
    boxes = combined.detect(IMAGE).boxes
    assert [box.label for box in boxes] == ["b"]  # the same place: the stronger stays


def test_a_list_of_specifications_is_a_combination() -> None:
    detector = registry.load(["default", DetectorSpec(kind="default", tiles=2)])
    assert detector.name == "default + default (tiles 2)"
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    own = DefaultDetector()
    assert detector.detect(image).score == pytest.approx(common_scale(own.detect(image).score, own.thresholds))
    assert type(registry.load(["default"])) is DefaultDetector
