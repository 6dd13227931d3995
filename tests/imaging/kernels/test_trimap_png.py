"""The PNG of two packed masks against painting them and encoding the plane."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from matting_data.imaging.kernels.bitmask import pack
from matting_data.imaging.kernels.run_png import run_png
from matting_data.imaging.kernels.trimap_png import trimap_png
from tests.support.synthetic import Pixels

widths = st.one_of(st.integers(1, 20), st.sampled_from([63, 64, 65, 127, 128, 129, 193, 600]))


@st.composite
def trimaps(draw: st.DrawFn) -> tuple[Pixels, Pixels]:
    """Two masks of 0 and 1, the second inside the first: noise, or edges that move a little from row to row."""
    shape = draw(st.integers(1, 30)), draw(widths)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):
        noise = rng.integers(0, 2, (2, *shape), dtype=np.uint8)
        return noise[0], noise[0] & noise[1]
    columns, edges = np.arange(shape[1]), np.sort(rng.integers(0, shape[1] + 1, 4))
    moved = edges + np.cumsum(rng.integers(-1, 2, (shape[0], 1)), axis=0)
    outer = (columns >= moved[:, :1]) & (columns < moved[:, 3:])
    inner = (columns >= moved[:, 1:2]) & (columns < moved[:, 2:3])
    return outer.astype(np.uint8), inner.astype(np.uint8)


@given(trimaps(), st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_the_png_of_packed_masks_is_that_of_their_pixels(masks: tuple[Pixels, Pixels], seed: int) -> None:
    outer, inner = masks
    width = outer.shape[1]
    plane = np.select([inner > 0, outer > 0], [255, 128], 0).astype(np.uint8)
    beyond = ~pack(np.ones_like(outer))  # bits that are no pixels have no meaning
    noise = np.random.default_rng(seed).integers(0, 2**64, beyond.shape, dtype=np.uint64)
    data = trimap_png(pack(outer) | beyond & noise, pack(inner) | beyond & noise, width)
    assert data == run_png(plane)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), plane)
