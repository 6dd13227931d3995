"""TIFF of more than 8 bits and planar TIFF: exact, whatever their tags say."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matting_data.errors import RejectedInput
from matting_data.imaging.decode import decode, has_alpha, to_alpha8, to_rgb8

EIGHT_BITS = np.array([floor(Fraction(v, 257) + Fraction(1, 2)) for v in range(65536)], np.uint8)
DEEP = np.random.default_rng(0).integers(0, 65536, (24, 20, 4), dtype=np.uint16)


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def planar(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


@settings(max_examples=60, deadline=None)
@given(
    channels=st.sampled_from([3, 4]),
    byteorder=st.sampled_from("<>"),
    separate=st.booleans(),
    compression=st.sampled_from([None, "zlib", "packbits"]),
    predictor=st.booleans(),
    layout=st.sampled_from([{}, {"rowsperstrip": 5}, {"tile": (16, 16)}]),
    big=st.booleans(),
)
def test_16_bit_colours_are_rounded_exactly_whatever_the_layout(
    channels: int, byteorder: str, separate: bool, compression: str | None, predictor: bool, layout: dict, big: bool
) -> None:
    pixels = DEEP[..., :channels]
    options: dict[str, Any] = {
        "photometric": "rgb", "byteorder": byteorder, "compression": compression, "bigtiff": big, **layout,
        "predictor": predictor and compression == "zlib", "extrasamples": ["unassalpha"] if channels == 4 else None,
    }  # fmt: skip
    if separate:
        pixels, options["planarconfig"] = planar(pixels), "separate"
    raster = decode(tiff(pixels, **options))
    assert raster.format == "TIFF"
    np.testing.assert_array_equal(to_rgb8(raster), EIGHT_BITS[DEEP[..., :3]])
    assert has_alpha(raster) == (channels == 4)
    if channels == 4:
        np.testing.assert_array_equal(to_alpha8(raster), EIGHT_BITS[DEEP[..., 3]])


@pytest.mark.parametrize("compression", ["lzw", "zstd"])
def test_further_compressions_are_read_with_the_extra(compression: str) -> None:
    pytest.importorskip("imagecodecs")
    raster = decode(tiff(DEEP[..., :3], photometric="rgb", compression=compression, predictor=True))
    np.testing.assert_array_equal(to_rgb8(raster), EIGHT_BITS[DEEP[..., :3]])


def packed_tiff(levels: NDArray[np.uint16], bits: int, byteorder: str, photometric: int) -> bytes:
    """Write gray H×W levels as TIFF 6.0 packs them: `bits` each, highest bit first, whatever the byte order."""
    height, width = levels.shape
    planes = (levels[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).reshape(height, -1)
    data = np.packbits(planes, axis=1).tobytes()
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 0, 277: 1, 278: height, 279: len(data)}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack(f"{byteorder}HHII", tag, 4, 1, value) for tag, value in tags.items())
    magic = b"II*\0" if byteorder == "<" else b"MM\0*"
    return magic + struct.pack(f"{byteorder}IH", 8, len(tags)) + entries + bytes(4) + data


@pytest.mark.parametrize("bits", range(9, 16))
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("photometric", [0, 1])
def test_9_to_15_bits_are_stretched_to_the_whole_range(bits: int, byteorder: str, photometric: int) -> None:
    pytest.importorskip("imagecodecs")
    top = (1 << bits) - 1
    levels = (DEEP[..., 0] >> 16 - bits).astype(np.uint16)
    levels[0, :2] = 0, top
    raster = decode(packed_tiff(levels, bits, byteorder, photometric))
    shown = [[top - v if photometric == 0 else v for v in row] for row in levels.tolist()]
    expected = [[floor(Fraction(v * 65535, top) + Fraction(1, 2)) for v in row] for row in shown]
    np.testing.assert_array_equal(raster.pixels, expected)
    assert (raster.pixels.dtype, raster.mode) == (np.uint16, f"L;{bits}")


def test_8_bit_planar_colours_are_exact() -> None:
    eight = EIGHT_BITS[DEEP[..., :3]]
    for compression in (None, "zlib"):
        raster = decode(tiff(planar(eight), photometric="rgb", planarconfig="separate", compression=compression))
        np.testing.assert_array_equal(raster.pixels, eight)


def test_white_may_be_zero() -> None:
    for levels in (DEEP[..., 0], EIGHT_BITS[DEEP[..., 0]]):
        raster = decode(tiff(levels, photometric="miniswhite"))
        expected = EIGHT_BITS[65535 - DEEP[..., 0]] if levels.dtype == np.uint16 else 255 - levels
        np.testing.assert_array_equal(to_alpha8(raster), expected)


def test_gray_with_alpha_of_16_bits_gives_both() -> None:
    raster = decode(tiff(DEEP[..., :2], photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]))
    np.testing.assert_array_equal(to_alpha8(raster), EIGHT_BITS[DEEP[..., 1]])
    np.testing.assert_array_equal(to_rgb8(raster)[..., 2], EIGHT_BITS[DEEP[..., 0]])


def test_associated_alpha_is_divided_out() -> None:
    straight = DEEP[..., :3].astype(np.uint64)
    alpha = DEEP[..., 3:].astype(np.uint64) // 2 + 32767
    stored = np.concatenate([(straight * alpha + 32767) // 65535, alpha], axis=2).astype(np.uint16)
    raster = decode(tiff(stored, photometric="rgb", extrasamples=["assocalpha"]))
    assert np.abs(raster.pixels[..., :3].astype(int) - DEEP[..., :3].astype(int)).max() <= 1
    np.testing.assert_array_equal(raster.pixels[..., 3], stored[..., 3])


def test_an_extra_sample_that_means_nothing_is_no_alpha() -> None:
    raster = decode(tiff(DEEP, photometric="rgb", extrasamples=["unspecified"]))
    assert not has_alpha(raster)
    np.testing.assert_array_equal(raster.pixels, DEEP[..., :3])


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_the_orientation_of_a_deep_file_is_applied(orientation: int, turns: int) -> None:
    raster = decode(tiff(DEEP[..., :3], photometric="rgb", extratags=[(274, "H", 1, orientation, True)]))
    assert raster.orientation == orientation
    np.testing.assert_array_equal(raster.pixels, np.rot90(DEEP[..., :3], turns))


def test_what_has_no_agreed_range_or_colours_is_refused() -> None:
    for data in (
        tiff(DEEP[..., :3].astype(np.float32), photometric="rgb"),
        tiff(DEEP[..., 0].astype(np.int16)),
        tiff(DEEP, photometric="separated"),
    ):
        with pytest.raises(RejectedInput) as caught:
            decode(data)
        assert caught.value.reason in ("wrong_mode", "unreadable")


def test_a_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(RejectedInput) as caught:
        decode(tiff(DEEP[..., :3], photometric="rgb"), 24 * 20 - 1)
    assert (caught.value.reason, caught.value.detail) == ("too_large", "20×24 has more than 479 pixels")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("separate", [False, True])
def test_a_file_cut_anywhere_is_unreadable(compression: str | None, separate: bool) -> None:
    pixels = planar(DEEP[..., :3]) if separate else DEEP[..., :3]
    layout = "separate" if separate else "contig"
    data = tiff(pixels, photometric="rgb", planarconfig=layout, compression=compression, rowsperstrip=6)
    for end in range(0, len(data), 97):
        with pytest.raises(RejectedInput) as caught:
            decode(data[:end])
        assert caught.value.reason == "unreadable"


def test_what_the_decoder_says_of_damage_stays_off_the_terminal() -> None:
    data = bytearray(tiff(DEEP[..., :3], photometric="rgb", byteorder="<"))
    first = int.from_bytes(data[4:8], "little") + 2
    data[first + 2 : first + 4] = bytes(2)  # the type of the width
    program = (
        "import sys; from matting_data.imaging.decode import decode; from matting_data.errors import RejectedInput\n"
        "try: decode(sys.stdin.buffer.read())\n"
        "except RejectedInput as problem: print(problem.reason)"
    )
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    assert (done.stdout.split(), done.stderr) == ([b"unreadable"], b"")


def test_a_segment_that_is_not_there_is_unreadable_rather_than_black() -> None:
    data = tiff(DEEP[..., :3], photometric="rgb")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages.first.tags[279]
        place = tag.valueoffset
    with pytest.raises(RejectedInput):
        decode(data[:place] + bytes(4) + data[place + 4 :])


def test_a_compression_without_its_decoder_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(self: object, *_: object, **__: object) -> None:
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", lacking)
    with pytest.raises(RejectedInput, match=r"mattingdata\[tiff\]") as caught:
        decode(tiff(DEEP[..., :3], photometric="rgb"))
    assert caught.value.reason == "unreadable"
