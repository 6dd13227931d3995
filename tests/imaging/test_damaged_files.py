"""Damage inside a file is unreadable, whatever stands at its end; what stands after the end does no harm."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from matting_data.errors import RejectedInput
from matting_data.imaging.decode import decode, has_alpha, to_alpha8
from tests.support.synthetic import Pixels, chunk, encoded, exif, photo, png_file, png_header

RGB = photo(160, 120, 8)
PICTURE = Image.fromarray(RGB)
END = b"\xff\xd9"


def jpeg(picture: Image.Image = PICTURE, form: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **{"quality": 92, **options})
    return stream.getvalue()


JPEGS = {
    "4:4:4": jpeg(subsampling=0),
    "4:2:0": jpeg(),
    "gray": jpeg(PICTURE.convert("L")),
    "progressive": jpeg(progressive=True),
    "restarts": jpeg(restart_marker_rows=1),
    "CMYK": jpeg(PICTURE.convert("CMYK")),
    "two images": jpeg(form="MPO", save_all=True, append_images=[PICTURE.rotate(180)]),
}
FIRST = {name: data.index(END) if name == "two images" else len(data) - 2 for name, data in JPEGS.items()}
"""Where the scan ends; an embedded preview has no end marker of its own here."""


def with_junk(data: bytes) -> bytes:
    """Put two bytes between the first two segments of a JPEG."""
    end = 4 + int.from_bytes(data[4:6], "big")
    return data[:end] + b"\x55\x66" + data[end:]


def refused(data: bytes) -> str:
    with pytest.raises(RejectedInput) as caught:
        decode(data)
    assert caught.value.reason == "unreadable"
    return caught.value.detail


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_whose_scan_ends_early_is_damaged_though_an_end_marker_stands(name: str) -> None:
    data = JPEGS[name]
    start = data.index(b"\xff\xda") + 20
    for end in range(start, FIRST[name] - 60, max(1, (FIRST[name] - start) // 40)):
        assert "damaged" in refused(data[:end].rstrip(b"\xff") + END)


@pytest.mark.parametrize("name", JPEGS)
def test_bytes_after_the_end_and_between_segments_are_harmless(name: str) -> None:
    data = JPEGS[name]
    plain = decode(data).pixels
    for odd in (data + b"x" * 500, data + END, data + bytes(4096), with_junk(data)):
        np.testing.assert_array_equal(decode(odd).pixels, plain)


@pytest.mark.parametrize("padding", [b"\0", b"\x7f", bytes(8)])
def test_a_few_bytes_before_the_end_marker_are_padding_as_cameras_leave_it(padding: bytes) -> None:
    data = JPEGS["4:4:4"]
    np.testing.assert_array_equal(decode(data[:-2] + padding + END).pixels, decode(data).pixels)


def test_a_harmless_oddity_does_not_hide_damage() -> None:
    data = JPEGS["4:2:0"]
    odd = with_junk(data)
    assert "premature end" in refused(odd[: len(odd) // 2] + END)


def test_a_stretch_that_was_lost_or_copied_twice_is_damage() -> None:
    data = JPEGS["4:4:4"]
    middle = len(data) // 2
    for damaged in (data[:middle] + data[middle + 300 :], data[: middle + 300] + data[middle:]):
        assert "damaged" in refused(damaged)


def palette_png() -> bytes:
    stream = io.BytesIO()
    PICTURE.quantize(32).save(stream, "PNG")
    return stream.getvalue()


PNGS = {
    "RGB": png_file(RGB),
    "16 bits": png_file(RGB.astype(np.uint16) * 257),
    "palette": palette_png(),
    "1 bit": encoded(RGB[..., 0] > 128, "PNG"),
}


@pytest.mark.parametrize("name", PNGS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_png_with_any_other_byte_in_its_pixels_is_unreadable(name: str, data: st.DataObject) -> None:
    sound = PNGS[name]
    first = sound.index(b"IDAT") + 4
    place = data.draw(st.integers(first, len(sound) - 17))
    flipped = sound[place] ^ data.draw(st.integers(1, 255))
    for tail in (b"", b"appended"):
        refused(sound[:place] + bytes([flipped]) + sound[place + 1 :] + tail)


@pytest.mark.parametrize("name", PNGS)
def test_a_png_that_lost_data_between_sound_chunks_is_unreadable(name: str) -> None:
    sound = PNGS[name]
    start = sound.index(b"IDAT") - 4
    length = int.from_bytes(sound[start : start + 4], "big")
    content = sound[start + 8 : start + 8 + length]
    for kept in range(2, length, max(1, length // 20)):
        refused(sound[:start] + chunk(b"IDAT", content[:kept]) + chunk(b"IEND", b""))


def text_png(**options: bool) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "{}" * 900_000, **options)
    stream = io.BytesIO()
    PICTURE.save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def after(sound: bytes, extra: bytes) -> bytes:
    """Insert chunks before the end of a PNG."""
    return sound[:-12] + extra + sound[-12:]


LARGE = b"key\0" + bytes(12_000_000)
METADATA = {
    "compressed text": text_png(zip=True),
    "plain text": text_png(),
    "text above libpng's limit": png_file(RGB, chunk(b"tEXt", LARGE.replace(b"\0", b"t").replace(b"keyt", b"key\0"))),
    "text after the pixels": after(png_file(RGB), chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(3_000_000)))),
    "a profile": png_file(RGB, chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(3_000_000)))),
    "damaged text": png_file(RGB, chunk(b"tEXt", b"key\0text")[:-1] + b"?"),
    "an unknown chunk": png_file(RGB, chunk(b"caBX", bytes(9_000_000))),
    "a palette, and text": palette_png()[:33] + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(3_000_000)))
    + palette_png()[33:],
}  # fmt: skip


@pytest.mark.parametrize("name", METADATA)
def test_megabytes_of_metadata_in_a_png_are_no_damage(name: str) -> None:
    expected = decode(palette_png()).pixels if "palette" in name else RGB
    np.testing.assert_array_equal(decode(METADATA[name]).pixels, expected)


def test_the_orientation_of_a_png_outlasts_its_metadata() -> None:
    huge = chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(3_000_000)))
    raster = decode(png_file(RGB, huge + chunk(b"eXIf", exif(6))))
    assert raster.orientation == 6
    np.testing.assert_array_equal(raster.pixels, np.rot90(RGB, 3))


def packed(levels: Pixels, depth: int) -> bytes:
    """Pack H×W levels of `depth` bits into a gray PNG, rows in whole bytes, with level 1 transparent."""
    bits = np.unpackbits(levels[..., None], axis=2)[..., 8 - depth :].reshape(len(levels), -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in bits)
    body = chunk(b"tRNS", struct.pack(">H", 1)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return png_header(levels.shape[1], levels.shape[0], depth, 0) + body


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_gray_level_makes_a_cutout_at_every_depth(depth: int) -> None:
    levels = np.random.default_rng(depth).integers(0, 1 << depth, (14, 11), dtype=np.uint8)
    raster = decode(packed(levels, depth))
    assert has_alpha(raster)
    np.testing.assert_array_equal(to_alpha8(raster), np.where(levels == 1, 0, 255))
    np.testing.assert_array_equal(raster.pixels[..., 1], levels * (255 // ((1 << depth) - 1)))


def test_a_transparent_level_or_colour_of_16_bits_makes_a_cutout() -> None:
    gray = np.random.default_rng(0).integers(0, 4, (14, 11), dtype=np.uint16) * 21000
    raster = decode(png_file(gray, chunk(b"tRNS", struct.pack(">H", 21000))))
    np.testing.assert_array_equal(to_alpha8(raster), np.where(gray == 21000, 0, 255))
    colour = np.dstack([gray, gray[::-1], gray[:, ::-1]])
    key = tuple(int(v) for v in colour[3, 4])
    raster = decode(png_file(colour, chunk(b"tRNS", struct.pack(">HHH", *key))))
    np.testing.assert_array_equal(to_alpha8(raster) == 0, (colour == key).all(axis=2))


def test_a_16_bit_pgm_keeps_its_levels() -> None:
    levels = np.random.default_rng(1).integers(0, 65536, (9, 7), dtype=np.uint16)
    raster = decode(b"P5\n7 9\n65535\n" + levels.astype(">u2").tobytes())
    assert (raster.format, raster.pixels.dtype) == ("PPM", np.uint16)
    np.testing.assert_array_equal(raster.pixels, levels)
    twelve = (levels >> 4).astype(int)
    raster = decode(b"P5\n7 9\n4095\n" + twelve.astype(">u2").tobytes())
    np.testing.assert_array_equal(raster.pixels, np.rint(twelve / 4095 * 65535))
