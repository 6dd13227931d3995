"""Pairs: no repeats, even use, nothing but the seed decides."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.planning.pairing import pair


def ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


@given(st.integers(0, 25), st.integers(1, 25), st.integers(0, 25), st.integers(0, 2**63 - 1))
@settings(max_examples=300, deadline=None)
def test_no_background_serves_a_foreground_twice_and_uses_differ_by_at_most_one(
    people: int, photos: int, count: int, seed: int
) -> None:
    count = min(count, photos)
    pairs = pair(ids("f", people), ids("b", photos), count, seed)
    assert list(pairs) == ids("f", people)
    uses = Counter(dict.fromkeys(ids("b", photos), 0))
    for drawn in pairs.values():
        assert len(drawn) == len(set(drawn)) == count
        uses.update(drawn)
    assert set(uses) == set(ids("b", photos))
    assert max(uses.values()) - min(uses.values()) <= 1
    assert pairs == pair(ids("f", people), ids("b", photos), count, seed)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**63 - 1))
@settings(deadline=None)
def test_use_is_even_after_every_foreground_not_only_at_the_end(people: int, photos: int, seed: int) -> None:
    count = max(1, photos // 2)
    uses = Counter(dict.fromkeys(ids("b", photos), 0))
    for drawn in pair(ids("f", people), ids("b", photos), count, seed).values():
        uses.update(drawn)
        assert max(uses.values()) - min(uses.values()) <= 1


def test_the_seed_decides() -> None:
    plans = [pair(ids("f", 20), ids("b", 30), 5, seed) for seed in range(20)]
    assert len({str(plan) for plan in plans}) == 20


def test_the_name_of_a_foreground_decides_its_draw() -> None:
    one, other = pair(["a"], ids("b", 1000), 5, 0)["a"], pair(["z"], ids("b", 1000), 5, 0)["z"]
    assert one != other


def test_more_foregrounds_after_it_do_not_change_what_a_foreground_drew() -> None:
    few, many = pair(ids("f", 5), ids("b", 12), 4, 3), pair(ids("f", 9), ids("b", 12), 4, 3)
    assert all(many[name] == drawn for name, drawn in few.items())


def test_every_background_is_as_likely_at_every_index() -> None:
    first = Counter(pair([f"person{n}"], ids("b", 5), 2, 9)[f"person{n}"][0] for n in range(1500))
    assert set(first) == set(ids("b", 5))
    assert all(230 < times < 370 for times in first.values())


def test_as_many_backgrounds_as_draws_are_all_used() -> None:
    assert {frozenset(drawn) for drawn in pair(ids("f", 7), ids("b", 4), 4, 1).values()} == {frozenset(ids("b", 4))}


def test_too_few_backgrounds_are_an_error_that_names_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"^4 different backgrounds cannot be drawn from 3$"):
        pair(ids("f", 1), ids("b", 3), 4, 0)
