"""Placement against fractions, cropping against resizing the whole."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from math import ceil

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from synthetic import Pixels, photo

from matting_data.imaging.geometry import Box, Crop, Placement, bounding_box, cut, place

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


def resized_then_cropped(image: Pixels, p: Placement, size: tuple[int, int]) -> Pixels:
    before = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)  # Intel's code path rounds differently on each processor
    whole = np.asarray(cv2.resize(image, (p.width, p.height), interpolation=cv2.INTER_CUBIC), np.uint8)
    cv2.ipp.setUseIPP(before)
    return whole[p.y : p.y + size[1], p.x : p.x + size[0]]


small = st.tuples(st.integers(1, 120), st.integers(1, 120))


@given(small, small, st.sampled_from(["top_left", "center", "random"]), st.tuples(shares, shares), st.integers(0, 99))
@settings(max_examples=300, deadline=None)
@example((120, 1), (1, 1), "top_left", (0.0, 0.0), 0)
@example((1, 120), (1, 1), "top_left", (0.0, 0.0), 0)
@example((120, 120), (1, 119), "random", (0.5, 0.99), 0)
@example((2, 120), (120, 2), "random", (0.99, 0.0), 0)
@example((120, 2), (2, 120), "random", (0.0, 0.99), 0)
def test_cutting_equals_resizing_the_whole_and_cropping_to_the_bit(
    foreground: tuple[int, int], background: tuple[int, int], crop: Crop, at: tuple[float, float], seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (background[1], background[0], 3), dtype=np.uint8)
    placement = place(foreground, background, crop, at)
    window = cut(image, placement, foreground)
    assert window.shape == (foreground[1], foreground[0], 3)
    assert window.flags.c_contiguous
    np.testing.assert_array_equal(window, resized_then_cropped(image, placement, foreground))


@pytest.mark.parametrize(
    ("foreground", "background"),
    [((1080, 1350), (1024, 683)), ((700, 1100), (640, 480)), ((1201, 799), (1200, 1600)), ((900, 40), (30, 2000))],
)
@pytest.mark.parametrize("crop", ["top_left", "center", "random"])
def test_cutting_real_sizes_equals_resizing_the_whole(
    foreground: tuple[int, int], background: tuple[int, int], crop: Crop
) -> None:
    image = photo(*background)
    placement = place(foreground, background, crop, (0.37, 0.81))
    expected = resized_then_cropped(image, placement, foreground)
    np.testing.assert_array_equal(cut(image, placement, foreground), expected)


def test_an_enlarged_background_has_the_same_bytes_on_every_processor() -> None:
    image = np.random.default_rng(7).integers(0, 256, (47, 61, 3), dtype=np.uint8)
    digest = hashlib.sha256(cut(image, place((150, 130), (61, 47), "center"), (150, 130)).tobytes()).hexdigest()
    assert digest == "c55279087b61b71dcef5a51c143b538916a8e9ccfd04a45f176d4258c5c589a3"


def test_cutting_leaves_opencvs_settings_as_they_were() -> None:
    before = cv2.ipp.useIPP()
    cut(photo(5, 4), place((10, 8), (5, 4)), (10, 8))
    assert cv2.ipp.useIPP() == before


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
