"""Seeds are functions of their key and nothing else."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matting_data.seeds import derive_seed, generator

keys = st.lists(st.one_of(st.text(max_size=6), st.integers(-(2**70), 2**70)), max_size=4)


@given(keys)
def test_a_seed_has_63_bits_and_is_the_same_each_time(key: list[str | int]) -> None:
    assert 0 <= derive_seed(*key) < 2**63
    assert derive_seed(*key) == derive_seed(*key)


@given(keys, keys)
def test_different_keys_give_different_seeds(one: list[str | int], other: list[str | int]) -> None:
    if "\x1f" not in "".join(map(str, one + other)):
        assert (derive_seed(*one) == derive_seed(*other)) == (one == other)


def test_a_number_is_not_its_digits_and_parts_do_not_run_together() -> None:
    seeds = {derive_seed(1), derive_seed("1"), derive_seed("a", "b"), derive_seed("ab"), derive_seed("", "ab")}
    assert len(seeds) == 5


def test_golden_seeds_hold_in_any_process() -> None:
    assert (derive_seed(2022, "pair", "people-001", 0), derive_seed()) == GOLDEN
    program = "from matting_data.seeds import derive_seed; print(derive_seed(2022, 'pair', 'people-001', 0))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(printed) == GOLDEN[0]


def test_generators_of_one_key_draw_alike_and_of_two_keys_do_not() -> None:
    one, same, other = (generator(7, "x", i).integers(0, 2**60, 100) for i in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not (one == other).any()


@given(keys)
def test_a_generator_is_philox_under_its_seed(key: list[str | int]) -> None:
    expected = np.random.Generator(np.random.Philox(key=derive_seed(*key)))
    drawn = generator(*key)
    np.testing.assert_array_equal(drawn.random(9), expected.random(9))
    np.testing.assert_array_equal(drawn.integers(1, 30, 9), expected.integers(1, 30, 9))


def test_draws_are_uniform() -> None:
    first = np.array([generator("uniform", i).random() for i in range(2000)])
    assert abs(first.mean() - 0.5) < 0.03
    assert np.abs(np.histogram(first, 10, (0, 1))[0] - 200).max() < 70


GOLDEN = (3721000297936547377, 8238016292129134938)
