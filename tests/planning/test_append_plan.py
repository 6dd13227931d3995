"""Plans that grow: what was decided stays, and what is added keeps the rules."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import UsageError
from matting_data.planning.extension import TEST_SPLIT, Fixed, extend_plan
from matting_data.planning.pairing import pair, pair_further
from matting_data.planning.plan import Plan, make_plan
from matting_data.recipes.decisions import Decision
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import validate
from matting_data.records.checked import CheckedForeground
from matting_data.records.judged import JudgedBackground


def fingerprint(number: int, kind: str) -> str:
    """256 bits unlike those of any other number."""
    import hashlib

    return hashlib.sha256(f"{kind} {number}".encode()).hexdigest()


def people(count: int, start: int = 0) -> list[CheckedForeground]:
    return [
        CheckedForeground(f"f{n:03d}", "s", f"{n}.png", fingerprint=fingerprint(n, "f"), image_sha256=str(n))
        for n in range(start, start + count)
    ]


def photos(count: int, start: int = 0) -> list[JudgedBackground]:
    return [
        JudgedBackground(f"b{n:03d}", "s", f"{n}.jpg", fingerprint=fingerprint(n, "b"), sha256=str(n))
        for n in range(start, start + count)
    ]


def recipe(per_foreground: int = 3, test: int = 2, shard: int = 4, seed: int = 1, **foregrounds: object) -> Recipe:
    return validate(
        {
            "name": "n",
            "seed": seed,
            "foregrounds": {"sources": [{"layout": "rgba", "root": "x"}], "split": {"test": test}, **foregrounds},
            "backgrounds": {"sources": [{"layout": "folder", "root": "y"}], "humans": {"detector": "none"}},
            "composites": {"per_foreground": per_foreground},
            "store": {"samples_per_shard": shard},
        }
    )


def key_of(plan: Plan) -> tuple[object, ...]:
    return plan.foregrounds, plan.backgrounds, plan.composites


@given(
    st.integers(2, 9), st.integers(0, 6), st.integers(8, 16), st.integers(0, 8), st.integers(1, 4), st.integers(0, 3),
    st.integers(1, 7), st.integers(0, 2**31), st.randoms(use_true_random=False),
)  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_what_was_planned_stays_and_what_is_added_keeps_the_rules(
    n: int, more: int, b: int, more_b: int, count: int, raised: int, shard: int, seed: int, rng: Random
) -> None:
    small, large = recipe(count, 1, shard, seed), recipe(count + raised, 1, shard, seed)
    old = make_plan(people(n), photos(b), small)
    found = people(n) + people(more, 500), photos(b) + photos(more_b, 500)
    for records in found:
        rng.shuffle(records)  # where an input is found decides nothing about earlier ones
    try:
        new = extend_plan(Fixed.by(old), *found, large)
    except UsageError as error:
        train = sum(photo.split == "train" for photo in old.backgrounds) + more_b
        assert "different backgrounds" in str(error) and train < count + raised
        return
    added = [composite for composite in new.composites if composite not in set(old.composites)]
    assert [composite for composite in new.composites if composite in set(old.composites)] == old.composites
    assert {c.split for c in added} <= {"train"}
    last = max((c.shard for c in old.composites if c.split == "train"), default=-1)
    assert all(c.shard > last for c in added)
    sizes = Counter((c.split, c.shard) for c in new.composites)
    assert max(sizes.values()) <= shard
    assert sorted({s for split, s in sizes if split == "train"}) == list(
        range(len([k for k in sizes if k[0] == "train"]))
    )
    pairs = Counter((c.foreground, c.background) for c in new.composites)
    assert set(pairs.values()) == {1}
    per = Counter(c.foreground for c in new.composites if c.split == "train")
    trained = {r.id for r in new.foregrounds if r.split == "train"}
    assert per == dict.fromkeys(trained, count + raised) and len(trained) == n - 1 + more
    assert len({c.key for c in new.composites}) == len(new.composites)
    side = {r.id: r.split for r in new.backgrounds}
    assert all(side[c.background] == c.split for c in new.composites)
    assert all(side[r.id] == r.split for r in old.backgrounds)
    again = extend_plan(Fixed.by(new), *found, large)
    assert key_of(again) == key_of(new)


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 5), st.integers(0, 12), st.integers(0, 99))
@settings(deadline=None)
def test_each_further_draw_takes_one_of_the_least_used_that_its_foreground_lacks(
    n: int, first: int, further: int, fresh: int, seed: int
) -> None:
    choices = [f"b{i}" for i in range(first + further + 2)]
    names = [f"f{i}" for i in range(n)]
    drawn = pair(names, choices, first, seed)
    uses = Counter(b for row in drawn.values() for b in row)
    every = [*choices, *(f"new{i}" for i in range(fresh))]
    wanted = {name: range(first, first + further) for name in names}
    got = pair_further(wanted, drawn, {b: uses[b] for b in every}, seed)
    level = {background: uses[background] for background in every}
    for name in names:
        own = set(drawn[name])
        assert list(got[name]) == list(wanted[name])
        for background in got[name].values():
            assert background not in own
            assert level[background] == min(level[other] for other in every if other not in own)
            own.add(background)
            level[background] += 1


def test_a_foreground_that_has_every_background_is_an_error() -> None:
    with pytest.raises(ValueError, match="f cannot get 3 different backgrounds out of 2"):
        pair_further({"f": [0, 1, 2]}, {"f": []}, {"a": 0, "b": 5}, 1)


def test_two_appends_are_not_one_but_either_is_the_same_each_time() -> None:
    old = make_plan(people(6), photos(12), recipe())
    one = extend_plan(Fixed.by(old), people(8), photos(12), recipe())
    two = extend_plan(Fixed.by(one), people(10), photos(12), recipe())
    assert two.composites[: len(one.composites) - 6] == [c for c in one.composites if c.split == "train"]
    assert key_of(two) == key_of(extend_plan(Fixed.by(one), people(10), photos(12), recipe()))


def test_new_pictures_of_a_person_in_test_are_rejected_and_others_stay_with_their_person() -> None:
    old_people = [replace(p, person=f"person {n}") for n, p in enumerate(people(6))]
    old = make_plan(old_people, photos(12), recipe())
    tested = next(r for r in old.foregrounds if r.split == "test")
    trained = next(r for r in old.foregrounds if r.split == "train")
    new = [replace(p, person=who.person) for p, who in zip(people(2, 50), (tested, trained), strict=True)]
    plan = extend_plan(Fixed.by(old), [*old_people, *new], photos(12), recipe())
    by_id = {record.id: record for record in plan.foregrounds}
    assert (by_id["f050"].state, by_id["f050"].reason, by_id["f050"].split) == ("rejected", TEST_SPLIT, None)
    assert (by_id["f051"].state, by_id["f051"].split) == ("ok", "train")
    assert [c for c in plan.composites if c.split == "test"] == [c for c in old.composites if c.split == "test"]


def test_metadata_adds_nothing_to_test() -> None:
    rule = {"split": {"from_metadata": True}}
    named = [replace(p, split="test" if n < 2 else "train") for n, p in enumerate(people(6))]
    old = make_plan(named, photos(12), recipe(**rule))
    new = [replace(p, split=split) for p, split in zip(people(2, 50), ("test", "train"), strict=True)]
    plan = extend_plan(Fixed.by(old), [*named, *new], photos(12), recipe(**rule))
    by_id = {record.id: record for record in plan.foregrounds}
    assert by_id["f050"].reason == TEST_SPLIT and by_id["f051"].split == "train"


def test_a_new_input_that_repeats_an_old_one_is_the_one_that_is_rejected_wherever_it_is_found() -> None:
    old = make_plan(people(6), photos(12), recipe())
    twins = [replace(people(1)[0], id="a-twin")], [replace(photos(1)[0], id="a-twin")]
    plan = extend_plan(Fixed.by(old), [*twins[0], *people(6)], [*twins[1], *photos(12)], recipe())
    assert plan.composites == old.composites
    assert plan.foregrounds[0].reason == plan.backgrounds[0].reason == "near_duplicate"


def test_decisions_replace_what_they_touch_and_new_composites_draw_nothing_rejected() -> None:
    old = make_plan(people(6), photos(14), recipe())
    hit = next(c.background for c in old.composites if c.split == "train")
    gone = next(c.foreground for c in old.composites if c.split == "train" and c.background != hit)
    rows = [
        Decision("background", hit, "human", "ann", "2025-03-01T12:00:00Z", ""),
        Decision("foreground", gone, "reject", "ann", "2025-03-01T12:00:00Z", ""),
    ]
    plan = extend_plan(Fixed.by(old), people(9), photos(16), recipe(4), None, rows)
    now = {c.key: c for c in plan.composites}
    for composite in old.composites:
        if composite.foreground == gone:
            assert composite.key not in now
        elif composite.background == hit:
            assert now[composite.key] == replace(composite, background=now[composite.key].background)
        else:
            assert now[composite.key] == composite
    assert hit not in {c.background for c in plan.composites}
    assert gone not in {c.foreground for c in plan.composites}
    again = extend_plan(Fixed.by(plan), people(9), photos(16), recipe(4), None, rows)
    assert key_of(again) == key_of(plan)


def test_what_is_expected_counts_all_foregrounds() -> None:
    old = make_plan(people(6), photos(12), recipe())
    with pytest.raises(UsageError, match="8 foregrounds in total instead of 7"):
        extend_plan(Fixed.by(old), people(8), photos(12), recipe(expect={"total": 7}))
