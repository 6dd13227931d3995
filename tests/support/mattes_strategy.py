"""Pairs of mattes as hypothesis draws them: small, with ties, islands, holes, flat areas and values on thresholds."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis.extra import numpy as hnp

TENTHS = [0, 25, 26, 51, 76, 77, 102, 127, 128, 153, 178, 179, 204, 229, 230, 254, 255]
"""Codes on both sides of each threshold, and on it."""

CODES = st.one_of(st.sampled_from([0, 255]), st.sampled_from(TENTHS), st.integers(0, 255))
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


@st.composite
def code_pairs(draw, shapes=SHAPES):
    shape = draw(shapes)
    truth = draw(hnp.arrays(np.uint8, shape, elements=CODES))
    if draw(st.booleans()):
        return draw(hnp.arrays(np.uint8, shape, elements=CODES)), truth
    noise = draw(hnp.arrays(np.int64, shape, elements=st.sampled_from([-30, -1, 0, 0, 0, 1, 26])))
    return np.clip(truth + noise, 0, 255).astype(np.uint8), truth


@st.composite
def float_pairs(draw, dtype=np.float64):
    shape = draw(SHAPES)
    width = {np.float32: 32, np.float64: 64}[dtype]
    values = st.one_of(
        st.sampled_from([i / 20 for i in range(21)]), st.floats(0, 1, width=width, allow_subnormal=False)
    )
    return tuple(draw(hnp.arrays(dtype, shape, elements=values.map(dtype))) for _ in range(2))


@st.composite
def regions(draw, shape):
    region = draw(hnp.arrays(np.bool_, shape))
    region.flat[draw(st.integers(0, region.size - 1))] = True
    return region
