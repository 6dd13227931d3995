"""Mattes that are odd but usable: noise next to 0 and 255, and colours that are multiplied by alpha already."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from matting_data.imaging.decode import decode, to_alpha8, to_rgb8
from matting_data.scanning.matte_warnings import is_noisy, is_premultiplied, matte_warnings
from matting_data.sources.find_files import image_tree
from matting_data.sources.opened import BUNDLED_PEOPLE
from tests.support.synthetic import Pixels, encoded, photo, soft_matte


def bundled() -> list[tuple[Pixels, Pixels]]:
    rasters = [decode((BUNDLED_PEOPLE / name).read_bytes()) for name in image_tree(BUNDLED_PEOPLE, "test")]
    return [(to_rgb8(raster), to_alpha8(raster)) for raster in rasters]


PEOPLE = [*bundled(), *((photo(300, 260, seed), soft_matte(300, 260, seed)) for seed in range(6))]


def multiplied(image: Pixels, alpha: Pixels) -> Pixels:
    return np.rint(image * (alpha[..., None] / 255)).astype(np.uint8)


def test_sound_people_are_not_warned_of() -> None:
    assert [matte_warnings(image, alpha, is_cutout=True) for image, alpha in PEOPLE] == [[]] * len(PEOPLE)


@pytest.mark.parametrize("quality", [75, 90, 95])
def test_a_matte_kept_as_jpeg_is_warned_of(quality: int) -> None:
    for image, alpha in PEOPLE:
        kept = to_alpha8(decode(encoded(alpha, "JPEG", quality=quality)))
        assert "alpha_noise" in matte_warnings(image, kept, is_cutout=False)


def test_solid_parts_below_255_are_warned_of() -> None:
    for _, alpha in PEOPLE:
        assert is_noisy(np.where(alpha > 250, np.uint8(250), alpha))


def test_a_clean_mask_has_no_noise() -> None:
    assert not is_noisy(np.where(PEOPLE[0][1] > 128, np.uint8(255), np.uint8(0)))


def test_a_premultiplied_cutout_is_warned_of() -> None:
    for image, alpha in PEOPLE:
        assert matte_warnings(multiplied(image, alpha), alpha, is_cutout=True) == ["premultiplied"]
        assert matte_warnings(multiplied(image, alpha), alpha, is_cutout=False) == []


def test_a_premultiplied_cutout_is_told_also_after_resizing() -> None:
    for image, alpha in PEOPLE:
        stored = np.dstack([multiplied(image, alpha), alpha])
        half = np.asarray(cv2.resize(stored, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), np.uint8)
        assert is_premultiplied(half[..., :3], np.ascontiguousarray(half[..., 3]))


def test_a_dark_person_is_not_taken_for_a_multiplied_one() -> None:
    for image, alpha in PEOPLE:
        assert not is_premultiplied(image // 16, alpha)
        assert not is_premultiplied(np.zeros_like(image), alpha)


def test_a_mask_says_nothing_of_multiplication() -> None:
    image, alpha = PEOPLE[0]
    mask = np.where(alpha > 128, np.uint8(255), np.uint8(0))
    assert not is_premultiplied(multiplied(image, mask), mask)
