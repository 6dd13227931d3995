"""Sizes at which detectors look: everything is covered, nothing is unbounded."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matting_data.detectors import scaling

sides = st.integers(1, 20_000)


@given(sides, sides, st.integers(1, 2000))
def test_reduction_never_enlarges_and_keeps_the_aspect(height: int, width: int, long_side: int) -> None:
    rows, columns = scaling.reduced_size((height, width), long_side)
    assert 1 <= rows <= height and 1 <= columns <= width
    assert max(rows, columns) <= max(long_side, 1)
    if max(height, width) <= long_side:
        assert (rows, columns) == (height, width)
    scale = min(1.0, long_side / max(height, width))
    assert abs(rows - height * scale) <= 1 and abs(columns - width * scale) <= 1


@given(sides, sides, st.integers(1, 800), st.floats(1.0, 8.0))
def test_covering_size_has_the_short_side_and_is_bounded(height: int, width: int, short: int, aspect: float) -> None:
    rows, columns = scaling.covering_size((height, width), short, aspect)
    assert min(rows, columns) == short
    assert max(rows, columns) <= round(aspect * short)


@given(sides, sides, st.integers(1, 512))
def test_letterbox_is_inside_centred_and_fills_one_direction(height: int, width: int, side: int) -> None:
    top, left, rows, columns = scaling.letterbox_placement((height, width), side)
    assert top >= 0 and left >= 0 and rows >= 1 and columns >= 1
    assert top + rows <= side and left + columns <= side
    assert max(rows, columns) == side
    assert abs((side - rows) - 2 * top) <= 1 and abs((side - columns) - 2 * left) <= 1


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_resizing_gives_the_size_asked_for_and_keeps_a_flat_colour(h: int, w: int, rows: int, columns: int) -> None:
    result = scaling.resized(np.full((h, w, 3), 77, dtype=np.uint8), (rows, columns))
    assert result.shape == (rows, columns, 3) and result.dtype == np.uint8
    assert (result == 77).all()


def test_network_input_spans_minus_one_to_one() -> None:
    batch = scaling.signed_unit(np.asarray([[[0, 128, 255]]], dtype=np.uint8))
    assert batch.shape == (1, 1, 1, 3) and batch.dtype == np.float32
    np.testing.assert_allclose(batch[0, 0, 0], [-1.0, 1 / 255, 1.0], atol=1e-6)
