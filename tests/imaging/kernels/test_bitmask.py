"""Packed masks against lists of bits, the union of shifted masks, and OpenCV's morphology."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matting_data.imaging.kernels import bitmask
from tests.support.synthetic import Pixels

widths = st.one_of(st.integers(1, 20), st.sampled_from([63, 64, 65, 127, 128, 129, 193]))


@st.composite
def masks(draw: st.DrawFn) -> Pixels:
    """Masks of 0 and 1: empty, full, noise, and a rectangle as large as leaves whole words empty and full."""
    shape = draw(st.integers(1, 20)), draw(widths)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["empty", "full", "noise", "sparse", "rectangle"]))
    if kind in ("noise", "sparse"):
        return (rng.random(shape) < (0.5 if kind == "noise" else 0.02)).astype(np.uint8)
    mask = np.full(shape, kind == "full", np.uint8)
    if kind == "rectangle":
        (top, bottom), (left, right) = (np.sort(rng.integers(0, side + 1, 2)) for side in shape)
        mask[top:bottom, left:right] = 1
    return mask


@st.composite
def kernels(draw: st.DrawFn) -> Pixels:
    """Structuring elements: OpenCV's ellipses, and any whose rows are spans around the anchor column, or empty."""
    side = draw(st.integers(1, 80))
    if draw(st.booleans()):
        return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
    rng, anchor = np.random.default_rng(draw(st.integers(0, 2**32))), side // 2
    kernel = np.zeros((side, side), np.uint8)
    for row in np.flatnonzero(rng.random(side) < 0.8):
        kernel[row, rng.integers(0, anchor + 1) : rng.integers(anchor + 1, side + 1)] = 1
    kernel[anchor, anchor] = 1
    return kernel


def plainly_dilated(mask: Pixels, kernel: Pixels) -> Pixels:
    """The union of the mask shifted by every member of the kernel; nothing comes in from outside the frame."""
    height, width, side = *mask.shape, len(kernel)
    framed = np.pad(mask, side)
    result = np.zeros_like(mask)
    for row, column in zip(*np.nonzero(kernel), strict=True):
        top, left = side + row - side // 2, side + column - side // 2
        result |= framed[top : top + height, left : left + width]
    return result


def unpacked(words: np.ndarray, width: int) -> Pixels:
    """Bit x % 64 of word x // 64 for each pixel x of each row."""
    bits = [[int(words[x // 64, y]) >> x % 64 & 1 for x in range(width)] for y in range(words.shape[1])]
    return np.array(bits, np.uint8)


@given(masks())
@settings(deadline=None)
def test_each_pixel_is_a_bit_and_what_lies_beyond_the_width_is_clear(mask: Pixels) -> None:
    words = bitmask.pack(mask)
    height, width = mask.shape
    assert words.shape == (-(-width // 64), height) and words.dtype == np.uint64
    expected = np.pad(mask, ((0, 0), (0, 64 * words.shape[0] - width)))
    np.testing.assert_array_equal(unpacked(words, 64 * words.shape[0]), expected)
    inverted = unpacked(bitmask.inverted(words, width), 64 * words.shape[0])
    np.testing.assert_array_equal(inverted[:, :width], 1 - mask)
    assert not inverted[:, width:].any()


@given(masks(), kernels())
@settings(max_examples=300, deadline=None)
@example(np.eye(3, 200, 70, np.uint8), np.ones((1, 1), np.uint8))
def test_a_dilation_is_the_union_of_shifted_masks(mask: Pixels, kernel: Pixels) -> None:
    words = bitmask.dilate(bitmask.pack(mask), bitmask.kernel_spans(kernel))
    np.testing.assert_array_equal(unpacked(words, mask.shape[1]), plainly_dilated(mask, kernel))


@given(masks(), kernels())
@settings(deadline=None)
def test_dilations_and_erosions_are_opencvs(mask: Pixels, kernel: Pixels) -> None:
    width, spans = mask.shape[1], bitmask.kernel_spans(kernel)
    dilated = bitmask.dilate(bitmask.pack(mask), spans)
    np.testing.assert_array_equal(unpacked(dilated, width), cv2.dilate(mask, kernel))
    eroded = ~bitmask.dilate(bitmask.inverted(bitmask.pack(mask), width), spans)
    np.testing.assert_array_equal(unpacked(eroded, width), cv2.erode(mask, kernel))


@given(masks(), st.integers(0, 2**32))
@settings(deadline=None)
def test_painting_two_masks_is_a_selection_by_pixel(outer: Pixels, seed: int) -> None:
    inner = np.random.default_rng(seed).integers(0, 2, outer.shape, dtype=np.uint8)
    image = bitmask.paint(bitmask.pack(outer), bitmask.pack(inner), outer.shape[1])
    expected = np.select([(outer & inner) > 0, outer > 0, inner > 0], [255, 128, 127], 0)
    np.testing.assert_array_equal(image, expected)
