from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matting_data.imaging.kernels.run_png import run_png
from matting_data.imaging.kernels.run_png_reader import read_run_png
from tests.support.synthetic import chunk, png_file, png_header, soft_matte

sides = st.tuples(st.integers(1, 70), st.integers(1, 70))
flat = hnp.arrays(np.uint8, sides, elements=st.sampled_from([0, 128, 255]))
any_plane = hnp.arrays(np.uint8, sides)


@settings(deadline=None)
@given(st.one_of(flat, any_plane))
def test_what_was_written_is_read(plane: np.ndarray) -> None:
    assert np.array_equal(read_run_png(run_png(plane)), plane)


@pytest.mark.parametrize("seed", range(3))
def test_mattes_as_a_general_decoder_reads_them(seed: int) -> None:
    data = run_png(soft_matte(700, 500, seed))
    general = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read_run_png(data), general)
    assert np.array_equal(read_run_png(memoryview(data)), general)


@settings(deadline=None)
@given(any_plane)
def test_other_encoders_are_left_to_a_general_decoder(plane: np.ndarray) -> None:
    done, data = cv2.imencode(".png", plane)
    assert done
    read = read_run_png(data.tobytes())
    assert read is None or np.array_equal(read, plane)
    assert read_run_png(png_file(plane)) is None  # filter None, matches at any distance


@settings(deadline=None)
@given(any_plane, st.integers(0, 10**6), st.integers(1, 255))
def test_damage_is_noticed(plane: np.ndarray, place: int, change: int) -> None:
    data = bytearray(run_png(plane))
    data[place % len(data)] ^= change
    assert read_run_png(bytes(data)) is None
    assert read_run_png(run_png(plane)[: place % len(data)]) is None


@settings(deadline=None)
@given(any_plane, st.integers(0, 10**6), st.integers(1, 255))
def test_a_stream_that_lies_with_a_right_checksum(plane: np.ndarray, place: int, change: int) -> None:
    """Wrong bits behind a right CRC, as no accident makes them, end in None or in pixels, never beyond the arrays."""
    whole = run_png(plane)
    stream = bytearray(whole[41:-16])
    stream[2 + place % (len(stream) - 2)] ^= change
    read = read_run_png(whole[:33] + chunk(b"IDAT", bytes(stream)) + chunk(b"IEND", b""))
    assert read is None or read.shape == plane.shape


@settings(deadline=None)
@given(st.binary(max_size=200), sides)
def test_any_stream(stream: bytes, size: tuple[int, int]) -> None:
    file = png_header(size[0], size[1], 8, 0) + chunk(b"IDAT", b"\x78\x01" + stream) + chunk(b"IEND", b"")
    assert read_run_png(file) is None
    stored = zlib.compress(bytes(size[0] * size[1] + size[1]), 0)
    assert read_run_png(png_header(size[0], size[1], 8, 0) + chunk(b"IDAT", stored) + chunk(b"IEND", b"")) is None


def test_a_header_that_claims_too_many_pixels() -> None:
    whole = run_png(np.zeros((3, 4), np.uint8))
    assert read_run_png(png_header(60_000, 60_000, 8, 0) + whole[33:]) is None
    assert read_run_png(png_header(0, 3, 8, 0) + whole[33:]) is None
