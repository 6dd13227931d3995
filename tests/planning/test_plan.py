"""The plan: a pure function of checked inputs and recipe."""

from __future__ import annotations

import tarfile
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import UsageError
from matting_data.planning.plan import Plan, make_plan, require_expected, shard_numbers
from matting_data.recipes.recipe import Expect
from matting_data.records.checked import CheckedBackground, CheckedForeground
from matting_data.records.fields import widened
from matting_data.records.judged import JudgedBackground
from matting_data.sources.find_files import unique_ids
from tests.support.plans import fingerprint, people, photos, recipe


@given(st.integers(1, 14), st.integers(0, 14), st.integers(1, 5), st.integers(1, 11), st.integers(0, 2**63 - 1))
@settings(max_examples=60, deadline=None)
def test_a_plan_holds_every_promise(count: int, test: int, per_foreground: int, per_shard: int, seed: int) -> None:
    settings_ = {"foregrounds__split": {"test": test}, "composites__per_foreground": per_foreground}
    made = recipe(seed=seed, store__samples_per_shard=per_shard, **settings_)
    plan = make_plan(people(count), photos(30), made)
    assert len(plan.composites) == count * per_foreground
    records: list[Any] = [*plan.foregrounds, *plan.backgrounds]
    split_of = {record.id: record.split for record in records}
    assert Counter(record.split for record in plan.foregrounds)["test"] == min(test, count)
    for composite in plan.composites:
        assert split_of[composite.foreground] == split_of[composite.background] == composite.split
    assert len({(c.foreground, c.background) for c in plan.composites}) == len(plan.composites)
    assert len({c.key for c in plan.composites}) == len({c.seed for c in plan.composites}) == len(plan.composites)
    assert Counter(c.foreground for c in plan.composites) == {f"f{i}": per_foreground for i in range(count)}
    for split in ("train", "test"):
        uses = Counter({r.id: 0 for r in plan.backgrounds if r.split == split})
        uses.update(c.background for c in plan.composites if c.split == split)
        assert not uses or max(uses.values()) - min(uses.values()) <= 1
    for (split, _), composites in plan.shards().items():
        assert 0 < len(composites) <= per_shard
        assert {c.split for c in composites} == {split}
    order = [(c.split != "train", c.shard) for c in plan.composites]
    assert order == sorted(order)
    assert [c for group in plan.shards().values() for c in group] == plan.composites


def test_the_same_inputs_give_the_same_plan_and_hash() -> None:
    one, other = (make_plan(people(8), photos(20), recipe()) for _ in range(2))
    assert one == other
    assert one.sha256 == other.sha256


def test_the_hash_changes_with_everything_that_decides_pixels() -> None:
    base = photos(20)
    plans: list[Plan] = [
        make_plan(people(8), base, recipe()),
        make_plan(people(9), base, recipe()),
        make_plan(people(8), base[:-1], recipe()),
        make_plan(people(8), base, recipe(seed=4)),
        make_plan(people(8), base, recipe(composites__per_foreground=2)),
        make_plan(people(8), base, recipe(store__samples_per_shard=9)),
        make_plan(people(8), [replace(base[0], sha256="changed"), *base[1:]], recipe()),
        make_plan([replace(people(1)[0], alpha_sha256="changed"), *people(8)[1:]], base, recipe()),
    ]
    assert len({plan.sha256 for plan in plans}) == len(plans)


def test_an_input_that_takes_no_part_changes_neither_composites_nor_hash() -> None:
    broken = CheckedBackground("broken", "s", "x", state="rejected", reason="unreadable")
    with_it, without = make_plan(people(8), [broken, *photos(20)], recipe()), make_plan(people(8), photos(20), recipe())
    assert with_it.composites == without.composites
    assert with_it.sha256 == without.sha256
    assert with_it.backgrounds[0] == widened(broken, JudgedBackground)


def test_near_duplicates_are_out_on_both_sides() -> None:
    twin = replace(people(1)[0], id="twin")
    double = replace(photos(1)[0], id="double")
    plan = make_plan([*people(8), twin], [*photos(20), double], recipe())
    records: list[Any] = [*plan.foregrounds, *plan.backgrounds]
    assert [(r.id, r.reason) for r in records if r.state != "ok"] == [
        ("twin", "near_duplicate"),
        ("double", "near_duplicate"),
    ]
    assert not {"twin", "double"} & {name for c in plan.composites for name in (c.foreground, c.background)}


def test_no_usable_foreground_says_what_became_of_them() -> None:
    bad = [replace(r, state="rejected", reason=reason) for r, reason in zip(people(3), "aab", strict=True)]
    with pytest.raises(UsageError) as caught:
        make_plan(bad, photos(9), recipe())
    assert str(caught.value) == "no foreground can be used (2 a, 1 b): correct foregrounds.sources in the recipe"
    with pytest.raises(UsageError, match=r"^no foreground can be used \(the folders hold none\)"):
        make_plan([], photos(9), recipe())


def test_too_few_backgrounds_say_how_many_are_missing() -> None:
    with pytest.raises(UsageError, match=r"needs at least 6 backgrounds .* and 4 passed the checks: add 2 more"):
        make_plan(people(5), photos(4), recipe())


def test_counts_that_differ_from_expect_are_listed_in_one_sentence() -> None:
    records = [replace(r, split="test" if i == 0 else "train") for i, r in enumerate(people(5))]
    require_expected(records, None)
    require_expected(records, Expect(total=5, train=4, test=1, subsets={"a": 3, "b": 2, "c": 0}))
    with pytest.raises(UsageError) as caught:
        require_expected(records, Expect(total=6, train=4, test=2, subsets={"a": 3, "b": 1, "c": 7}))
    assert str(caught.value) == (
        "foregrounds.expect does not hold: 5 foregrounds in total instead of 6, 1 test foregrounds instead of 2, "
        "2 foregrounds of subset b instead of 1, 0 foregrounds of subset c instead of 7; "
        "correct the sources or the numbers"
    )


def test_expect_counts_what_is_left_after_duplicates() -> None:
    twin = replace(people(1)[0], id="twin")
    made = recipe(foregrounds__expect={"total": 9})
    with pytest.raises(UsageError, match="8 foregrounds in total instead of 9"):
        make_plan([*people(8), twin], photos(20), made)


@given(st.lists(st.integers(0, 12), max_size=20), st.integers(1, 9))
def test_shards_are_full_in_order_and_groups_stay_together_where_they_fit(sizes: list[int], limit: int) -> None:
    numbers = shard_numbers(sizes, limit)
    assert len(numbers) == sum(sizes)
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(max(numbers, default=-1) + 1))
    assert max(Counter(numbers).values(), default=0) <= limit
    start = 0
    for size in sizes:
        own = numbers[start : start + size]
        if size:
            assert len(set(own)) == -(-size // limit)
        start += size


def test_golden_shards() -> None:
    assert shard_numbers([3, 3, 3], 6) == [0] * 6 + [1] * 3
    assert shard_numbers([4, 4], 6) == [0] * 4 + [1] * 4
    assert shard_numbers([2, 7, 1], 3) == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3]


LONG_PATHS = [
    "a" * 300 + ".png",
    "deep/" * 60 + "x.png",
    "фото/человек в парке.jpg",
    "人物.png",
    "emoji 👩‍🦰.jpeg",
    "dots.in.the.name.jpg",
    "a/b.jpg",
    "a-b.jpg",
    "a.b.jpg",
    "same.jpg",
    "same.png",
    "same.jpeg",
]


@pytest.mark.parametrize("source", ["s", "x" * 40, "a folder name as long as they come " * 5])
def test_keys_are_free_of_dots_and_fit_a_tar_header_however_long_the_paths(source: str) -> None:
    source = source.replace(" ", "-")
    ids = unique_ids(source, LONG_PATHS)
    records = [
        CheckedForeground(i, source, p, fingerprint=fingerprint(p)) for i, p in zip(ids, LONG_PATHS, strict=True)
    ]
    plan = make_plan(records, photos(2000), recipe(composites__per_foreground=1000, foregrounds__split={"test": 0}))
    keys = {composite.key for composite in plan.composites}
    assert len(keys) == 1000 * len(LONG_PATHS)
    for key in keys:
        assert not set(key) & set("./ ")
        assert key.isascii()
        name = f"{key}.trimap.png"
        assert len(name) <= 100
    for key in sorted(keys)[::997]:
        assert len(tarfile.TarInfo(f"{key}.trimap.png").tobuf(tarfile.USTAR_FORMAT)) == tarfile.BLOCKSIZE
