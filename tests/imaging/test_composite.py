"""Composition against integers, fractions and float64."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matting_data.imaging.composite import decode_srgb, encode_srgb, over, over_linear, premultiply
from tests.support.synthetic import Pixels, photo, soft_matte


def half_up(numerator: int, denominator: int) -> int:
    return floor(Fraction(numerator, denominator) + Fraction(1, 2))


NEAREST = np.array([half_up(n, 255) for n in range(255 * 255 + 1)], np.uint8)
"""round-half-up(n / 255) for every numerator that can occur, by exact arithmetic."""


@pytest.mark.parametrize("level", [0, 1, 2, 63, 64, 127, 128, 129, 200, 253, 254, 255])
def test_every_alpha_and_foreground_level_over_a_background_level_is_the_nearest_level(level: int) -> None:
    alpha, colour = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8), indexing="ij")
    foreground = np.repeat(colour[..., None], 3, axis=2)
    background = np.full((256, 256, 3), level, np.uint8)
    numerator = alpha.astype(np.int64) * colour + (255 - alpha.astype(np.int64)) * level
    expected = np.repeat(NEAREST[numerator][..., None], 3, axis=2)
    np.testing.assert_array_equal(over(premultiply(foreground, alpha), background), expected)


def test_the_three_channels_are_mixed_each_for_itself() -> None:
    rng = np.random.default_rng(5)
    foreground, background = rng.integers(0, 256, (2, 97, 89, 3), dtype=np.uint8)
    alpha = rng.integers(0, 256, (97, 89), dtype=np.uint8)
    weight = alpha.astype(np.int64)[..., None]
    expected = NEAREST[weight * foreground + (255 - weight) * background]
    np.testing.assert_array_equal(over(premultiply(foreground, alpha), background), expected)


def test_opaque_pixels_are_the_foreground_and_clear_ones_the_background_to_the_bit() -> None:
    foreground, background, alpha = photo(80, 60, 1), photo(80, 60, 2), soft_matte(80, 60)
    assert {0, 255} < set(np.unique(alpha).tolist())
    result = over(premultiply(foreground, alpha), background.copy())
    np.testing.assert_array_equal(result[alpha == 255], foreground[alpha == 255])
    np.testing.assert_array_equal(result[alpha == 0], background[alpha == 0])


@st.composite
def frames(draw: st.DrawFn) -> tuple[Pixels, Pixels, Pixels]:
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    levels = st.one_of(st.sampled_from([0, 0, 0, 255]), st.integers(0, 255))
    alpha = draw(hnp.arrays(np.uint8, (height, width), elements=levels, fill=st.just(0)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    foreground, background = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    return foreground, alpha, background


@given(frames())
def test_over_equals_its_definition_for_any_matte(frame: tuple[Pixels, Pixels, Pixels]) -> None:
    foreground, alpha, background = frame
    expected = background.copy()
    for y, x, c in product(*map(range, background.shape)):
        a = int(alpha[y, x])
        expected[y, x, c] = half_up(a * int(foreground[y, x, c]) + (255 - a) * int(background[y, x, c]), 255)
    result = over(premultiply(foreground, alpha), background)
    assert result is background
    np.testing.assert_array_equal(result, expected)


def test_a_premultiplied_foreground_covers_its_box_only_and_serves_many_backgrounds() -> None:
    alpha = np.zeros((40, 50), np.uint8)
    alpha[10:20, 30:33] = 7
    foreground = photo(50, 40)
    ready = premultiply(foreground, alpha)
    assert np.array_equal(np.flatnonzero(ready.spans[:, 3]), np.arange(10, 20))
    assert np.array_equal(ready.spans[10:20, [0, 3]], [[30, 33]] * 10)
    assert ready.colour.size == ready.transparency.size == 10 * 3 * 3
    first = over(ready, photo(50, 40, 1))
    over(ready, photo(50, 40, 2))
    np.testing.assert_array_equal(over(ready, photo(50, 40, 1)), first)


def test_an_empty_matte_leaves_the_background_as_it_is() -> None:
    background = photo(31, 17, 3)
    ready = premultiply(photo(31, 17), np.zeros((17, 31), np.uint8))
    assert not ready.spans.any()
    np.testing.assert_array_equal(over(ready, background.copy()), background)
    linear = over_linear(photo(31, 17), np.zeros((17, 31), np.uint8), background.copy())
    np.testing.assert_array_equal(linear, background)


def to_linear(level: int) -> float:
    value = level / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def from_linear(value: float) -> float:
    return value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=400)
def test_linear_light_equals_the_standards_formulas(foreground: int, background: int, alpha: int) -> None:
    weight = alpha / 255
    exact = from_linear(weight * to_linear(foreground) + (1 - weight) * to_linear(background)) * 255
    pixel = np.full((1, 1, 3), background, np.uint8)
    result = over_linear(np.full((1, 1, 3), foreground, np.uint8), np.full((1, 1), alpha, np.uint8), pixel)
    assert np.abs(result - exact).max() <= 0.5 + 1e-6
    if alpha in (0, 255):
        assert set(result.ravel().tolist()) == {foreground if alpha else background}


def test_linear_light_of_a_whole_frame_keeps_solid_pixels_and_brightens_soft_ones() -> None:
    foreground, background, alpha = photo(60, 50, 1), photo(60, 50, 2), soft_matte(60, 50)
    gamma = over(premultiply(foreground, alpha), background.copy())
    linear = over_linear(foreground, alpha, background.copy())
    solid = (alpha == 0) | (alpha == 255)
    np.testing.assert_array_equal(linear[solid], gamma[solid])
    # the transfer curve is convex: a mixture of light is never darker than the mixture of the encoded values
    assert (linear[~solid].astype(int) >= gamma[~solid].astype(int) - 1).all()
    assert linear[~solid].mean() > gamma[~solid].mean()


def test_half_black_half_white_in_linear_light_is_the_known_188() -> None:
    white, black = np.full((1, 1, 3), 255, np.uint8), np.zeros((1, 1, 3), np.uint8)
    assert over_linear(white, np.full((1, 1), 128, np.uint8), black).tolist() == [[[188, 188, 188]]]


def test_every_level_survives_the_way_to_linear_light_and_back() -> None:
    levels = np.arange(256)
    np.testing.assert_array_equal(np.rint(encode_srgb(decode_srgb(levels / 255)) * 255), levels)
