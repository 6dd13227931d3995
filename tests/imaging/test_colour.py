"""Foreground colours of soft pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matting_data.imaging.colour import estimate_soft_colours, soft_pixels, with_soft_colours
from matting_data.imaging.composite import over, premultiply
from tests.support.synthetic import Pixels, photo, soft_matte


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_soft_is_what_is_neither_clear_nor_opaque(alpha: Pixels) -> None:
    np.testing.assert_array_equal(soft_pixels(alpha), (alpha > 0) & (alpha < 255))


def test_all_256_levels_are_told_apart() -> None:
    levels = np.arange(256, dtype=np.uint8)[None]
    assert soft_pixels(levels).ravel().tolist() == [False] + [True] * 254 + [False]


def test_only_soft_pixels_are_replaced_in_row_order_and_in_place() -> None:
    image, alpha = photo(30, 20), soft_matte(30, 20)
    places = [(y, x) for y, x in np.ndindex(*alpha.shape) if 0 < alpha[y, x] < 255]
    colours = np.random.default_rng(0).integers(0, 256, (len(places), 3), dtype=np.uint8)
    expected = image.copy()
    for place, colour in zip(places, colours, strict=True):
        expected[place] = colour
    assert with_soft_colours(image, alpha, colours) is image
    np.testing.assert_array_equal(image, expected)


@pytest.mark.slow
def test_the_old_background_is_taken_out_of_soft_pixels() -> None:
    alpha = soft_matte(96, 96, 3)
    person = np.broadcast_to(np.array([200, 60, 40], np.uint8), (96, 96, 3)).copy()
    green = np.broadcast_to(np.array([20, 220, 30], np.uint8), (96, 96, 3)).copy()
    seen = over(premultiply(person, alpha), green)
    colours = estimate_soft_colours(seen, alpha)
    soft = soft_pixels(alpha)
    assert colours.shape == (int(soft.sum()), 3)
    assert colours.dtype == np.uint8
    before = np.abs(seen[soft].astype(int) - person[soft]).mean()
    after = np.abs(colours.astype(int) - person[soft]).mean()
    assert before > 20
    assert after < before / 4
    np.testing.assert_array_equal(estimate_soft_colours(seen, alpha), colours)
