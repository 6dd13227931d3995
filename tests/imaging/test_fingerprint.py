"""Fingerprints, and near-duplicates against brute force."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.imaging.decode import decode
from matting_data.imaging.fingerprint import (
    MAX_DISTANCE,
    duplicate_of,
    fingerprint,
    foreground_fingerprint,
    groups,
)
from tests.support.synthetic import encoded, person, photo


def differing(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def flipped(value: int, bits: set[int]) -> int:
    for bit in bits:
        value ^= 1 << bit
    return value


@st.composite
def hashes_with_near_ones(draw: st.DrawFn) -> list[str]:
    rng = draw(st.randoms(use_true_random=False))
    values = [rng.getrandbits(256) for _ in range(draw(st.integers(0, 6)))]
    for _ in range(draw(st.integers(0, 14)) if values else 0):
        count = draw(st.sampled_from([0, 1, 2, 7, 14, 15, 16, 17, 30]))
        values.append(flipped(rng.choice(values), set(rng.sample(range(256), count))))
    rng.shuffle(values)
    return [f"{value:064x}" for value in values]


@given(hashes_with_near_ones(), st.integers(0, MAX_DISTANCE))
@settings(max_examples=300, deadline=None)
def test_duplicates_are_those_of_a_comparison_with_every_kept_one(hashes: list[str], distance: int) -> None:
    expected: list[int | None] = []
    for index, value in enumerate(hashes):
        kept = [j for j in range(index) if expected[j] is None and differing(hashes[j], value) <= distance]
        expected.append(kept[0] if kept else None)
    assert duplicate_of(hashes, distance) == expected


def test_fifteen_bits_spread_over_fifteen_words_are_found() -> None:
    value = 0x1234567890ABCDEF << 64
    near = flipped(value, {16 * word + 3 for word in range(15)})
    assert duplicate_of([f"{value:064x}", f"{near:064x}"], 15) == [None, 0]
    assert duplicate_of([f"{value:064x}", f"{near:064x}"], 14) == [None, None]


@pytest.mark.parametrize("distance", [-1, MAX_DISTANCE + 1])
def test_a_distance_for_which_the_search_is_not_exact_is_refused(distance: int) -> None:
    with pytest.raises(ValueError, match=f"distance {distance} is outside 0 to 15"):
        duplicate_of([], distance)


def components(hashes: list[str], distance: int) -> list[int]:
    """Smallest index of each connected component, by spreading labels until nothing changes."""
    label = list(range(len(hashes)))
    changed = True
    while changed:
        changed = False
        for i, one in enumerate(hashes):
            for j, other in enumerate(hashes):
                if differing(one, other) <= distance and label[j] < label[i]:
                    label[i], changed = label[j], True
    return label


@given(hashes_with_near_ones(), st.sampled_from([0, 1, 15, 30, 40, 110, 120, 128]))
@settings(max_examples=200, deadline=None)
def test_groups_are_closed_under_likeness(hashes: list[str], distance: int) -> None:
    assert groups(hashes, distance) == components(hashes, distance)


def test_groups_reach_across_blocks() -> None:
    rng = np.random.default_rng(0)
    values = [int.from_bytes(rng.bytes(32), "big") for _ in range(1300)]
    values[1299] = flipped(values[3], set(range(10)))
    values[600] = flipped(values[1299], set(range(100, 110)))
    expected = list(range(1300))
    expected[1299] = expected[600] = 3
    assert groups([f"{value:064x}" for value in values], 10) == expected


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
