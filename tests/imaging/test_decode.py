"""Decoding by content: every format, mode and orientation, and what is refused."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from matting_data.errors import RejectedInput
from matting_data.imaging.decode import Raster, decode, has_alpha, to_alpha8, to_rgb8
from tests.support.synthetic import (
    Pixels,
    chunk,
    encoded,
    exif,
    jpeg_with_exif,
    photo,
    png_file,
    png_header,
    soft_matte,
)

RGB = photo(23, 17, 4)
GRAY = RGB[..., 1].copy()


def eight_bits(value: int) -> int:
    return floor(Fraction(value, 257) + Fraction(1, 2))


EIGHT_BITS = np.array([eight_bits(v) for v in range(65536)], np.uint8)


def refused(data: bytes, max_pixels: int = 10**6) -> RejectedInput:
    with pytest.raises(RejectedInput) as caught:
        decode(data, max_pixels)
    return caught.value


def tiff(pixels: NDArray[np.generic], **options: str) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP", "PPM"])
def test_lossless_formats_give_their_pixels_back(form: str) -> None:
    raster = decode(encoded(RGB, form, **({"lossless": True} if form == "WEBP" else {})))
    assert (raster.format, raster.mode, raster.orientation, raster.size) == (form, "RGB", 1, (23, 17))
    assert raster.pixels.dtype == np.uint8
    np.testing.assert_array_equal(raster.pixels, RGB)
    assert not has_alpha(raster)


@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_is_near_what_was_stored(subsampling: int) -> None:
    raster = decode(encoded(RGB, "JPEG", quality=98, subsampling=subsampling))
    assert (raster.format, raster.mode) == ("JPEG", "RGB")
    assert np.abs(raster.pixels.astype(int) - RGB).mean() < (2 if subsampling == 0 else 16)


def test_a_gray_jpeg_stays_gray_until_colours_are_asked_for() -> None:
    raster = decode(encoded(GRAY, "JPEG", quality=100))
    assert (raster.mode, raster.pixels.shape) == ("L", GRAY.shape)
    assert np.abs(raster.pixels.astype(int) - GRAY).max() <= 2
    np.testing.assert_array_equal(to_rgb8(raster), np.repeat(raster.pixels[..., None], 3, axis=2))
    np.testing.assert_array_equal(to_alpha8(raster), raster.pixels)


def test_a_cmyk_jpeg_is_turned_into_its_colours() -> None:
    stream = io.BytesIO()
    image = Image.fromarray(RGB).convert("CMYK")
    image.save(stream, "JPEG", quality=100, subsampling=0)
    raster = decode(stream.getvalue())
    assert (raster.format, raster.mode, raster.pixels.shape) == ("JPEG", "CMYK", RGB.shape)
    assert np.abs(to_rgb8(raster).astype(int) - RGB).mean() < 3


def test_the_content_decides_and_trailing_bytes_do_no_harm() -> None:
    for form in ("JPEG", "PNG", "GIF", "BMP"):
        plain = decode(encoded(RGB, form))
        trailed = decode(encoded(RGB, form) + b"appended by some camera" * 3)
        assert trailed.format == form
        np.testing.assert_array_equal(trailed.pixels, plain.pixels)


def test_gray_pngs_are_read_as_they_are() -> None:
    raster = decode(encoded(GRAY, "PNG"))
    assert raster.mode == "L"
    np.testing.assert_array_equal(raster.pixels, GRAY)


def test_a_palette_of_colours_gives_colours_and_a_gray_one_a_matte() -> None:
    stream = io.BytesIO()
    coloured = Image.fromarray(RGB).quantize(16)
    coloured.save(stream, "PNG")
    raster = decode(stream.getvalue())
    assert raster.mode == "P"
    np.testing.assert_array_equal(raster.pixels, np.asarray(coloured.convert("RGB")))

    levels = np.array([0, 255, 17, 200], np.uint8)
    indices = np.random.default_rng(0).integers(0, 4, (9, 13), dtype=np.uint8)
    gray = Image.fromarray(indices).convert("L")
    gray.putpalette([int(v) for v in levels for _ in range(3)])
    for form in ("PNG", "GIF"):
        stream = io.BytesIO()
        gray.save(stream, form)
        raster = decode(stream.getvalue())
        assert raster.format == form
        np.testing.assert_array_equal(to_alpha8(raster), levels[indices])


def test_a_gif_with_a_transparent_colour_carries_alpha_and_its_first_frame_counts() -> None:
    frames = [Image.fromarray(np.full((6, 8), v, np.uint8)).convert("P") for v in (0, 1, 2)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], transparency=0)
    raster = decode(stream.getvalue())
    assert (raster.format, raster.size, has_alpha(raster)) == ("GIF", (8, 6), True)
    assert (raster.pixels[..., 3] == 0).all()


def test_one_bit_images_are_black_and_white() -> None:
    bits = np.random.default_rng(0).integers(0, 2, (11, 19)).astype(bool)
    for form in ("PNG", "TIFF", "BMP"):
        raster = decode(encoded(bits, form))
        assert raster.mode in ("1", "P")  # a BMP of one bit has a palette
        np.testing.assert_array_equal(to_alpha8(raster), bits * np.uint8(255))


def test_gray_with_alpha_gives_both() -> None:
    matte = soft_matte(23, 17)
    raster = decode(png_file(np.dstack([GRAY, matte])))
    assert has_alpha(raster)
    np.testing.assert_array_equal(to_alpha8(raster), matte)
    np.testing.assert_array_equal(to_rgb8(raster), np.repeat(GRAY[..., None], 3, axis=2))


def test_colour_with_alpha_keeps_the_colours_below_clear_pixels() -> None:
    matte = soft_matte(23, 17)
    for data in (png_file(np.dstack([RGB, matte])), encoded(np.dstack([RGB, matte]), "TIFF")):
        raster = decode(data)
        assert raster.mode == "RGBA"
        np.testing.assert_array_equal(to_rgb8(raster), RGB)
        np.testing.assert_array_equal(to_alpha8(raster), matte)


def test_a_transparent_colour_of_a_png_becomes_alpha() -> None:
    pixels = RGB.copy()
    pixels[:5] = (1, 2, 3)
    raster = decode(png_file(pixels, chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))))
    assert has_alpha(raster)
    np.testing.assert_array_equal(to_alpha8(raster) == 0, (pixels == (1, 2, 3)).all(axis=2))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_pngs_keep_their_levels_and_are_rounded_exactly(channels: int) -> None:
    rng = np.random.default_rng(channels)
    shape = (16, 33) if channels == 1 else (16, 33, channels)
    pixels = rng.integers(0, 65536, shape, dtype=np.uint16)
    raster = decode(png_file(pixels))
    assert raster.pixels.dtype == np.uint16
    colours = EIGHT_BITS[pixels if channels == 1 else pixels[..., : 1 if channels < 3 else 3]]
    np.testing.assert_array_equal(to_rgb8(raster), np.broadcast_to(colours.reshape(16, 33, -1), (16, 33, 3)))
    if channels in (2, 4):
        np.testing.assert_array_equal(to_alpha8(raster), EIGHT_BITS[pixels[..., -1]])


def test_every_16_bit_level_is_rounded_to_the_nearest_of_8_bits() -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(to_alpha8(decode(png_file(levels))), EIGHT_BITS[levels])
    np.testing.assert_array_equal(to_alpha8(Raster(levels, "PNG", "I;16", 1)), EIGHT_BITS[levels])


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_16_bit_gray_tiff_is_a_matte(byteorder: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (12, 10), dtype=np.uint16)
    raster = decode(tiff(pixels, byteorder=byteorder))
    assert raster.format == "TIFF"
    np.testing.assert_array_equal(raster.pixels, pixels)
    np.testing.assert_array_equal(to_alpha8(raster), EIGHT_BITS[pixels])


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint32])
def test_pixels_without_an_agreed_range_are_refused(dtype: type) -> None:
    problem = refused(tiff(np.ones((8, 9), dtype)))
    assert problem.reason == "wrong_mode"
    assert "32 bits" in problem.detail


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_a_jpeg_is_displayed_as_pillow_displays_it(orientation: int) -> None:
    data = jpeg_with_exif(encoded(RGB, "JPEG", quality=100, subsampling=0), exif(orientation))
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    raster = decode(data)
    assert raster.orientation == orientation
    assert raster.size == ((17, 23) if orientation > 4 else (23, 17))
    assert raster.pixels.flags.c_contiguous
    assert np.abs(raster.pixels - expected).max() <= 3  # two decoders of one file


def shown(pixels: Pixels, orientation: int) -> Pixels:
    """Pixel by pixel from Exif 2.32: where row 0 and column 0 of what is stored are seen."""
    height, width = pixels.shape[:2]
    shape = (width, height) if orientation > 4 else (height, width)
    result = np.empty((*shape, *pixels.shape[2:]), pixels.dtype)
    for y, x in np.ndindex(height, width):
        top, bottom, left, right = y, height - 1 - y, x, width - 1 - x
        place = {
            1: (top, left), 2: (top, right), 3: (bottom, right), 4: (bottom, left),
            5: (left, top), 6: (left, bottom), 7: (right, bottom), 8: (right, top),
        }[orientation]  # fmt: skip
        result[place] = pixels[y, x]
    return result


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "gray PNG", "16-bit PNG"])
def test_every_orientation_of_a_lossless_file_is_exact(orientation: int, form: str) -> None:
    if form in ("TIFF", "WEBP"):
        pixels: Pixels | NDArray[np.uint16] = RGB
        block = b"Exif\0\0" + exif(orientation) if form == "WEBP" else exif(orientation)
        data = encoded(RGB, form, exif=block, **({"lossless": True} if form == "WEBP" else {}))
    else:
        stored: dict[str, Any] = {"PNG": RGB, "gray PNG": GRAY, "16-bit PNG": RGB.astype(np.uint16) * 257}
        pixels = stored[form]
        data = png_file(pixels, chunk(b"eXIf", exif(orientation)))
    raster = decode(data)
    assert raster.orientation == (1 if form == "TIFF" else orientation)  # Pillow turns a TIFF itself, and says 1
    np.testing.assert_array_equal(raster.pixels, shown(pixels, orientation))


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0",
        b"no TIFF header at all",
        b"II*\0\xff\xff\xff\x7f",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\x1a\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0",
        exif(0),
        exif(9),
    ],
    ids=["empty", "cut off", "text", "beyond the end", "a word", "0/0", "zero", "nine"],
)
def test_an_odd_orientation_tag_does_not_cost_the_photograph(block: bytes) -> None:
    plain = decode(encoded(RGB, "JPEG"))
    raster = decode(jpeg_with_exif(encoded(RGB, "JPEG"), block))
    assert raster.orientation == 1
    np.testing.assert_array_equal(raster.pixels, plain.pixels)


NO_WHOLE_IMAGE = {
    "nothing": b"",
    "one byte": b"\xff",
    "text": b"this is a text file\n" * 20,
    "a web page": b"<html><body>404 not found</body></html>",
    "the start of a JPEG": b"\xff\xd8\xff",
    "the start of a PNG": png_header(8, 8, 8, 2),
    "a JPEG cut early": encoded(photo(60, 50), "JPEG")[:700],
    "a JPEG cut late": encoded(photo(60, 50), "JPEG")[:-300],
    "a PNG cut early": encoded(photo(60, 50), "PNG")[:2000],
    "a PNG cut late": encoded(photo(60, 50), "PNG")[:-40],
    "a cut BMP": encoded(photo(60, 50), "BMP")[:3000],
    "a cut TIFF": encoded(photo(60, 50), "TIFF")[:3000],
    "a cut WebP": encoded(photo(60, 50), "WEBP")[:500],
}


@pytest.mark.parametrize("data", NO_WHOLE_IMAGE.values(), ids=NO_WHOLE_IMAGE.keys())
def test_what_is_no_whole_image_is_unreadable(data: bytes) -> None:
    problem = refused(data)
    assert problem.reason == "unreadable"
    assert problem.detail


@pytest.mark.parametrize("pixels", [RGB, GRAY, np.dstack([RGB, GRAY])], ids=["RGB", "L", "RGBA"])
def test_a_png_with_a_flipped_bit_is_unreadable_rather_than_wrong(pixels: Pixels) -> None:
    sound = png_file(pixels)
    start = sound.index(b"IDAT") + 4
    for place in range(start + 10, len(sound) - 40, 37):
        damaged = bytearray(sound)
        damaged[place] ^= 0x10
        assert refused(bytes(damaged)).reason == "unreadable"


def bomb(form: str, side: int) -> bytes:
    """A file that claims side×side pixels and holds none."""
    if form == "PNG":
        return png_header(side, side, 8, 2) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    if form == "GIF":
        return encoded(GRAY, "GIF")[:6] + struct.pack("<HH", side, side) + encoded(GRAY, "GIF")[10:]
    bmp = bytearray(encoded(RGB, "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    return bytes(bmp)


@pytest.mark.parametrize(("form", "side"), [("PNG", 11_000), ("PNG", 200_000), ("GIF", 60_000), ("BMP", 30_000)])
def test_a_bomb_is_refused_by_its_header_alone(form: str, side: int) -> None:
    with pytest.raises(RejectedInput) as caught:
        decode(bomb(form, side))
    assert caught.value.reason == "too_large"
    assert "pixels" in caught.value.detail


def test_the_limit_itself_is_allowed_and_one_pixel_more_is_not() -> None:
    data = encoded(RGB, "PNG")
    assert decode(data, 23 * 17).size == (23, 17)
    problem = refused(data, 23 * 17 - 1)
    assert (problem.reason, problem.detail) == ("too_large", "23×17 has more than 390 pixels")


@pytest.mark.parametrize("noise", [0, 8])
def test_a_matte_saved_as_colours_is_read_from_its_nearly_equal_channels(noise: int) -> None:
    matte = soft_matte(40, 30)
    channels = [np.clip(matte.astype(int) + shift, 0, 255).astype(np.uint8) for shift in (noise, 0, -noise)]
    np.testing.assert_array_equal(to_alpha8(decode(png_file(np.dstack(channels)))), matte)


def test_a_matte_saved_as_a_colour_jpeg_is_accepted() -> None:
    matte = soft_matte(64, 64)
    read = to_alpha8(decode(encoded(np.dstack([matte] * 3), "JPEG", quality=95)))
    assert np.abs(read.astype(int) - matte).mean() < 2


def test_a_colour_picture_is_no_matte() -> None:
    for data in (png_file(RGB), png_file(RGB.astype(np.uint16) * 257), encoded(RGB, "JPEG")):
        with pytest.raises(RejectedInput, match="colour picture: its channels differ by up to") as caught:
            to_alpha8(decode(data))
        assert caught.value.reason == "wrong_mode"
    one_pixel = np.full((9, 9, 3), 100, np.uint8)
    one_pixel[4, 4] = (109, 100, 100)
    with pytest.raises(RejectedInput, match="up to 9 levels"):
        to_alpha8(decode(png_file(one_pixel)))


@pytest.mark.parametrize("constant", [0, 128, 255])
def test_an_alpha_channel_that_says_nothing_gives_way_to_the_gray_values(constant: int) -> None:
    matte = soft_matte(40, 30)
    raster = decode(png_file(np.dstack([matte, matte, matte, np.full_like(matte, constant)])))
    np.testing.assert_array_equal(to_alpha8(raster), matte)
    with pytest.raises(RejectedInput, match="colour picture"):
        to_alpha8(decode(png_file(np.dstack([RGB, np.full_like(GRAY, constant)]))))


def test_an_alpha_channel_that_varies_wins_over_the_colours() -> None:
    alpha = soft_matte(23, 17)
    np.testing.assert_array_equal(to_alpha8(decode(png_file(np.dstack([RGB, alpha])))), alpha)


FORMS: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: jpeg_with_exif(encoded(RGB, "JPEG"), exif(6)),
    "PNG": lambda: png_file(RGB, chunk(b"eXIf", exif(6))),
    "GIF": lambda: encoded(RGB, "GIF"),
    "BMP": lambda: encoded(RGB, "BMP"),
    "TIFF": lambda: encoded(RGB, "TIFF", compression="tiff_lzw"),
    "WEBP": lambda: encoded(RGB, "WEBP"),
    "AVIF": lambda: encoded(RGB, "AVIF"),
    "PPM": lambda: encoded(RGB, "PPM"),
    "PGM of 16 bits": lambda: b"P5\n23 17\n65535\n" + (GRAY.astype(">u2") * 257).tobytes(),
    "TIFF of 16 bits": lambda: tiff(RGB.astype(np.uint16) * 257, photometric="rgb", compression="zlib"),
    "TIFF with JPEG": lambda: encoded(RGB, "TIFF", compression="jpeg"),
    "JPEG2000": lambda: encoded(RGB, "JPEG2000"),
    "palette": lambda: encoded(RGB[..., 0] > 128, "PNG"),
}


@given(st.sampled_from(sorted(FORMS)), st.data())
@settings(max_examples=400, deadline=None)
def test_damage_of_any_kind_is_a_rejection_and_never_another_error(form: str, data: st.DataObject) -> None:
    content = bytearray(FORMS[form]())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    try:
        raster = decode(bytes(content), 10**6)
    except RejectedInput as problem:
        assert problem.reason in ("unreadable", "too_large", "wrong_mode")
        assert problem.detail
    else:
        assert to_rgb8(raster).shape == (*raster.pixels.shape[:2], 3)
        assert to_rgb8(raster).flags.c_contiguous
