"""Checks: complete records, or the reason why not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from matting_data.detectors.detector import Detection, Thresholds
from matting_data.errors import RejectedInput
from matting_data.imaging.fingerprint import fingerprint, foreground_fingerprint
from matting_data.records.checked import CheckedBackground, CheckedForeground, HumanBox
from matting_data.records.fields import widened
from matting_data.records.found import FoundBackground, FoundForeground
from matting_data.scanning.checks import (
    check_background,
    check_foreground,
    require_side,
    require_usable_matte,
    with_detection,
)
from matting_data.scanning.matte_warnings import is_binary
from matting_data.sources.find_backgrounds import BackgroundInput
from matting_data.sources.find_foregrounds import ForegroundInput
from matting_data.sources.inputs import InputFile
from matting_data.workspace.colour_cache import ColourCache
from tests.support.icc import DISPLAY_P3, SRGB_CURVE, rgb_profile
from tests.support.synthetic import encoded, exif, jpeg_with_exif, person, photo, png_file, soft_matte, write

IMAGE, ALPHA = person(60, 80)


def found(root: Path, image: bytes, alpha: bytes | None = None, **fields: object) -> ForegroundInput:
    record = FoundForeground(id="s-a", source="s", image="a.png", alpha="a.png" if alpha else None, colour="as_is")
    alpha_path = write(root / "alpha.png", alpha) if alpha is not None else None
    return ForegroundInput(replace(record, **fields), write(root / "image.png", image), alpha_path)


def checked(root: Path, image: bytes, alpha: bytes | None = None, min_side: int = 32) -> CheckedForeground:
    return check_foreground(found(root, image, alpha), min_side, ColourCache(root / "colours"))


def test_a_sound_foreground_is_described_completely(tmp_path: Path) -> None:
    record = checked(tmp_path, png_file(IMAGE), png_file(ALPHA))
    rows, columns = np.nonzero(ALPHA)
    assert (record.state, record.reason, record.warnings) == ("ok", None, [])
    assert (record.width, record.height) == (60, 80)
    assert (record.x0, record.y0, record.x1, record.y1) == (
        columns.min(),
        rows.min(),
        columns.max() + 1,
        rows.max() + 1,
    )
    assert record.coverage == pytest.approx(float(ALPHA.astype(float).mean() / 255))
    assert record.soft == pytest.approx(float(((ALPHA > 0) & (ALPHA < 255)).mean()))
    assert record.fingerprint == foreground_fingerprint(IMAGE, ALPHA)
    assert record.image_sha256 == hashlib.sha256(png_file(IMAGE)).hexdigest()
    assert record.alpha_sha256 == hashlib.sha256(png_file(ALPHA)).hexdigest()


def test_a_cutout_has_no_hash_of_a_matte(tmp_path: Path) -> None:
    record = checked(tmp_path, png_file(np.dstack([IMAGE, ALPHA])))
    assert (record.state, record.alpha_sha256) == ("ok", None)


def test_what_was_rejected_when_found_is_not_opened(tmp_path: Path) -> None:
    lost = ForegroundInput(
        FoundForeground("s-a", "s", "a.png", state="rejected", reason="no_matte"), tmp_path / "gone.png", None
    )
    assert check_foreground(lost, 32, ColourCache(tmp_path)) == widened(lost.record, CheckedForeground)


UNSTRETCHED = (
    "no pixel is person: the largest alpha is 1 of 255; if it holds 0 and 1, or 8 bits in 16, stretch it to the whole "
    "range"
)


@pytest.mark.parametrize(
    ("image", "alpha", "min_side", "reason", "detail"),
    [
        (b"text", png_file(ALPHA), 32, "unreadable", "the content is of no known image format"),
        (png_file(IMAGE), png_file(ALPHA[1:]), 32, "size_mismatch", "the image is 60×80, its matte 60×79"),
        (png_file(IMAGE), None, 32, "no_alpha_channel", "a PNG of mode RGB holds no alpha channel"),
        (png_file(IMAGE), png_file(ALPHA), 61, "too_small", "60×80 has a side below 61 pixels"),
        (png_file(IMAGE), png_file(ALPHA // 2), 32, "alpha_empty",
         "no pixel is person: the largest alpha is 127 of 255"),
        (png_file(IMAGE), png_file(ALPHA // 128), 32, "alpha_empty", UNSTRETCHED),
        (png_file(IMAGE), png_file(ALPHA.astype(np.uint16)), 32, "alpha_empty", UNSTRETCHED),
        (png_file(np.dstack([IMAGE, ALPHA // 128])), None, 32, "alpha_empty", UNSTRETCHED),
        (png_file(IMAGE), png_file(ALPHA * 0 + 200), 32, "alpha_full",
         "every pixel is person: the smallest alpha is 200 of 255"),
    ],
)  # fmt: skip
def test_an_unsound_foreground_says_why(
    tmp_path: Path, image: bytes, alpha: bytes | None, min_side: int, reason: str, detail: str
) -> None:
    record = checked(tmp_path, image, alpha, min_side)
    assert (record.state, record.reason, record.detail) == ("rejected", reason, detail)
    assert record.image_sha256 == hashlib.sha256(image).hexdigest()


def test_a_file_that_vanished_is_unreadable(tmp_path: Path) -> None:
    gone = found(tmp_path, png_file(IMAGE), png_file(ALPHA))
    assert gone.alpha_path is not None
    gone.alpha_path.unlink()
    record = check_foreground(gone, 32, ColourCache(tmp_path))
    assert (record.state, record.reason, record.detail) == ("rejected", "unreadable", "No such file or directory")


def test_a_mere_mask_is_usable_with_a_warning(tmp_path: Path) -> None:
    mask = np.where(ALPHA >= 128, np.uint8(255), np.uint8(0))
    record = checked(tmp_path, png_file(IMAGE), png_file(mask))
    assert (record.state, record.warnings) == ("ok", ["alpha_binary"])


def test_binary_means_next_to_no_soft_pixels_along_the_outline() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[20:80, 30:70] = 255  # an outline of 200 steps
    assert is_binary(mask)
    noisy = np.where(mask == 255, np.uint8(250), np.uint8(5))  # a JPEG's noise is not softness
    assert is_binary(noisy)
    mask[20, 30:39] = 128
    assert is_binary(mask)
    mask[20, 30:40] = 128
    assert not is_binary(mask)
    assert not is_binary(soft_matte(60, 80))


def test_odd_mattes_are_usable_with_their_warnings(tmp_path: Path) -> None:
    image, alpha = photo(300, 260), soft_matte(300, 260)
    record = checked(tmp_path / "jpeg", png_file(image), encoded(alpha, "JPEG", quality=90))
    assert (record.state, record.warnings) == ("ok", ["alpha_noise"])
    multiplied = np.rint(image * (alpha[..., None] / 255)).astype(np.uint8)
    record = checked(tmp_path / "multiplied", png_file(np.dstack([multiplied, alpha])))
    assert (record.state, record.warnings) == ("ok", ["premultiplied"])


def test_a_profile_is_named_where_it_was_converted(tmp_path: Path) -> None:
    icc = rgb_profile("Display P3", DISPLAY_P3, SRGB_CURVE)
    image = photo(90, 70)
    record = background(tmp_path, encoded(image, "PNG", icc_profile=icc))
    assert record.profile == "Display P3"
    file = InputFile(write(tmp_path / "b.png", encoded(image, "PNG", icc_profile=icc)))
    kept, pixels = check_background(BackgroundInput(FoundBackground("s-b", "s", "b.png"), file, False), 40, 10**6)
    assert kept.profile is None
    np.testing.assert_array_equal(pixels, image)
    person = checked(tmp_path, encoded(np.dstack([IMAGE, ALPHA]), "PNG", icc_profile=icc))
    assert (person.state, person.profile) == ("ok", "Display P3")


def test_limits_are_inclusive() -> None:
    require_side(32, 900, 32)
    with pytest.raises(RejectedInput):
        require_side(900, 31, 32)
    require_usable_matte(np.array([[127, 128]], np.uint8))
    for levels in ([0, 127], [128, 255]):
        with pytest.raises(RejectedInput):
            require_usable_matte(np.array([levels], np.uint8))


@dataclass(frozen=True)
class BrightnessDetector:
    """Calls bright pictures people."""

    name: str = "brightness"
    version: str = "3"
    thresholds: Thresholds = field(default_factory=lambda: Thresholds(0.6, 0.4))

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        height, width = image.shape[:2]
        return Detection(float(image.mean() / 255), (HumanBox(0, 0.26, width, height, 0.98765, "person"),))


def background(root: Path, data: bytes, min_side: int = 40, max_pixels: int = 10**6) -> CheckedBackground:
    item = BackgroundInput(FoundBackground("s-a", "s", "a.jpg", "CC0"), InputFile(write(root / "a.jpg", data)))
    return check_background(item, min_side, max_pixels)[0]


def test_a_sound_background_is_described_as_it_is_displayed(tmp_path: Path) -> None:
    image = photo(90, 70)
    record = background(tmp_path, png_file(image))
    assert (record.state, record.format, record.mode, record.orientation) == ("ok", "PNG", "RGB", 1)
    assert (record.width, record.height, record.license) == (90, 70, "CC0")
    assert record.sha256 == hashlib.sha256(png_file(image)).hexdigest()
    assert record.fingerprint == fingerprint(image)
    assert (record.detector, record.score, record.boxes) == (None, None, None)
    turned = background(tmp_path, jpeg_with_exif(encoded(image, "JPEG"), exif(8)))
    assert (turned.format, turned.orientation, turned.width, turned.height) == ("JPEG", 8, 70, 90)


def test_a_detector_leaves_its_name_score_and_boxes(tmp_path: Path) -> None:
    image = photo(90, 70)
    item = BackgroundInput(FoundBackground("s-a", "s", "a.png"), InputFile(write(tmp_path / "a.png", png_file(image))))
    record, pixels = check_background(item, 40, 10**6)
    assert pixels is not None
    detector = BrightnessDetector()
    record = with_detection(record, detector, detector.detect(pixels))
    assert record.detector == "brightness 3"
    assert record.score == pytest.approx(image.mean() / 255, abs=1e-4)
    assert record.boxes == [HumanBox(0.0, 0.3, 90.0, 70.0, 0.9877, "person")]
    assert record.state == "ok"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unreadable"),
        (b"GIF89a but no more", "unreadable"),
        (png_file(photo(90, 39)), "too_small"),
        (png_file(photo(1001, 1000)), "too_large"),
        (encoded(np.zeros((50, 50), np.float32), "TIFF"), "wrong_mode"),
    ],
    ids=["empty", "damaged", "small", "large", "float"],
)
def test_an_unsound_background_says_why(tmp_path: Path, data: bytes, reason: str) -> None:
    record = background(tmp_path, data)
    assert (record.state, record.reason) == ("rejected", reason)
    assert record.detail
    assert record.sha256 == hashlib.sha256(data).hexdigest()
    assert record.fingerprint is None
