"""Near-duplicates against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from matting_data.planning.near_duplicates import connected, duplicate_of, groups


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


@given(hashes_with_near_ones(), st.integers(0, 256))
@settings(max_examples=100, deadline=None)
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


@pytest.mark.parametrize("distance", [-1, 257])
def test_a_distance_that_no_fingerprints_have_is_refused(distance: int) -> None:
    with pytest.raises(ValueError, match=f"distance {distance} is outside 0 to 256"):
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
@settings(max_examples=60, deadline=None)
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


def crowded(count: int, seed: int) -> tuple[list[str], NDArray[np.int64]]:
    """Draw fingerprints within 30 bits of one centre, a tenth of them again with a few bits changed; all distances."""
    rng = np.random.default_rng(seed)
    bits = rng.random((count, 256)).argsort(axis=1) < 30
    again, of = rng.permutation(count)[: count // 5].reshape(2, -1)
    bits[again] = bits[of] ^ (rng.random((len(again), 256)) < 0.04)
    packed = np.packbits(bits, axis=1).view(np.uint64)
    distances = sum(np.bitwise_count(packed[:, None, word] ^ packed[None, :, word]).astype(int) for word in range(4))
    return [row.tobytes().hex() for row in packed], np.asarray(distances)


def test_duplicates_in_a_crowd_of_several_blocks_are_exact() -> None:
    hashes, distances = crowded(4500, 1)
    expected: list[int | None] = []
    kept: list[int] = []
    for index in range(len(hashes)):
        near = [other for other in kept if distances[index, other] <= 15]
        expected.append(near[0] if near else None)
        kept += [] if near else [index]
    assert sum(each is not None for each in expected) > 100
    assert duplicate_of(hashes, 15) == expected


@pytest.mark.parametrize("distance", [15, 32, 40])
def test_groups_in_a_crowd_of_several_blocks_are_those_of_scipy(distance: int) -> None:
    hashes, distances = crowded(4500, 2)
    _, label = connected_components(csr_array(distances <= distance), directed=False)
    _, first = np.unique(label, return_index=True)
    assert groups(hashes, distance) == first[label].tolist()


def test_nothing_has_no_duplicates_and_no_groups() -> None:
    assert duplicate_of([], 15) == groups([], 40) == connected(0, []) == []
    assert duplicate_of(["0" * 64] * 70, 0) == [None, *[0] * 69]
    assert groups(["0" * 64] * 70, 5) == [0] * 70
    assert connected(5, [(4, 1), (1, 3)]) == [0, 1, 2, 1, 1]
