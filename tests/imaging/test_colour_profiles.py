"""Embedded colour profiles: what is not sRGB becomes sRGB, by the formulas of its primaries and curve."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from matting_data.imaging.decode import decode, to_alpha8, to_rgb8
from tests.support.icc import ADOBE_RGB, DISPLAY_P3, SRGB, SRGB_CURVE, gray_profile, in_srgb, rgb_profile
from tests.support.synthetic import encoded, photo, soft_matte

RGB = photo(40, 30, 5)
PROFILES = {"Display P3": (DISPLAY_P3, SRGB_CURVE), "Adobe RGB (1998)": (ADOBE_RGB, 563 / 256)}
LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}


def icc(name: str) -> bytes:
    return rgb_profile(name, *PROFILES[name])


@pytest.mark.parametrize("form", LOSSLESS)
@pytest.mark.parametrize("name", PROFILES)
def test_colours_of_another_profile_become_srgb(name: str, form: str) -> None:
    raster = decode(encoded(RGB, form, icc_profile=icc(name), **LOSSLESS[form]), srgb=True)
    assert raster.profile == name
    expected = in_srgb(RGB, *PROFILES[name])
    assert np.abs(raster.pixels - expected).max() <= 1.5
    assert np.abs(RGB - expected).max() > 10


def test_a_photograph_as_jpeg_is_converted_as_pillow_converts_it() -> None:
    data = encoded(RGB, "JPEG", quality=98, subsampling=0, icc_profile=icc("Display P3"))
    plain, raster = decode(data), decode(data, srgb=True)
    assert (plain.profile, raster.profile, raster.mode) == (None, "Display P3", "RGB")
    assert np.abs(raster.pixels - in_srgb(to_rgb8(plain), DISPLAY_P3, SRGB_CURVE)).max() <= 1.5


def test_profiles_that_mean_srgb_leave_every_value() -> None:
    stream = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (stream, rgb_profile("called otherwise", SRGB, SRGB_CURVE), gray_profile("srgb gray", 2.2)[:90]):
        raster = decode(encoded(RGB, "PNG", icc_profile=profile), srgb=True)
        assert raster.profile is None
        np.testing.assert_array_equal(raster.pixels, RGB)


def test_a_profile_is_left_where_nobody_asks_for_srgb() -> None:
    raster = decode(encoded(RGB, "PNG", icc_profile=icc("Adobe RGB (1998)")))
    assert raster.profile is None
    np.testing.assert_array_equal(raster.pixels, RGB)


@pytest.mark.parametrize("profile", [b"", b"no profile", icc("Display P3")[:200], bytes(500)])
def test_a_damaged_profile_does_not_cost_the_photograph(profile: bytes) -> None:
    raster = decode(encoded(RGB, "TIFF", icc_profile=profile), srgb=True)
    assert raster.profile is None
    np.testing.assert_array_equal(raster.pixels, RGB)


def test_alpha_is_never_converted() -> None:
    matte = soft_matte(40, 30)
    raster = decode(encoded(np.dstack([RGB, matte]), "PNG", icc_profile=icc("Display P3")), srgb=True)
    np.testing.assert_array_equal(to_alpha8(raster), matte)
    assert np.abs(to_rgb8(raster) - in_srgb(RGB, DISPLAY_P3, SRGB_CURVE)).max() <= 1.5


def test_gray_of_another_curve_is_converted() -> None:
    gray = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    raster = decode(encoded(gray, "PNG", icc_profile=gray_profile("Gray Gamma 1.8", 1.8)), srgb=True)
    assert raster.profile == "Gray Gamma 1.8"
    expected = in_srgb(np.repeat(gray[..., None], 3, axis=2), SRGB, 461 / 256)
    assert np.abs(to_rgb8(raster) - expected).max() <= 1.5


def test_16_bit_tiff_is_converted_after_rounding() -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, RGB.astype(np.uint16) * 257, photometric="rgb", iccprofile=icc("Adobe RGB (1998)"))
    raster = decode(stream.getvalue(), srgb=True)
    assert (raster.profile, raster.pixels.dtype) == ("Adobe RGB (1998)", np.uint8)
    assert np.abs(raster.pixels - in_srgb(RGB, *PROFILES["Adobe RGB (1998)"])).max() <= 1.5


def test_a_profile_that_does_not_fit_the_colours_is_ignored() -> None:
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, "TIFF", icc_profile=gray_profile("Gray Gamma 1.8", 1.8))
    raster = decode(stream.getvalue(), srgb=True)
    assert raster.profile is None
    np.testing.assert_array_equal(raster.pixels, RGB)
