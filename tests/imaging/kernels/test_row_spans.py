"""Spans of rows against regular expressions, rows of composites against exact integers."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matting_data.imaging.kernels.row_spans import (
    RowSpans,
    composite_row,
    empty_row_spans,
    find_spans,
    premultiply_rows,
)
from tests.support.synthetic import Pixels

levels = st.one_of(st.sampled_from([0, 0, 255, 255]), st.integers(0, 255))
mattes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=24).flatmap(
    lambda shape: hnp.arrays(np.uint8, shape, elements=levels, fill=st.sampled_from([0, 255]))
)


def plain_spans(line: Pixels) -> tuple[int, int, int, int]:
    """Outline and first longest opaque run of a row, from its letters: clear, soft, opaque."""
    letters = "".join("c" if level == 0 else "o" if level == 255 else "s" for level in line)
    last = len(letters.rstrip("c"))
    first = min(last, len(letters) - len(letters.lstrip("c")))
    runs = [match.span() for match in re.finditer("o+", letters)]
    start, end = max(runs, key=lambda run: run[1] - run[0], default=(first, first))
    return first, start, end, last


def as_row_spans(foreground: Pixels, alpha: Pixels) -> RowSpans:
    spans = find_spans(alpha)
    soft = int((spans[:, 1] - spans[:, 0] + spans[:, 3] - spans[:, 2]).sum())
    colour, transparency = np.empty(3 * soft, np.uint16), np.empty(3 * soft, np.uint8)
    starts = premultiply_rows(alpha, foreground.reshape(len(alpha), -1), spans, colour, transparency)
    return RowSpans(spans, foreground, starts, colour, transparency)


def plainly_composed(foreground: Pixels, alpha: Pixels, background: Pixels) -> Pixels:
    weight = alpha.astype(np.int64)[..., None]
    return ((2 * (weight * foreground + (255 - weight) * background) + 255) // 510).astype(np.uint8)


@given(mattes)
@settings(max_examples=300, deadline=None)
@example(np.array([[0, 255, 3, 255, 255, 0, 255, 255, 0]], np.uint8))
def test_the_spans_of_a_row_are_its_outline_and_its_longest_opaque_run(alpha: Pixels) -> None:
    assert find_spans(alpha).tolist() == [list(plain_spans(line)) for line in alpha]


@given(mattes, st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_a_row_of_a_composite_is_the_nearest_level_of_its_definition(alpha: Pixels, seed: int) -> None:
    rng = np.random.default_rng(seed)
    foreground, background = rng.integers(0, 256, (2, *alpha.shape, 3), dtype=np.uint8)
    expected = plainly_composed(foreground, alpha, background)
    rows = as_row_spans(foreground, alpha).rows
    for y in range(len(alpha)):
        line = background[y].reshape(-1)
        composite_row(rows, y, line)
        np.testing.assert_array_equal(line.reshape(-1, 3), expected[y])


def test_empty_row_spans_leave_a_row_as_it_is() -> None:
    line = np.arange(30, dtype=np.uint8)
    composite_row(empty_row_spans(2).rows, 1, line)
    np.testing.assert_array_equal(line, np.arange(30))
