"""Splits: whole persons, disjoint backgrounds."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import UsageError
from matting_data.planning.splits import split_backgrounds, split_foregrounds
from matting_data.recipes.recipe import SplitRule
from matting_data.records.checked import CheckedForeground
from matting_data.records.codes import Split
from matting_data.records.judged import JudgedBackground


def digits(number: int) -> str:
    """A fingerprint far from that of any other number: one run of 60 set bits among four."""
    value = int.from_bytes(number.to_bytes(4, "big") * 8, "big") * 0x9E3779B97F4A7C15F39CC0605CEDC835
    return f"{value % 2**256:064x}"


def bits_apart(value: str, count: int, start: int = 0) -> str:
    return f"{int(value, 16) ^ (((1 << count) - 1) << start):064x}"


SIDES: tuple[Split | None, ...] = ("test", None, "train")


def people(names: list[str]) -> list[CheckedForeground]:
    """One foreground for each name; an empty name is a person of their own."""
    return [CheckedForeground(f"f{i}", "s", "x", person=n, fingerprint=digits(i)) for i, n in enumerate(names)]


names = st.lists(st.sampled_from(["", "", "", "ann", "bob", "cem", "dan"]), max_size=30)


@given(names, st.integers(0, 35), st.integers(0, 2**63 - 1))
@settings(deadline=None)
def test_persons_are_never_divided_and_test_is_filled_as_far_as_whole_persons_fit(
    persons: list[str], wanted: int, seed: int
) -> None:
    result = split_foregrounds(people(persons), SplitRule(test=wanted), 0, seed)
    assert [r.id for r in result] == [f"f{i}" for i in range(len(persons))]
    sides = defaultdict(set)
    members = Counter(r.person or r.id for r in result)
    for record in result:
        sides[record.person or record.id].add(record.split)
    assert all(len(side) == 1 and side <= {"train", "test"} for side in sides.values())
    test = sum(r.split == "test" for r in result)
    assert test <= wanted
    left_in_train = [members[person] for person, side in sides.items() if side == {"train"}]
    assert all(size > wanted - test for size in left_in_train)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 2**63 - 1))
@settings(deadline=None)
def test_single_persons_give_exactly_the_number_asked_for(count: int, wanted: int, seed: int) -> None:
    result = split_foregrounds(people([""] * count), SplitRule(test=wanted), 0, seed)
    assert sum(r.split == "test" for r in result) == min(count, wanted)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.05, 5), (0.25, 25), (0.999, 100)])
def test_a_share_counts_usable_foregrounds(share: float, expected: int) -> None:
    records = [*people([""] * 100), CheckedForeground("bad", "s", "x", state="rejected", reason="unreadable")]
    result = split_foregrounds(records, SplitRule(test=share), 0, 3)
    assert sum(r.split == "test" for r in result) == expected
    assert result[-1] == records[-1]


def test_the_seed_decides_and_the_order_of_the_input_does_not() -> None:
    records = people([""] * 30)

    def chosen(records: list[CheckedForeground], seed: int) -> frozenset[str]:
        return frozenset(r.id for r in split_foregrounds(records, SplitRule(test=8), 0, seed) if r.split == "test")

    assert chosen(records, 1) == chosen(records[::-1], 1)
    assert len({chosen(records, seed) for seed in range(10)}) == 10


def test_those_who_look_alike_are_one_person_directly_or_through_others() -> None:
    base = digits(1)
    chain = [base, bits_apart(base, 30), bits_apart(bits_apart(base, 30), 30, 100), digits(2)]
    for seed in range(20):
        records = [CheckedForeground(f"f{i}", "s", "x", fingerprint=value) for i, value in enumerate(chain)]
        sides = [r.split for r in split_foregrounds(records, SplitRule(test=1), 40, seed)]
        assert sides[:3] == ["train"] * 3
        assert sides[3] == "test"


def test_names_and_looks_join_into_one_person() -> None:
    base = digits(1)
    records = [
        CheckedForeground("f0", "s", "x", person="ann", fingerprint=base),
        CheckedForeground("f1", "s", "x", person="bob", fingerprint=digits(5)),
        CheckedForeground("f2", "s", "x", person="bob", fingerprint=bits_apart(base, 12)),
        CheckedForeground("f3", "s", "x", person="ann", fingerprint=digits(9)),
    ]
    for wanted in (3, 4):
        sides = {r.split for r in split_foregrounds(records, SplitRule(test=wanted), 20, 0)}
        assert sides == {"test" if wanted == 4 else "train"}


def test_metadata_decides_where_the_rule_says_so_and_train_is_what_it_leaves_out() -> None:
    records = [CheckedForeground(f"f{i}", "s", "x", split=s, fingerprint=digits(i)) for i, s in enumerate(SIDES)]
    result = split_foregrounds(records, SplitRule(from_metadata=True), 0, 0)
    assert [r.split for r in result] == ["test", "train", "train"]


def test_metadata_that_divides_a_person_is_refused_with_both_names() -> None:
    records = [
        CheckedForeground(f"f{i}", "s", "x", split=s, person="ann", fingerprint=digits(i))
        for i, s in enumerate(SIDES[:2])
    ]
    with pytest.raises(UsageError) as caught:
        split_foregrounds(records, SplitRule(from_metadata=True), 0, 0)
    assert str(caught.value) == (
        "the metadata puts f1 in train and f0 in test, but they are the same person (by name or by looks): "
        "move one, or lower foregrounds.same_person_distance"
    )


def photos(count: int, rejected: int = 0) -> list[JudgedBackground]:
    good = [JudgedBackground(f"b{i}", "s", f"{i}.jpg") for i in range(count)]
    return good + [JudgedBackground(f"r{i}", "s", "x", state="rejected", reason="too_small") for i in range(rejected)]


@given(st.data())
@settings(deadline=None)
def test_backgrounds_are_divided_in_proportion_with_enough_for_each_split(data: st.DataObject) -> None:
    per_foreground = data.draw(st.integers(1, 10))
    composites = {s: per_foreground * data.draw(st.integers(1, 50)) for s in ("train", "test")}
    count = data.draw(st.integers(2 * per_foreground, 120))
    records = photos(count, rejected=data.draw(st.integers(0, 3)))
    result = split_backgrounds(records, composites, per_foreground, data.draw(st.integers(0, 2**63 - 1)))
    assert [r.id for r in result] == [r.id for r in records]
    assert all((r.split is None) == (r.state != "ok") for r in result)
    number = Counter(r.split for r in result if r.state == "ok")
    assert number["train"] + number["test"] == count
    assert min(number["train"], number["test"]) >= per_foreground
    share = composites["test"] * count / sum(composites.values())
    if per_foreground <= round(share) <= count - per_foreground:
        assert abs(number["test"] - share) <= 0.5
    else:
        assert per_foreground in (number["test"], number["train"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_single_split_takes_all(split: Split) -> None:
    assert {r.split for r in split_backgrounds(photos(7), {split: 4}, 4, 0)} == {split}


def test_the_seed_decides_which_backgrounds_are_test() -> None:
    composites = {"train": 50, "test": 50}
    drawn = [
        frozenset(r.id for r in split_backgrounds(photos(30), composites, 5, s) if r.split == "test") for s in range(9)
    ]
    assert len(set(drawn)) == 9
    assert split_backgrounds(photos(30), composites, 5, 3) == split_backgrounds(photos(30), composites, 5, 3)


def test_too_few_backgrounds_are_counted_and_the_missing_ones_named() -> None:
    with pytest.raises(UsageError) as caught:
        split_backgrounds(photos(13, rejected=9), {"train": 100, "test": 20}, 10, 0)
    assert str(caught.value) == (
        "the plan needs at least 20 backgrounds (10 for train and 10 for test) and 13 passed the checks (9 too_small): "
        "add 7 more, or lower composites.per_foreground"
    )
    with pytest.raises(UsageError, match=r"at least 3 backgrounds \(3 for test\) and 0 passed the checks: add 3 more"):
        split_backgrounds([], {"test": 3}, 3, 0)
