"""Overlap and non-maximum suppression against a plain re-implementation."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matting_data.detectors.boxes import overlap, suppressed

coordinates = st.integers(0, 20).map(float)
rectangles = st.tuples(coordinates, coordinates, coordinates, coordinates).map(
    lambda c: [min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3])]
)


def plain_overlap(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


@given(rectangles, st.lists(rectangles, min_size=1, max_size=6))
def test_overlap_is_intersection_over_union(one: list[float], others: list[list[float]]) -> None:
    found = overlap(np.asarray(one, np.float32), np.asarray(others, np.float32))
    np.testing.assert_allclose(found, [plain_overlap(one, other) for other in others], atol=1e-6)


@given(st.lists(rectangles, min_size=0, max_size=12), st.data(), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_suppression_keeps_the_strongest_of_each_cluster(
    corners: list[list[float]], data: st.DataObject, limit: float
) -> None:
    scores = data.draw(hnp.arrays(np.float32, len(corners), elements=st.floats(0, 1, width=32)))
    boxes = np.asarray(corners, np.float32).reshape(-1, 4)
    kept = suppressed(boxes, scores, limit, 100).tolist()
    assert len(set(kept)) == len(kept)
    assert [float(scores[i]) for i in kept] == sorted((float(scores[i]) for i in kept), reverse=True)
    for position, i in enumerate(kept):
        assert all(plain_overlap(corners[i], corners[j]) <= limit + 1e-6 for j in kept[:position])
    for i in set(range(len(corners))) - set(kept):
        assert any(scores[j] >= scores[i] and plain_overlap(corners[i], corners[j]) > limit - 1e-6 for j in kept)


def test_suppression_stops_at_the_limit_and_takes_nothing_from_nothing() -> None:
    apart = np.asarray([[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]], np.float32)
    assert suppressed(apart, np.asarray([0.1, 0.9, 0.5], np.float32), 0.5, 2).tolist() == [1, 2]
    assert suppressed(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5, 5).tolist() == []


def test_equals_keep_their_order() -> None:
    apart = np.asarray([[0, 0, 1, 1], [2, 2, 3, 3]], np.float32)
    assert suppressed(apart, np.asarray([0.5, 0.5], np.float32), 0.5, 5).tolist() == [0, 1]
