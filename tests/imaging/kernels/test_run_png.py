"""A decoder of any kind gets the pixels back; the bytes are small and stay the same."""

from __future__ import annotations

import hashlib
import io
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from matting_data.errors import MattingDataError
from matting_data.imaging.kernels.run_png import _code_lengths, run_png
from tests.support.synthetic import Pixels


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and content of every chunk, after a check of its CRC."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, place = [], 8
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        assert zlib.crc32(kind + content).to_bytes(4, "big") == data[place + 8 + size : place + 12 + size]
        found.append((kind, content))
        place += 12 + size
    return found


def read_by_hand(data: bytes) -> Pixels:
    """The pixels after the letter of the specification; zlib checks the Adler-32 and that the stream ends in time."""
    (first, header), (second, compressed), last = chunks(data)
    assert (first, second, last) == (b"IHDR", b"IDAT", (b"IEND", b""))
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    assert header[8:] == bytes([8, 0, 0, 0, 0])
    inflate = zlib.decompressobj()
    rows = np.frombuffer(inflate.decompress(compressed), np.uint8).reshape(height, width + 1)
    assert inflate.eof and not inflate.unused_data
    assert (rows[:, 0] == 2).all()
    return np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)


def check(plane: Pixels) -> bytes:
    data = run_png(plane)
    np.testing.assert_array_equal(read_by_hand(data), plane)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), plane)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, plane)
    return data


def drawn_trimap() -> Pixels:
    """A head and shoulders with a band around them, a strand of hair and a hole, 683 × 512."""
    trimap = np.zeros((512, 683), np.uint8)
    for value, grown in ((128, 12), (255, -12)):
        cv2.ellipse(trimap, (340, 190), (90 + grown, 120 + grown), 0, 0, 360, value, -1)
        cv2.ellipse(trimap, (340, 520), (220 + grown, 230 + grown), 0, 0, 360, value, -1)
    cv2.line(trimap, (400, 100), (560, 30), 128, 9)
    cv2.circle(trimap, (250, 440), 25, 128, -1)
    return trimap


values = st.one_of(st.sampled_from([0, 128, 255]), st.integers(0, 255))
# around rows of whole longest matches, and around the 8 bytes that are compared at a time
sides = st.one_of(st.integers(1, 40), st.builds(lambda n, d: 258 * n + d, st.integers(1, 3), st.integers(-3, 5)))


@st.composite
def flat_planes(draw: st.DrawFn) -> Pixels:
    """Rectangles of one value each over a plane of one value."""
    height, width = draw(st.tuples(st.integers(1, 12), sides) | st.tuples(sides, st.integers(1, 12)))
    plane = np.full((height, width), draw(values), np.uint8)
    for _ in range(draw(st.integers(0, 6))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        plane[top : top + draw(st.integers(1, height)), left : left + draw(st.integers(1, width))] = draw(values)
    return plane


@given(flat_planes())
@settings(deadline=None)
def test_piecewise_flat_planes_are_decoded_to_the_same_pixels(plane: Pixels) -> None:
    check(plane)


@given(st.tuples(st.integers(1, 20), st.integers(1, 40)).flatmap(lambda shape: hnp.arrays(np.uint8, shape)))
@settings(deadline=None)
@example(np.zeros((1, 1), np.uint8))
def test_any_small_plane_is_decoded_to_the_same_pixels(plane: Pixels) -> None:
    check(plane)


@given(sides, sides, st.integers(1, 256), st.integers(0, 2**32))
@settings(deadline=None)
def test_noise_is_decoded_to_the_same_pixels_and_hardly_larger(height: int, width: int, levels: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, levels, (height, width), dtype=np.uint8)
    assert len(check(noise)) <= 1.02 * height * (width + 1) + 400


@pytest.mark.parametrize("value", [0, 2, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 70_000), (70_000, 1), (1366, 1024)])
def test_planes_of_one_value(shape: tuple[int, int], value: int) -> None:
    check(np.full(shape, value, np.uint8))


def test_every_length_of_a_run() -> None:
    wide = 600
    runs = np.arange(1, wide)[:, None] > np.arange(wide)
    check(np.cumsum(runs * np.uint8(255), axis=0, dtype=np.uint8))  # each row differs from the last by a run


def test_every_value() -> None:
    check(np.arange(256, dtype=np.uint8)[None])


def fibonacci(count: int) -> NDArray[np.int64]:
    """The weights of the deepest Huffman trees."""
    numbers = [1, 1]
    while len(numbers) < count:
        numbers.append(numbers[-1] + numbers[-2])
    return np.array(numbers)


@pytest.mark.parametrize(("count", "longest"), [(2, 15), (16, 15), (17, 15), (40, 15), (8, 7), (9, 7), (19, 7)])
def test_codes_are_shortened_to_what_deflate_allows_and_leave_no_gap(count: int, longest: int) -> None:
    lengths = _code_lengths(np.insert(fibonacci(count), 1, 0), longest)
    assert lengths[1] == 0
    used = np.delete(lengths, 1)
    assert used.min() >= 1 and used.max() <= min(longest, count - 1)
    assert (0.5**used).sum() == 1


def test_a_plane_whose_codes_must_be_shortened() -> None:
    pixels = np.repeat(np.arange(3, 28, dtype=np.uint8), fibonacci(25))
    check(np.random.default_rng(0).permutation(pixels)[None])


def test_the_layout_of_the_array_does_not_matter() -> None:
    trimap = drawn_trimap()
    expected = run_png(np.ascontiguousarray(trimap[20:401, 30:500]))
    assert run_png(trimap[20:401, 30:500]) == expected
    assert run_png(np.asfortranarray(trimap[20:401, 30:500])) == expected
    frozen = trimap[20:401, 30:500].copy()
    frozen.flags.writeable = False
    assert run_png(frozen) == expected


def test_the_bytes_are_the_ones_they_have_always_been() -> None:
    """Change these digests only with the intention of changing what equal recipes give."""
    rows, columns = np.mgrid[:300, :517]
    distance = (rows - 160) ** 2 + (columns - 250) ** 2
    disc = np.select([distance < 90**2, distance < 130**2], [255, 128], 0).astype(np.uint8)
    soft = np.clip((130**2 - distance) // 40, 0, 255).astype(np.uint8)
    digests = [hashlib.sha256(run_png(plane)).hexdigest() for plane in (disc, soft)]
    assert digests == [
        "a90126469cbf7d3485cb2c19e7b48c5443f3cc29c58f4157a6f2a82be3dec765",
        "d57128a82bee80bc8895f67610b1481bd46c1ac135843a34cb26234ce38e27ec",
    ]


def test_a_trimap_is_about_as_small_as_opencv_makes_it() -> None:
    trimap = drawn_trimap()
    settings = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_FILTER]
    done, by_opencv = cv2.imencode(".png", trimap, [*settings, cv2.IMWRITE_PNG_FILTER_NONE])
    assert done and len(check(trimap)) < 1.5 * len(by_opencv)


@pytest.mark.parametrize(
    "plane",
    [np.zeros((0, 4), np.uint8), np.zeros((4, 0), np.uint8), np.zeros((4, 4, 1), np.uint8), np.zeros((4, 4), bool)],
)
def test_what_is_no_plane_is_refused(plane: Pixels) -> None:
    with pytest.raises(MattingDataError):
        run_png(plane)
