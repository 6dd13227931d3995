"""Our metrics against an implementation written straight from the definitions, on generated and on real mattes."""

from __future__ import annotations

from pathlib import Path

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from matting_data.imaging.decode import decode, to_alpha8
from matting_data.metrics import connectivity, gradient, mad, mse, sad
from matting_data.sources.find_files import image_tree
from tests.support import definitions
from tests.support.mattes_strategy import code_pairs, float_pairs, regions

RELATIVE = 1e-9
FLOOR = 1e-22
"""Below this a gradient error is rounding: two equal mattes of different types give 1e-30, not 0."""

many = settings(max_examples=1200, deadline=None)
some = settings(max_examples=400, deadline=None)


def agree(ours: float, theirs: float) -> None:
    assert abs(ours - theirs) <= RELATIVE * max(abs(ours), abs(theirs)) + FLOOR, (ours, theirs)


@many
@given(st.data())
def test_pixel_errors_and_gradient_of_codes(data) -> None:
    p, g = data.draw(code_pairs())
    region = data.draw(st.none() | regions(p.shape))
    agree(mse(p, g, region), definitions.mse(p, g, region))
    agree(sad(p, g, region), definitions.sad(p, g, region))
    agree(mad(p, g, region), definitions.sad(p, g, region) / (p.size if region is None else region.sum()))
    for scaled in (True, False):
        agree(gradient(p, g, region, scaled=scaled), definitions.gradient(p, g, region, scaled))


@many
@given(st.data())
def test_connectivity_of_codes(data) -> None:
    p, g = data.draw(code_pairs())
    region = data.draw(st.none() | regions(p.shape))
    agree(connectivity(p, g, region), definitions.connectivity(p, g, region))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_floats(dtype: type) -> None:
    @some
    @given(st.data())
    def check(data) -> None:
        p, g = data.draw(float_pairs(dtype))
        region = data.draw(st.none() | regions(p.shape))
        agree(mse(p, g, region), definitions.mse(p, g, region))
        agree(sad(p, g, region), definitions.sad(p, g, region))
        agree(gradient(p, g, region), definitions.gradient(p, g, region))
        agree(connectivity(p, g, region), definitions.connectivity(p, g, region))

    check()


@some
@given(code_pairs())
def test_codes_and_floats_of_every_precision_agree(pair: tuple[NDArray, NDArray]) -> None:
    p, g = pair
    wide = tuple(m.astype(np.uint16) * np.uint16(257) for m in pair)
    for metric in (mse, sad, gradient, connectivity):
        exact = metric(p, g)
        assert metric(*wide) == pytest.approx(exact, rel=1e-12)
        assert metric(p, wide[1]) == pytest.approx(exact, rel=1e-12)
        assert metric(p / 255, g / 255) == pytest.approx(exact, rel=RELATIVE, abs=FLOOR)
        assert metric(p / 255, g) == pytest.approx(exact, rel=RELATIVE, abs=FLOOR)
        single = metric((p / 255).astype(np.float32), (g / 255).astype(np.float32))
        assert single == pytest.approx(exact, rel=1e-5, abs=1e-5)
    half = connectivity((p / 255).astype(np.float16), (g / 255).astype(np.float16))
    assert half == pytest.approx(connectivity(p, g), abs=1e-3 * p.size)


@pytest.mark.parametrize("contrast", [1e-3, 1e-7, 1e-12, 1e-40, 1e-164, 5e-310])
def test_the_gradient_of_hardly_any_contrast(contrast: float) -> None:
    """Stretching makes the smallest difference count; it must neither drown in rounding nor vanish."""
    rng = np.random.default_rng(0)
    shape = rng.integers(0, 3, (20, 30)) / 2
    g = rng.random((20, 30))
    offset = 0.25 if contrast > 1e-10 else 0.0
    p = offset + contrast * shape
    agree(gradient(p, g), definitions.gradient(p, g))
    assert gradient(p, g) == pytest.approx(gradient(shape, g), rel=1e-6)


@some
@given(st.data())
def test_properties(data) -> None:
    p, g = data.draw(code_pairs())
    assert mad(p, g) >= mse(p, g)
    assert sad(p, g) == pytest.approx(p.size * mad(p, g), rel=1e-12)
    for metric in (mse, mad, sad, gradient, connectivity):
        assert metric(g, g) == 0
        assert metric(p, g) == metric(g, p) >= 0
        assert metric(np.asfortranarray(p), g[::-1][::-1]) == metric(p, g)
    part = data.draw(regions(p.shape))
    if not part.all():
        for metric in (sad, gradient, connectivity):
            assert metric(p, g, part) + metric(p, g, ~part) == pytest.approx(metric(p, g), rel=1e-12, abs=1e-15)


def real_mattes(shared_data: Path) -> list[NDArray]:
    folder = shared_data / "foregrounds" / "fine" / "alpha"
    mattes = [to_alpha8(decode((folder / name).read_bytes())) for name in image_tree(folder, "test")]
    folder = shared_data / "foregrounds" / "portraits" / "matting"
    return mattes[:3] + [to_alpha8(decode((folder / name).read_bytes())) for name in image_tree(folder, "test")[:2]]


def damaged(matte: NDArray, seed: int) -> NDArray:
    """A prediction with what predictions have: blur, noise at the edge, a hole, and an island."""
    rng = np.random.default_rng(seed)
    soft = cv2.GaussianBlur(matte, (0, 0), 2.0).astype(np.int64)
    edge = (soft > 0) & (soft < 255)
    soft[edge] += rng.integers(-40, 41, np.count_nonzero(edge))
    height, width = matte.shape
    soft[height // 2 : height // 2 + 9, width // 2 : width // 2 + 9] = 90
    soft[2:8, 2:8] = 200
    return np.clip(soft, 0, 255).astype(np.uint8)


@pytest.mark.slow
def test_real_mattes(shared_data: Path) -> None:
    from skimage.measure import label

    def labelled_connectivity(p: NDArray, g: NDArray, region: NDArray) -> float:
        tenths = np.full(p.shape, -1)
        for i in range(1, 11):
            labels = label((definitions.reaches(p, i) & definitions.reaches(g, i)).T, connectivity=1).T
            areas = np.bincount(labels.ravel())[1:]
            omega = labels == np.argmax(areas) + 1 if areas.size else np.zeros(p.shape, bool)
            tenths[(tenths < 0) & ~omega] = i - 1
        tenths[tenths < 0] = 10
        d = [m.astype(np.int64) * 20 - 510 * tenths for m in (p, g)]
        kept = [np.where(m >= 765, m, 0) for m in d]
        return float(np.abs(kept[0] - kept[1])[region].sum() / 5100)

    for seed, truth in enumerate(real_mattes(shared_data)):
        prediction = damaged(truth, seed)
        everywhere = np.ones(truth.shape, bool)
        for region in (everywhere, (truth > 0) & (truth < 255)):
            chosen = None if region is everywhere else region
            agree(mse(prediction, truth, chosen), definitions.mse(prediction, truth, chosen))
            agree(sad(prediction, truth, chosen), definitions.sad(prediction, truth, chosen))
            agree(gradient(prediction, truth, chosen), definitions.gradient(prediction, truth, chosen))
            agree(connectivity(prediction, truth, chosen), labelled_connectivity(prediction, truth, region))
