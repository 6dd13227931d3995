"""Un-premultiplying and encoding, with golden values."""

from __future__ import annotations

import numpy as np
import pytest

from matting_data.errors import UsageError
from matting_data.people.skin import srgb_to_linear
from matting_data.people.straight_alpha import compress_highlights, linear_to_srgb, straight_rgba


def image(*pixels: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([pixels], dtype=np.float32)


def test_opaque_pixel_is_srgb_encoded() -> None:
    # 0.2140 linear is sRGB 127.5 / 255 within rounding; 0.0 stays 0.
    out = straight_rgba(image((0.2140411, 0.0, 0.5, 1.0)))
    assert out.tolist() == [[[128, 0, 188, 255]]] or out.tolist() == [[[127, 0, 188, 255]]]


@pytest.mark.parametrize("alpha", [1.0, 0.75, 0.5, 0.25, 0.0625])
def test_colour_does_not_depend_on_coverage(alpha: float) -> None:
    color = np.array([0.3, 0.1, 0.05])
    out = straight_rgba(image((*(color * alpha), alpha)))
    assert out[0, 0, :3].tolist() == [149, 89, 63]
    assert out[0, 0, 3] == round(alpha * 255)


def test_transparent_pixels_take_the_nearest_colour_then_zero() -> None:
    row = np.zeros((1, 12, 4), dtype=np.float32)
    row[0, 0] = (0.3, 0.1, 0.05, 1.0)
    out = straight_rgba(row)
    assert (out[0, 1:5, :3] == [149, 89, 63]).all()
    assert (out[0, 5:, :3] == 0).all()
    assert (out[0, 1:, 3] == 0).all()


def test_alpha_too_small_for_a_level_counts_as_none() -> None:
    out = straight_rgba(image((0.0001, 0.0, 0.0, 0.001)))
    assert out.tolist() == [[[0, 0, 0, 0]]]


def test_highlights_roll_off_below_one() -> None:
    values = np.array([0.0, 0.5, 0.7, 1.0, 5.0, 1e6])
    out = compress_highlights(values)
    assert np.array_equal(out[:3], values[:3])
    assert (np.diff(out) > 0).all()
    assert out[-1] <= 1.0


def test_srgb_round_trip() -> None:
    values = np.linspace(0, 1, 256)
    assert np.allclose(linear_to_srgb(srgb_to_linear(values)), values)


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 3)), np.zeros((4, 4)), np.full((2, 2, 4), np.nan)])
def test_refuses_other_arrays(bad: np.ndarray) -> None:
    with pytest.raises(UsageError):
        straight_rgba(bad)
