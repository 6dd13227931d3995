"""Placement against fractions, cropping against resizing the whole."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from math import ceil, floor

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matting_data.imaging.geometry import Box, Crop, Placement, bounding_box, cut, place
from tests.support.synthetic import Pixels, photo

sizes = st.tuples(st.integers(1, 6000), st.integers(1, 6000))
shares = st.floats(0, 1, exclude_max=True)


@given(sizes, sizes)
@example((49, 1), (1, 1))
@example((3, 7), (7, 3))
@example((1536, 2048), (1535, 2048))
def test_a_background_is_enlarged_only_when_too_small_by_the_larger_ratio_and_to_the_ceiling(
    foreground: tuple[int, int], background: tuple[int, int]
) -> None:
    ratio = max(Fraction(foreground[0], background[0]), Fraction(foreground[1], background[1]), Fraction(1))
    placement = place(foreground, background)
    assert (placement.width, placement.height) == (ceil(background[0] * ratio), ceil(background[1] * ratio))
    assert (placement.x, placement.y) == (0, 0)


@given(sizes, sizes, st.sampled_from(["top_left", "center", "random"]), st.tuples(shares, shares))
def test_the_window_lies_inside_the_enlarged_background(
    foreground: tuple[int, int], background: tuple[int, int], crop: Crop, at: tuple[float, float]
) -> None:
    p = place(foreground, background, crop, at)
    assert p.width >= background[0]
    assert p.height >= background[1]
    assert 0 <= p.x <= p.width - foreground[0]
    assert 0 <= p.y <= p.height - foreground[1]
    if crop == "center":
        assert abs(2 * p.x + foreground[0] - p.width) <= 1
        assert abs(2 * p.y + foreground[1] - p.height) <= 1


def test_golden_placements() -> None:
    assert place((800, 600), (800, 600)) == Placement(800, 600, 0, 0)
    assert place((800, 600), (1000, 900), "center") == Placement(1000, 900, 100, 150)
    assert place((800, 600), (400, 600)) == Placement(800, 1200, 0, 0)
    assert place((800, 600), (799, 600)) == Placement(800, 601, 0, 0)
    assert place((100, 1000), (640, 480), "center") == Placement(1334, 1000, 617, 0)


def test_a_random_window_reaches_both_ends_and_every_place_between() -> None:
    corners = {place((3, 2), (6, 4), "random", (i / 40, j / 40)) for i in range(40) for j in range(40)}
    assert {(p.x, p.y) for p in corners} == {(x, y) for x in range(4) for y in range(3)}


def cubic_matrix(length: int, enlarged: int) -> NDArray[np.float64]:
    """Keys' cubic convolution with a = −0.75 and repeated borders as a matrix, weight by weight."""

    def weight(distance: float) -> float:
        a, x = -0.75, abs(distance)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    matrix = np.zeros((enlarged, length))
    for out in range(enlarged):
        place = Fraction(2 * out + 1, 2) * Fraction(length, enlarged) - Fraction(1, 2)
        for tap in range(floor(place) - 1, floor(place) + 3):
            matrix[out, min(max(tap, 0), length - 1)] += weight(float(place - tap))
    return matrix


def exactly_enlarged(image: Pixels, width: int, height: int) -> NDArray[np.float64]:
    rows, columns = cubic_matrix(image.shape[0], height), cubic_matrix(image.shape[1], width)
    return np.clip(np.einsum("yv,vuc,xu->yxc", rows, image.astype(np.float64), columns, optimize=True), 0, 255)


small = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(small, small, st.integers(0, 99))
@settings(max_examples=100, deadline=None)
@example((40, 1), (1, 1), 0)
@example((1, 40), (1, 1), 0)
@example((40, 40), (1, 39), 0)
@example((2, 40), (40, 2), 0)
@example((40, 2), (2, 40), 0)
def test_an_enlarged_background_is_within_a_level_of_exact_cubic_convolution(
    foreground: tuple[int, int], background: tuple[int, int], seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (background[1], background[0], 3), dtype=np.uint8)
    placement = place(foreground, background, "center")
    exact = exactly_enlarged(image, placement.width, placement.height)
    window = exact[placement.y : placement.y + foreground[1], placement.x : placement.x + foreground[0]]
    assert np.abs(cut(image, placement, foreground) - window).max() <= 1


medium = st.tuples(st.integers(1, 120), st.integers(1, 120))


@given(medium, medium, st.tuples(shares, shares), st.integers(0, 99))
@settings(max_examples=200, deadline=None)
@example((120, 1), (1, 1), (0.0, 0.0), 0)
@example((1, 120), (1, 1), (0.0, 0.0), 0)
@example((120, 120), (1, 119), (0.5, 0.99), 0)
@example((2, 120), (120, 2), (0.99, 0.0), 0)
@example((120, 2), (2, 120), (0.0, 0.99), 0)
def test_cutting_a_window_equals_enlarging_the_whole_and_cropping_to_the_bit(
    foreground: tuple[int, int], background: tuple[int, int], at: tuple[float, float], seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (background[1], background[0], 3), dtype=np.uint8)
    before = image.copy()
    p = place(foreground, background, "random", at)
    window = cut(image, p, foreground)
    assert window.shape == (foreground[1], foreground[0], 3)
    assert window.dtype == np.uint8
    assert window.flags.c_contiguous
    np.testing.assert_array_equal(image, before)
    whole = cut(image, Placement(p.width, p.height, 0, 0), (p.width, p.height))
    np.testing.assert_array_equal(window, whole[p.y : p.y + foreground[1], p.x : p.x + foreground[0]])


@given(medium, medium, st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_a_flat_background_stays_flat(foreground: tuple[int, int], background: tuple[int, int], level: int) -> None:
    image = np.full((background[1], background[0], 3), level, np.uint8)
    assert (cut(image, place(foreground, background), foreground) == level).all()


@pytest.mark.parametrize(
    ("foreground", "background"),
    [((1080, 1350), (1024, 683)), ((700, 1100), (640, 480)), ((1201, 799), (1200, 1600)), ((900, 40), (30, 2000))],
)
@pytest.mark.parametrize("crop", ["top_left", "center", "random"])
def test_cutting_real_sizes_is_opencvs_cubic_interpolation_to_within_a_level(
    foreground: tuple[int, int], background: tuple[int, int], crop: Crop
) -> None:
    image = photo(*background)
    p = place(foreground, background, crop, (0.37, 0.81))
    whole = np.asarray(cv2.resize(image, (p.width, p.height), interpolation=cv2.INTER_CUBIC)).astype(int)
    window = whole[p.y : p.y + foreground[1], p.x : p.x + foreground[0]]
    assert np.abs(cut(image, p, foreground) - window).max() <= 1


def test_an_enlarged_background_has_the_same_bytes_on_every_processor() -> None:
    image = np.random.default_rng(7).integers(0, 256, (47, 61, 3), dtype=np.uint8)
    digest = hashlib.sha256(cut(image, place((150, 130), (61, 47), "center"), (150, 130)).tobytes()).hexdigest()
    assert digest == "107b4b34ac9e57884a2a2016eb545c35cba3d97d3e805bc0f3eb0a8009c0fa34"


def test_a_window_of_a_large_background_is_an_exact_copy_of_its_own() -> None:
    image = photo(50, 40)
    before = image.copy()
    window = cut(image, place((20, 10), (50, 40), "center"), (20, 10))
    np.testing.assert_array_equal(window, before[15:25, 15:35])
    assert not np.shares_memory(window, image)
    window[:] = 0
    np.testing.assert_array_equal(image, before)


def test_a_window_as_large_as_the_background_does_not_alias_it() -> None:
    image = photo(20, 10)
    window = cut(image, place((20, 10), (20, 10)), (20, 10))
    np.testing.assert_array_equal(window, image)
    assert not np.shares_memory(window, image)


@given(st.data())
def test_the_bounding_box_is_the_smallest_around_what_is_not_zero(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    mask = np.zeros((height, width), np.uint8)
    for y, x in data.draw(st.lists(st.tuples(st.integers(0, height - 1), st.integers(0, width - 1)), max_size=4)):
        mask[y, x] = data.draw(st.integers(1, 255))
    box = bounding_box(mask)
    assert bounding_box(mask > 0) == box
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        assert (box.width, box.height) == (0, 0)
    else:
        assert box == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert mask[box.slices].shape == (box.height, box.width)
