"""From bytes to a foreground's arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matting_data.errors import RejectedInput
from matting_data.sources.decoded import load_background, load_foreground
from tests.support.synthetic import chunk, encoded, exif, jpeg_with_exif, person, photo, png_file

IMAGE, ALPHA = person(40, 30)


def reason(image: bytes, alpha: bytes | None) -> str:
    with pytest.raises(RejectedInput) as caught:
        load_foreground(image, alpha)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(
    "matte",
    [
        png_file(ALPHA),
        png_file(np.dstack([ALPHA] * 3)),
        png_file(np.dstack([IMAGE, ALPHA])),
        png_file(ALPHA.astype(np.uint16) * 257),
        encoded(ALPHA, "TIFF"),
    ],
    ids=["gray", "RGB", "RGBA", "16 bits", "TIFF"],
)
def test_a_pair_is_read_whatever_way_its_matte_is_stored(matte: bytes) -> None:
    image, alpha = load_foreground(png_file(IMAGE), matte)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(alpha, ALPHA)
    assert image.flags.c_contiguous and alpha.flags.c_contiguous


@pytest.mark.parametrize("depth", [8, 16])
def test_a_cutout_brings_its_own_matte_even_a_constant_one(depth: int) -> None:
    for matte in (ALPHA, np.full_like(ALPHA, 255)):
        cutout = np.dstack([IMAGE, matte])
        stored = cutout if depth == 8 else cutout.astype(np.uint16) * 257
        image, alpha = load_foreground(png_file(stored), None)
        np.testing.assert_array_equal(image, IMAGE)
        np.testing.assert_array_equal(alpha, matte)


@given(st.integers(128, 255))
def test_levels_from_the_limit_on_become_opaque_and_no_others_change(limit: int) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    _, alpha = load_foreground(png_file(photo(16, 16)), png_file(levels), limit)
    assert alpha.ravel().tolist() == [v if v < limit else 255 for v in range(256)]


def test_a_photograph_without_alpha_is_no_cutout() -> None:
    assert reason(png_file(IMAGE), None) == "no_alpha_channel"
    assert reason(encoded(IMAGE, "JPEG"), None) == "no_alpha_channel"


def test_sizes_are_compared_as_displayed() -> None:
    with pytest.raises(RejectedInput) as caught:
        load_foreground(png_file(IMAGE), png_file(ALPHA[:, :-1]))
    assert (caught.value.reason, caught.value.detail) == ("size_mismatch", "the image is 40×30, its matte 39×30")
    turned = jpeg_with_exif(encoded(IMAGE, "JPEG"), exif(6))
    assert reason(turned, png_file(ALPHA)) == "size_mismatch"
    image, alpha = load_foreground(turned, png_file(ALPHA, chunk(b"eXIf", exif(6))))
    assert image.shape[:2] == alpha.shape == (40, 30)
    np.testing.assert_array_equal(alpha, np.rot90(ALPHA, -1))


def test_what_cannot_be_read_is_rejected_with_its_reason() -> None:
    assert reason(b"text", png_file(ALPHA)) == "unreadable"
    assert reason(png_file(IMAGE), b"") == "unreadable"
    assert reason(png_file(IMAGE), png_file(photo(40, 30))) == "wrong_mode"


def test_a_background_is_rgb_of_8_bits_whatever_was_stored() -> None:
    np.testing.assert_array_equal(load_background(png_file(IMAGE)), IMAGE)
    np.testing.assert_array_equal(load_background(png_file(np.dstack([IMAGE, ALPHA]))), IMAGE)
    np.testing.assert_array_equal(load_background(png_file(IMAGE.astype(np.uint16) * 257)), IMAGE)
    np.testing.assert_array_equal(load_background(png_file(ALPHA)), np.dstack([ALPHA] * 3))
    with pytest.raises(RejectedInput, match="more than 1,199 pixels"):
        load_background(png_file(IMAGE), 1199)


@pytest.mark.parametrize("tail", [b"", b"trailing bytes"])
def test_a_jpeg_known_from_before_is_decoded_as_at_first(tail: bytes) -> None:
    data = encoded(IMAGE, "JPEG") + tail
    np.testing.assert_array_equal(load_background(data, plain=True), load_background(data))
    np.testing.assert_array_equal(load_background(data, rotation=90, plain=True), load_background(data, rotation=90))


def test_a_damaged_jpeg_is_rejected_whatever_was_known_of_it() -> None:
    with pytest.raises(RejectedInput):
        load_background(encoded(IMAGE, "JPEG")[:200], plain=True)


def test_a_background_is_turned_counterclockwise_unless_its_file_says_how_it_stands() -> None:
    png = png_file(IMAGE)
    np.testing.assert_array_equal(load_background(png, rotation=90)[0], IMAGE[:, -1])  # the right edge comes to the top
    np.testing.assert_array_equal(load_background(png, rotation=180), IMAGE[::-1, ::-1])
    orientated = jpeg_with_exif(encoded(IMAGE, "JPEG"), exif(3))
    np.testing.assert_array_equal(load_background(orientated, rotation=90), load_background(orientated))
