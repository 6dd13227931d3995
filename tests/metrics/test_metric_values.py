"""Values worked out by hand, ties, and what is refused."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from matting_data.errors import UsageError
from matting_data.metrics import at_boundary, boundary, compose, connectivity, dtssd, gradient, mad, mse, sad, unknown
from matting_data.metrics.components import LargestRule
from matting_data.metrics.connectivity import ConnectivityRule, connectivity_sum
from matting_data.metrics.gradient import gaussian_filter, reference_filter
from matting_data.metrics.mattes import pair

ALL = (mse, mad, sad, gradient, connectivity)


def plane(*rows: list[int]) -> NDArray[np.uint8]:
    return np.array(rows, np.uint8)


def test_pixel_errors_by_hand() -> None:
    p, g = plane([255, 0], [51, 102]), plane([0, 0], [0, 255])
    assert sad(p, g) == pytest.approx(1 + 0.2 + 0.6, rel=1e-15)
    assert mad(p, g) == pytest.approx(1.8 / 4, rel=1e-15)
    assert mse(p, g) == pytest.approx((1 + 0.04 + 0.36) / 4, rel=1e-15)
    region = np.array([[False, True], [True, True]])
    assert sad(p, g, region) == pytest.approx(0.8, rel=1e-15)
    assert mse(p, g, region) == pytest.approx(0.4 / 3, rel=1e-15)


def test_a_one_pixel_error_moves_sad_by_its_size() -> None:
    g = np.full((7, 5), 128, np.uint8)
    p = g.copy()
    p[3, 2] += 51
    assert sad(p, g) == pytest.approx(0.2, rel=1e-15)


def test_gradient_of_a_vertical_step_by_hand() -> None:
    # every row is the same, so only the derivative along the row is left, times the smoothing taps' sum
    smooth = np.array([exp(-(x**2) / (2 * 1.4**2)) for x in range(-4, 5)])
    slope = np.array([x * exp(-(x**2) / (2 * 1.4**2)) for x in range(-4, 5)])
    smooth, slope = smooth / sqrt((smooth**2).sum()), slope / sqrt((slope**2).sum())
    g = np.zeros((9, 20), np.uint8)
    g[:, 10:] = 255
    expected = 0.0
    for x in range(20):
        lit = [k for k in range(-4, 5) if min(max(x + k, 0), 19) >= 10]
        expected += 9 * (smooth.sum() * sum(slope[k + 4] for k in lit)) ** 2
    assert gradient(np.zeros_like(g), g) == pytest.approx(expected, rel=1e-12)
    assert gradient(np.full_like(g, 200), g) == pytest.approx(expected, rel=1e-12)


def test_the_kernels_are_those_of_the_facts() -> None:
    reference = reference_filter()
    assert len(reference.slope) == 5 and reference.slope[0] == 0
    for taps in (reference.smooth, reference.slope):
        assert taps[0] ** 2 + 2 * sum(tap**2 for tap in taps[1:]) == pytest.approx(1, rel=1e-15)
    scipy = gaussian_filter()
    norm = (scipy.smooth[0] ** 2 + 2 * sum(t**2 for t in scipy.smooth[1:])) * 2 * sum(t**2 for t in scipy.slope)
    assert 1 / norm == pytest.approx(96.6, abs=0.1)  # against 100: the 3.6 % of GFM's gradient error


def test_stretching_changes_the_gradient_of_a_dim_matte_only() -> None:
    g = np.zeros((12, 12), np.uint8)
    g[:, 6:] = 255
    dim = g // 5
    assert gradient(dim, g) == pytest.approx(0, abs=1e-25)
    assert gradient(dim, g, scaled=False) == pytest.approx(0.64 * gradient(np.zeros_like(g), g), rel=1e-12)


def test_connectivity_of_an_island_by_hand() -> None:
    g = plane([255, 255, 255, 0, 0])
    p = plane([255, 255, 255, 0, 204])
    # the island is in no largest component: l = 0, so φ(p) = 1 − 0.8 there and φ(g) = 1
    assert connectivity(p, g) == pytest.approx(0.8, rel=1e-15)
    # here truth has the island too, but it hangs on nothing: 0.8 against 1
    assert connectivity(p, plane([255, 255, 255, 0, 255])) == pytest.approx(0.2, rel=1e-15)
    # connected up to 0.5, where the truth ends: 0.3 too much for the prediction
    assert connectivity(plane([255, 255, 204]), plane([255, 255, 128])) == pytest.approx(0.8 - 0.5, rel=1e-15)
    # connected up to 0.5: an excess of 27/255 < 0.15 is forgiven
    assert connectivity(plane([255, 255, 154]), plane([255, 255, 128])) == 0


def test_connectivity_is_that_of_four_neighbours() -> None:
    g = plane([255, 255, 0], [0, 0, 255])
    assert connectivity(plane([255, 255, 0], [0, 0, 102]), g) == pytest.approx(0.6, rel=1e-15)


@pytest.mark.parametrize("tenths, code", [(2, 51), (4, 102), (6, 153), (8, 204)])
def test_a_code_on_a_threshold_reaches_it(tenths: int, code: int) -> None:
    g = plane([255, 255, code], [255, 255, 255])
    p = plane([255, 255, 255], [255, 255, 255])
    expected = 1 - tenths / 10  # φ(g) = 1: the truth itself exceeds its level by nothing
    for one, other in ((p, g), (p / 255, g / 255), ((p / 255).astype("f4"), (g / 255).astype("f4"))):
        assert connectivity(one, other) == pytest.approx(expected, abs=1e-6)
    below = plane([255, 255, code - 1], [255, 255, 255])
    excess = (code - 1) / 255 - (tenths - 1) / 10
    assert excess < 0.15
    assert connectivity(p, below) == pytest.approx(1 - (tenths - 1) / 10, rel=1e-12)


def test_ties_go_to_the_component_met_first_column_by_column() -> None:
    # two components of two pixels; the left one starts lower
    g = plane([0, 0, 255], [255, 0, 255], [255, 0, 0])
    p = plane([0, 0, 255], [204, 0, 204], [204, 0, 0])
    # left one is connected up to 0.8: φ(p) = 1, φ(g) = 0.8 twice; the right one is not: 1 − α
    assert connectivity(p, g) == pytest.approx(0.2 + 0.2 + 0.2, rel=1e-12)
    by_row = connectivity_sum(pair(p, g), ConnectivityRule(LargestRule(by_column=False)))
    # the right one, met first row by row: its lower pixel 0.8 against 1; the left ones hang on nothing, 0.8 against 1
    assert by_row == pytest.approx(0.2 * 3, rel=1e-12)
    tall = plane([0, 0, 255], [204, 0, 128], [204, 0, 0])
    assert connectivity(tall, g) != connectivity_sum(pair(tall, g), ConnectivityRule(LargestRule(by_column=False)))


def test_an_all_background_truth_has_stated_values() -> None:
    g = np.zeros((6, 8), np.uint8)
    p = np.full((6, 8), 51, np.uint8)
    p[0, 0] = 25  # 0.098 < 0.15 is forgiven by connectivity
    assert mse(p, g) == pytest.approx((47 * 0.04 + (25 / 255) ** 2) / 48, rel=1e-12)
    assert sad(p, g) == pytest.approx(47 * 0.2 + 25 / 255, rel=1e-12)
    assert connectivity(p, g) == pytest.approx(47 * 0.2, rel=1e-12)
    assert gradient(p, g) > 0
    skipping = ConnectivityRule(LargestRule(skip_empty=True))
    assert connectivity_sum(pair(p, g), skipping) == 0  # the MATLAB script's silent zero


def test_other_byte_orders_strides_and_read_only_arrays() -> None:
    rng = np.random.default_rng(0)
    p, g = rng.integers(0, 65536, (2, 9, 11), dtype=np.uint16)
    wide = np.repeat(np.repeat(p, 2, 0), 2, 1)
    fixed = p.copy()
    fixed.flags.writeable = False
    others = [p.astype(">u2"), p.astype("<u2"), wide[::2, ::2], np.asfortranarray(p), fixed]
    for metric in ALL:
        expected = metric(p, g)
        assert [metric(other, g) for other in others] == [expected] * len(others)
        floats = metric((p / 65535).astype(">f8"), (g / 65535).astype("<f8"))
        assert floats == pytest.approx(expected, rel=1e-12)


BAD = {
    "NaN": (np.full((2, 2), np.nan), "the prediction holds NaN, outside [0, 1]"),
    "one NaN": (np.array([[0.5, np.nan], [0, 1]]), "holds NaN"),
    "infinity": (np.array([[0.5, np.inf], [0, 1]]), "holds inf"),
    "codes as floats": (np.full((2, 2), 200.0), "holds 200, outside [0, 1]: divide by 255"),
    "a little too much": (np.full((2, 2), 1.001), "holds 1.001, outside [0, 1]"),
    "negative": (np.full((2, 2), -0.25), "holds -0.25, outside [0, 1]: clip it"),
    "another shape": (np.zeros((2, 3), np.uint8), "the prediction is 3×2 and the truth 2×2: resize"),
    "a channel": (np.zeros((2, 2, 1), np.uint8), "has shape (2, 2, 1): pass one H×W plane"),
    "no pixels": (np.zeros((0, 2), np.uint8), "no pixels"),
    "signed": (np.zeros((2, 2), np.int64), "has type int64: pass uint8"),
    "bool": (np.zeros((2, 2), bool), "has type bool: pass uint8"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_mattes_are_refused_in_one_sentence(kind: str) -> None:
    bad, words = BAD[kind]
    for metric in ALL:
        with pytest.raises(UsageError) as error:
            metric(bad, np.zeros((2, 2), np.uint8))
        assert words in str(error.value) and "\n" not in str(error.value)


def test_bad_regions_are_refused() -> None:
    g = np.zeros((2, 2), np.uint8)
    for metric in ALL:
        with pytest.raises(UsageError, match="the region is empty"):
            metric(g, g, np.zeros((2, 2), bool))
        with pytest.raises(UsageError, match=r"the region has type uint8: pass a bool array, for a trimap unknown"):
            metric(g, g, np.full((2, 2), 128, np.uint8))
        with pytest.raises(UsageError, match="the region has shape"):
            metric(g, g, np.ones((2, 3), bool))


def test_trimaps() -> None:
    trimap = plane([0, 128, 255])
    assert unknown(trimap).tolist() == [[False, True, False]]
    assert compose(plane([9, 9, 9]), trimap).tolist() == [[0, 9, 255]]
    assert compose(np.full((1, 3), 9, np.uint16), trimap).tolist() == [[0, 9, 65535]]
    assert compose(np.full((1, 3), 0.5), trimap).tolist() == [[0, 0.5, 1]]
    with pytest.raises(UsageError, match="the trimap holds the value 127"):
        unknown(plane([0, 127, 255]))
    with pytest.raises(UsageError, match="pass H×W uint8"):
        unknown(np.zeros((2, 2)))
    with pytest.raises(UsageError, match="one size"):
        compose(plane([9, 9]), trimap)


def test_dtssd_by_hand() -> None:
    g = np.zeros((3, 2, 2), np.uint8)
    p = g.copy()
    p[1, 0, 0] = 255  # flickers up, then down: √(1/4) at each of the two transitions
    assert dtssd(p, g) == pytest.approx(0.5, rel=1e-15)
    steady = g.copy()
    steady[:, 1, 1] = 255
    assert dtssd(steady, g) == 0
    regions = np.zeros((3, 2, 2), bool)
    regions[:, 0] = True
    assert dtssd(p, g, regions) == pytest.approx(sqrt(1 / 2), rel=1e-15)
    regions[1:] = ~regions[1:]  # the earlier frame's counts: the flicker up is seen, the one down is not
    assert dtssd(p, g, regions) == pytest.approx(sqrt(1 / 2) / 2, rel=1e-15)
    assert dtssd(p / 255, g / 255) == pytest.approx(0.5, rel=1e-15)
    for predictions, truths, words in (
        (p[:1], g[:1], "no transition"),
        (p, g[:2], "3 predictions for 2 truths"),
        ([p[0], p[1, :1]], [g[0], g[1, :1]], "one size"),
    ):
        with pytest.raises(UsageError, match=words):
            dtssd(predictions, truths)


def test_the_boundary_by_hand() -> None:
    g = np.zeros((7, 7), np.uint8)
    g[3, 3] = 100
    assert boundary(g, 0).sum() == 1
    assert boundary(g, 1).sum() == 5
    assert boundary(g, 1.5).sum() == 9
    assert boundary(g, sqrt(5)).sum() == 21
    step = np.zeros((3, 8), np.uint8)
    step[:, 4:] = 255
    assert boundary(step, 0).any(axis=0).tolist() == [x in (3, 4) for x in range(8)]
    assert boundary(step.T / 255, 1).any(axis=1).tolist() == [x in (2, 3, 4, 5) for x in range(8)]


def test_metrics_at_the_boundary_see_only_the_band() -> None:
    g = np.zeros((20, 20), np.uint8)
    g[:, 10:] = 255
    p = g.copy()
    p[:, 9] = 51
    p[:, 2] = 102
    assert at_boundary(sad, p, g, 2) == pytest.approx(20 * 0.2, rel=1e-12)
    assert at_boundary(mse, p, g, 0) == pytest.approx(0.04 / 2, rel=1e-12)
    assert at_boundary(connectivity, p, g, 2) == connectivity(p, g, boundary(g, 2)) > 0
    with pytest.raises(UsageError, match="the truth is 1 everywhere and has no boundary"):
        at_boundary(sad, p, np.full_like(g, 255), 2)
    with pytest.raises(UsageError, match="the radius is -1"):
        boundary(g, -1)
    with pytest.raises(UsageError, match="the radius is nan"):
        boundary(g, float("nan"))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (np.float32(1.0000001), r"holds 1\.0000001\d*, outside \[0, 1\]: clip it"),
        (np.float64(1.000000000001), r"holds 1\.000000000001, outside \[0, 1\]: clip it"),
        (np.float64(1.3), r"holds 1\.3, .*: clip it"),
        (np.float64(-0.25), r"holds -0\.25, .*: clip it"),
        (np.float64(255), r"holds 255, .*: divide by 255"),
        (np.float64(65535), r"holds 65535, .*: divide by 65535"),
        (np.float64("inf"), r"holds inf, .*: find out where it comes from"),
        (np.float64("nan"), r"holds NaN, .*: find out where it comes from"),
    ],
)
def test_the_remedy_fits_the_value(value: np.floating, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        mad(np.full((2, 2), value), np.zeros((2, 2)))
