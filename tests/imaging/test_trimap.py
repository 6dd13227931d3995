"""Trimaps against their definition, pixel by pixel."""

from __future__ import annotations

from math import sqrt

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matting_data.imaging.kernels.run_png import run_png
from matting_data.imaging.trimap import Radii, Trimapper, adaptive_radii, dim_radii, fixed_radii, person_extent
from tests.support.synthetic import Pixels, soft_matte

levels = st.one_of(st.sampled_from([0, 0, 255, 255, 255]), st.integers(0, 255))
mattes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=11).flatmap(
    lambda shape: hnp.arrays(np.uint8, shape, elements=levels, fill=st.sampled_from([0, 255]))
)


def within(alpha: Pixels, y: int, x: int, side: int) -> list[int]:
    """Alpha under OpenCV's ellipse of `side`, its anchor (the middle, rounded down to the right) at (y, x)."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    found = []
    for j in range(side):
        for i in range(side):
            row, column = y + j - side // 2, x + i - side // 2
            if kernel[j, i] and 0 <= row < alpha.shape[0] and 0 <= column < alpha.shape[1]:
                found.append(int(alpha[row, column]))
    return found


def by_ellipse(alpha: Pixels, dilate: int, erode: int) -> Pixels:
    trimap = np.zeros_like(alpha)
    for y, x in np.ndindex(*alpha.shape):
        if max(within(alpha, y, x, dilate)) > 0:
            trimap[y, x] = 255 if min(within(alpha, y, x, erode)) == 255 else 128
    return trimap


def by_distance(alpha: Pixels, dilate: int, erode: int) -> Pixels:
    trimap = np.zeros_like(alpha)
    places = list(np.ndindex(*alpha.shape))
    for y, x in places:
        square = {(v, u): (v - y) ** 2 + (u - x) ** 2 for v, u in places}
        if any(alpha[p] > 0 and square[p] <= dilate**2 for p in places):
            solid = all(alpha[p] == 255 for p in places if square[p] <= erode**2)
            trimap[y, x] = 255 if solid else 128
    return trimap


@given(mattes, st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=120, deadline=None)
def test_an_ellipse_trimap_follows_its_definition(alpha: Pixels, dilate: int, erode: int) -> None:
    drawn = Trimapper(alpha).draw(Radii("ellipse", dilate, erode))
    np.testing.assert_array_equal(drawn, by_ellipse(alpha, dilate, erode))


@pytest.mark.parametrize("side", [1, 2, 13, 14, 29, 30])
def test_an_ellipse_trimap_of_a_person_follows_its_definition(side: int) -> None:
    alpha = soft_matte(33, 41)
    drawn = Trimapper(alpha).draw(fixed_radii(side))
    np.testing.assert_array_equal(drawn, by_ellipse(alpha, side, side))


wide_mattes = st.builds(
    lambda levels, lengths, height, width: np.resize(np.repeat(levels, lengths), (height, width)).astype(np.uint8),
    st.just([0, 255, 0, 9, 255, 128]),
    st.lists(st.integers(1, 150), min_size=6, max_size=6),
    st.integers(1, 40),
    st.sampled_from([1, 8, 63, 64, 65, 127, 128, 129, 200, 300]),
)


@given(mattes | wide_mattes, st.sampled_from(["ellipse", "disc"]), st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=200, deadline=None)
def test_the_png_of_a_trimap_is_that_of_its_pixels(alpha: Pixels, element: str, dilate: int, erode: int) -> None:
    radii = Radii(element, dilate, erode)
    assert Trimapper(alpha).png(radii) == run_png(Trimapper(alpha).draw(radii))


@pytest.mark.parametrize("side", [1, 2, 25, 63, 64, 65, 129, 200, 399, 400])
@pytest.mark.parametrize("size", [(63, 50), (64, 50), (65, 70), (200, 120), (1, 90), (300, 1)])
def test_an_ellipse_trimap_equals_opencvs_morphology_at_any_size(side: int, size: tuple[int, int]) -> None:
    alpha = np.zeros((size[1], size[0]), np.uint8)
    alpha[size[1] // 3 : size[1] // 3 + 30, size[0] // 3 :] = 255
    alpha[0, 0] = 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    expected = np.full_like(alpha, 128)
    expected[cv2.dilate((alpha > 0).astype(np.uint8), kernel) == 0] = 0
    expected[cv2.erode((alpha == 255).astype(np.uint8), kernel) == 1] = 255
    np.testing.assert_array_equal(Trimapper(alpha).draw(fixed_radii(side)), expected)


@given(mattes, st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_a_disc_trimap_follows_its_definition(alpha: Pixels, dilate: int, erode: int) -> None:
    drawn = Trimapper(alpha).draw(Radii("disc", dilate, erode))
    np.testing.assert_array_equal(drawn, by_distance(alpha, dilate, erode))


@pytest.mark.parametrize("shape", [(2, 300), (300, 2), (1, 2), (1, 40)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_disc_trimap_of_a_thin_frame_reaches_as_far_as_its_radius(shape: tuple[int, int], value: int) -> None:
    alpha = np.full(shape, value, np.uint8)
    alpha[0, 0] = 255 - value
    drawn = Trimapper(alpha).draw(Radii("disc", 17, 9))
    for y, x in np.ndindex(*shape):
        distance = sqrt(y * y + x * x)
        if value == 0:
            expected = 128 if distance <= 17 else 0
        elif value == 128:
            expected = 128
        else:
            expected = 255 if distance > 9 else 128
        assert drawn[y, x] == expected, (y, x)


@pytest.mark.parametrize("element", ["ellipse", "disc"])
@pytest.mark.parametrize("value", [0, 255])
def test_a_uniform_matte_has_no_unknown_pixels(element: str, value: int) -> None:
    alpha = np.full((9, 14), value, np.uint8)
    drawn = Trimapper(alpha).draw(Radii(element, 5, 5))
    assert (drawn == value).all()


@given(mattes, st.sampled_from(["ellipse", "disc"]), st.integers(1, 30), st.integers(1, 30))
@settings(deadline=None)
def test_a_trimap_never_contradicts_its_alpha(alpha: Pixels, element: str, dilate: int, erode: int) -> None:
    drawn = Trimapper(alpha).draw(Radii(element, dilate, erode))
    assert drawn.shape == alpha.shape
    assert drawn.dtype == np.uint8
    assert set(np.unique(drawn).tolist()) <= {0, 128, 255}
    assert (alpha[drawn == 0] == 0).all()
    assert (alpha[drawn == 255] == 255).all()


def test_many_trimaps_of_one_alpha_do_not_depend_on_the_order_they_are_drawn_in() -> None:
    alpha = soft_matte(40, 50)
    radii = [Radii("ellipse", 5, 9), Radii("disc", 3, 4), Radii("ellipse", 9, 5), Radii("disc", 1, 6)]
    shared = Trimapper(alpha)
    together = [shared.draw(r) for r in radii]
    alone = [Trimapper(alpha).draw(r) for r in reversed(radii)]
    for one, other in zip(together, reversed(alone), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_trimap_widens_with_its_sizes_on_the_side_they_belong_to() -> None:
    trimapper = Trimapper(soft_matte(60, 80))
    narrow, outside, inside = (trimapper.draw(Radii("disc", d, e)) for d, e in ((2, 2), (6, 2), (2, 6)))
    assert ((outside == 0).sum() < (narrow == 0).sum()) and ((outside == 255) == (narrow == 255)).all()
    assert ((inside == 255).sum() < (narrow == 255).sum()) and ((inside == 0) == (narrow == 0)).all()


def test_dim_sizes_cover_their_half_open_range_and_are_drawn_each_for_itself() -> None:
    rng = np.random.default_rng(0)
    drawn = [dim_radii((1, 30), rng) for _ in range(3000)]
    assert {r.element for r in drawn} == {"ellipse"}
    assert {r.dilate for r in drawn} == {r.erode for r in drawn} == set(range(1, 30))
    # independent draws are alike once in 29 times, not always
    assert 50 < sum(r.dilate == r.erode for r in drawn) < 170
    assert abs(np.corrcoef([r.dilate for r in drawn], [r.erode for r in drawn])[0, 1]) < 0.08


def test_fixed_sizes_are_the_kernel_on_both_sides() -> None:
    assert fixed_radii(25) == Radii("ellipse", 25, 25)


@given(st.tuples(st.floats(0.001, 0.1), st.floats(0, 0.4)), st.floats(1, 5000), st.integers(0, 2**32))
def test_adaptive_radii_lie_within_their_shares_of_the_person(
    low_and_more: tuple[float, float], extent: float, seed: int
) -> None:
    low, high = low_and_more[0], low_and_more[0] + low_and_more[1]
    radii = adaptive_radii((low, high), extent, np.random.default_rng(seed))
    assert radii.element == "disc"
    for radius in (radii.dilate, radii.erode):
        assert max(1, low * extent - 0.5) <= radius <= max(1, high * extent + 0.5)


def test_adaptive_radii_are_drawn_each_for_itself() -> None:
    rng = np.random.default_rng(1)
    drawn = [adaptive_radii((0.01, 0.2), 1000, rng) for _ in range(1000)]
    assert sum(r.dilate == r.erode for r in drawn) < 40
    assert min(r.dilate for r in drawn) < 20
    assert max(r.erode for r in drawn) > 190


@given(st.integers(0, 2**32), st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_a_person_twice_as_large_gets_radii_twice_as_large(seed: int, person: int) -> None:
    alpha = soft_matte(50, 70, person)
    double = np.repeat(np.repeat(alpha, 2, axis=0), 2, axis=1)
    assert person_extent(double) == pytest.approx(2 * person_extent(alpha))
    one = adaptive_radii((0.05, 0.3), person_extent(alpha), np.random.default_rng(seed))
    two = adaptive_radii((0.05, 0.3), person_extent(double), np.random.default_rng(seed))
    assert abs(two.dilate - 2 * one.dilate) <= 1
    assert abs(two.erode - 2 * one.erode) <= 1


def test_the_persons_extent_counts_what_is_mostly_person_and_not_the_frame() -> None:
    alpha = np.full((100, 100), 127, np.uint8)
    alpha[10:26, 50:86] = 128
    assert person_extent(alpha) == pytest.approx(sqrt(16 * 36))
