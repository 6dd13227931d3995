"""Composites on enlarged backgrounds, against plain integer arithmetic on whole images."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matting_data.imaging.composite import over, over_window, premultiply
from matting_data.imaging.geometry import Crop, cut, place
from matting_data.imaging.kernels.resample import cubic_window
from tests.support.synthetic import Pixels, photo, soft_matte

CROPS: list[Crop] = ["top_left", "center", "random"]


def plain_taps(length: int, enlarged: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions and 11-bit weights of Keys' cubic convolution with a = −0.75; the last is what is missing to 2048."""
    place = (np.arange(enlarged) + 0.5) / (enlarged / length) - 0.5
    base = np.floor(place).astype(np.int64)
    t = place - base
    outer, s = t + 1, 1 - t
    weights = np.stack(
        [
            -0.75 * outer**3 + 3.75 * outer**2 - 6 * outer + 3,
            1.25 * t**3 - 2.25 * t**2 + 1,
            1.25 * s**3 - 2.25 * s**2 + 1,
        ]
    )
    fixed = np.rint(weights * 2048).astype(np.int64)
    fixed = np.concatenate([fixed, 2048 - fixed.sum(axis=0, keepdims=True)])
    return np.clip(base + np.arange(-1, 3)[:, None], 0, length - 1), fixed


def plainly_enlarged(image: Pixels, width: int, height: int) -> Pixels:
    """Enlarge the whole image: along rows to 6 bits of fraction, then along columns."""
    columns, weights = plain_taps(image.shape[1], width)
    half_way = (sum(image[:, c].astype(np.int64) * w[:, None] for c, w in zip(columns, weights, strict=True)) + 16) >> 5
    rows, weights = plain_taps(image.shape[0], height)
    total = sum(half_way[r] * w[:, None, None] for r, w in zip(rows, weights, strict=True))
    return np.clip((total + (1 << 16)) >> 17, 0, 255).astype(np.uint8)


def plainly_composed(foreground: Pixels, alpha: Pixels, background: Pixels) -> Pixels:
    weight = alpha.astype(np.int64)[..., None]
    return ((2 * (weight * foreground + (255 - weight) * background) + 255) // 510).astype(np.uint8)


@st.composite
def mattes(draw: st.DrawFn) -> Pixels:
    """Mattes of rows with opaque, soft and clear runs, and of the extremes: all clear, all opaque, noise."""
    height, width = draw(st.integers(1, 45)), draw(st.integers(1, 45))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["clear", "opaque", "noise", "runs", "runs", "person"]))
    if kind in ("clear", "opaque"):
        return np.full((height, width), 255 if kind == "opaque" else 0, np.uint8)
    if kind == "noise":
        return rng.integers(0, 256, (height, width), dtype=np.uint8)
    if kind == "person":
        return soft_matte(max(2, width), max(2, height))
    longest = draw(st.integers(1, 30))
    levels, lengths = rng.choice([0, 0, 1, 128, 254, 255, 255], 2000), rng.integers(1, longest + 1, 2000)
    return np.resize(np.repeat(levels, lengths), height * width).reshape(height, width).astype(np.uint8)


sides = st.integers(1, 60)
shares = st.floats(0, 1, exclude_max=True)


@given(mattes(), sides, sides, st.sampled_from(CROPS), st.tuples(shares, shares), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
@example(np.full((1, 1), 255, np.uint8), 1, 1, "top_left", (0.0, 0.0), False, 0)
@example(np.full((45, 1), 7, np.uint8), 1, 1, "center", (0.0, 0.0), False, 1)
@example(np.full((1, 45), 254, np.uint8), 1, 1, "center", (0.0, 0.0), True, 2)
@example(np.full((44, 45), 255, np.uint8), 3, 2, "random", (0.5, 0.99), False, 3)
def test_a_composite_equals_enlarging_cropping_and_mixing_one_after_the_other(
    alpha: Pixels, width: int, height: int, crop: Crop, at: tuple[float, float], gray: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    size = (alpha.shape[1], alpha.shape[0])
    foreground = rng.integers(0, 256, (*alpha.shape, 3), dtype=np.uint8)
    background = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if gray:
        background[...] = rng.choice(np.array([0, 255], np.uint8), (height, width, 1))  # overshoots most
    before = background.copy(), foreground.copy()
    p = place(size, (width, height), crop, at)
    window = plainly_enlarged(background, p.width, p.height)[p.y : p.y + size[1], p.x : p.x + size[0]]
    if (p.width, p.height) == (width, height):
        window = background[p.y : p.y + size[1], p.x : p.x + size[0]]
    np.testing.assert_array_equal(cut(background, p, size), window)
    ready = premultiply(foreground, alpha)
    expected = plainly_composed(foreground, alpha, window)
    for _ in range(2):  # a foreground serves many backgrounds
        np.testing.assert_array_equal(over_window(ready, background, p), expected)
    np.testing.assert_array_equal(over(ready, window.copy()), expected)
    np.testing.assert_array_equal(background, before[0])
    np.testing.assert_array_equal(foreground, before[1])


@pytest.mark.parametrize(
    ("foreground", "background"), [((683, 512), (512, 341)), ((301, 777), (640, 480)), ((400, 41), (399, 900))]
)
def test_a_person_before_a_real_size_equals_the_plain_way(
    foreground: tuple[int, int], background: tuple[int, int]
) -> None:
    image, alpha = photo(*foreground, 1), soft_matte(*foreground)
    assert 0 < (alpha == 255).mean() < 1
    behind = photo(*background, 2)
    p = place(foreground, background, "center")
    window = plainly_enlarged(behind, p.width, p.height)[p.y :, p.x :][: foreground[1], : foreground[0]]
    result = over_window(premultiply(image, alpha), behind, p)
    np.testing.assert_array_equal(result, plainly_composed(image, alpha, window))
    assert result.flags.c_contiguous


def test_the_strongest_overshoot_of_either_sign_stays_within_its_bits() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[(np.indices((64, 64)) // 2 % 2).any(axis=0)] = 255
    for image in (stripes, 255 - stripes, stripes[..., ::-1], np.roll(stripes, 1, axis=(0, 1))):
        for enlarged in ((65, 65), (127, 97), (192, 640)):
            window = cubic_window(image, enlarged, (0, 0), enlarged)
            np.testing.assert_array_equal(window, plainly_enlarged(image, *enlarged))


def test_views_and_read_only_arrays_are_taken_as_they_are() -> None:
    alpha, image, behind = soft_matte(40, 30), photo(40, 30, 1), photo(25, 20, 2)
    p = place((40, 30), (25, 20))
    expected = over_window(premultiply(image, alpha), behind, p)
    wide = np.repeat(behind, 2, axis=1)[:, ::2]
    wide.setflags(write=False)
    turned = np.ascontiguousarray(image[:, ::-1])[:, ::-1]
    np.testing.assert_array_equal(over_window(premultiply(turned, alpha[::-1][::-1]), wide, p), expected)


PROGRAM = """
import hashlib
import numpy as np
from matting_data.imaging.kernels.resample import cubic_window

rng, digest = np.random.default_rng(3), hashlib.sha256()
for (width, height), enlarged in (((7, 5), (16, 12)), ((64, 48), (97, 73)), ((1, 1), (40, 40)), ((33, 90), (33, 91))):
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    digest.update(cubic_window(image, enlarged, (3, 1), (enlarged[0] - 3, enlarged[1] - 1)).tobytes())
print(digest.hexdigest())
"""


def test_a_processor_without_the_instruction_makes_the_same_bytes(tmp_path: Path) -> None:
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CACHE_DIR": str(tmp_path)}
    made = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=os.environ | more, capture_output=True, text=True, check=True
        )
        for more in ({}, plain)
    ]
    assert made[0].stdout == made[1].stdout
    assert len(made[0].stdout.strip()) == hashlib.sha256().digest_size * 2
