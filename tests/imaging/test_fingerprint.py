"""Fingerprints."""

from __future__ import annotations

import cv2
import numpy as np

from matting_data.imaging.decode import decode
from matting_data.imaging.fingerprint import fingerprint, foreground_fingerprint
from tests.support.synthetic import encoded, person, photo


def differing(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_a_fingerprint_is_64_hex_digits_and_survives_size_and_compression() -> None:
    image = photo(200, 160, 5)
    value = fingerprint(image)
    assert len(value) == 64
    assert int(value, 16) >= 0
    smaller = np.asarray(cv2.resize(image, (100, 80), interpolation=cv2.INTER_AREA), np.uint8)
    compressed = decode(encoded(image, "JPEG", quality=60)).pixels
    assert differing(value, fingerprint(smaller)) <= 30
    assert differing(value, fingerprint(np.asarray(compressed, np.uint8))) <= 30


def test_unrelated_photographs_are_far_apart() -> None:
    values = [fingerprint(photo(120, 100, seed)) for seed in range(12)]
    assert min(differing(a, b) for i, a in enumerate(values) for b in values[:i]) > 60


def test_the_background_of_a_foreground_does_not_count() -> None:
    image, alpha = person(120, 150, 1)
    other = photo(120, 150, 77)
    other[alpha > 0] = image[alpha > 0]
    assert (other != image).any()
    assert foreground_fingerprint(other, alpha) == foreground_fingerprint(image, alpha)
    assert fingerprint(other) != fingerprint(image)


def test_the_frame_around_a_foreground_does_not_count() -> None:
    image, alpha = person(120, 150, 1)
    wider = np.pad(image, ((10, 40), (30, 5), (0, 0)), mode="edge")
    assert foreground_fingerprint(wider, np.pad(alpha, ((10, 40), (30, 5)))) == foreground_fingerprint(image, alpha)


def test_the_person_counts() -> None:
    image, alpha = person(120, 150, 1)
    assert differing(foreground_fingerprint(photo(120, 150, 9), alpha), foreground_fingerprint(image, alpha)) > 40
