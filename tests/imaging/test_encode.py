"""What is written can be read back, and is written the same way twice."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from matting_data.imaging.encode import jpeg, matte_png, png
from tests.support.synthetic import Pixels, photo, soft_matte


def read(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


shapes = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(shapes.flatmap(lambda s: st.sampled_from([3, 4]).flatmap(lambda c: hnp.arrays(np.uint8, (*s, c)))))
@settings(deadline=None)
def test_png_is_lossless_for_colours_with_and_without_alpha(pixels: Pixels) -> None:
    np.testing.assert_array_equal(read(png(pixels)), pixels)


@given(shapes.flatmap(lambda s: hnp.arrays(np.uint8, s)))
@settings(deadline=None)
def test_mattes_and_trimaps_are_lossless_gray(plane: Pixels) -> None:
    data = matte_png(plane)
    assert (data[24], data[25]) == (8, 0)  # 8 bits, colour type gray
    np.testing.assert_array_equal(read(data), plane)


def test_a_window_of_a_larger_array_is_encoded_as_the_window() -> None:
    image, alpha = photo(40, 30), soft_matte(40, 30)
    np.testing.assert_array_equal(read(png(image[5:20, 3:30])), image[5:20, 3:30])
    np.testing.assert_array_equal(read(matte_png(alpha[5:20, 3:30])), alpha[5:20, 3:30])
    assert jpeg(image[5:20, 3:30]) == jpeg(image[5:20, 3:30].copy())


def components(data: bytes) -> dict[int, tuple[int, int]]:
    """Horizontal and vertical sampling of each component, from the frame header of a baseline JPEG."""
    place = 2
    while data[place + 1] != 0xC0:
        assert data[place] == 0xFF, "no baseline frame before the scan"
        place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    count = data[place + 9]
    entries = [data[place + 10 + 3 * i : place + 13 + 3 * i] for i in range(count)]
    return {entry[0]: (entry[1] >> 4, entry[1] & 15) for entry in entries}


@pytest.mark.parametrize(("subsampling", "luma"), [("4:4:4", (1, 1)), ("4:2:2", (2, 1)), ("4:2:0", (2, 2))])
def test_the_subsampling_asked_for_is_the_one_stored(subsampling: str, luma: tuple[int, int]) -> None:
    assert components(jpeg(photo(40, 30), 95, subsampling)) == {1: luma, 2: (1, 1), 3: (1, 1)}


def test_the_defaults_are_quality_95_without_subsampling() -> None:
    image = photo(40, 30)
    assert jpeg(image) == jpeg(image, 95, "4:4:4")


def test_quality_decides_the_size_and_the_error() -> None:
    image = photo(64, 48)
    sizes = {q: len(jpeg(image, q)) for q in (1, 50, 95, 100)}
    errors = {q: np.abs(read(jpeg(image, q)).astype(int) - image).mean() for q in sizes}
    assert sorted(sizes.values()) == list(sizes.values())
    assert sorted(errors.values(), reverse=True) == list(errors.values())
    assert errors[100] < 1.5


@pytest.mark.parametrize("encode", [jpeg, png])
def test_equal_pixels_give_equal_bytes(encode: object) -> None:
    assert callable(encode)
    assert encode(photo(50, 40, 1)) == encode(photo(50, 40, 1))
    assert encode(photo(50, 40, 1)) != encode(photo(50, 40, 2))


def test_equal_mattes_give_equal_bytes_and_flat_ones_few() -> None:
    assert matte_png(soft_matte(50, 40)) == matte_png(soft_matte(50, 40).copy())
    assert len(matte_png(np.zeros((1000, 1000), np.uint8))) < 10_000
