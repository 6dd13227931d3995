"""Decisions of people change what they name, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.building.filter import filter_backgrounds
from matting_data.errors import UsageError
from matting_data.planning.plan import Plan, make_plan
from matting_data.recipes.decisions import Decision, append, effective, parse, read, to_csv
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.tables import read_table
from matting_data.scanning.audit import removed_by_hand
from matting_data.upkeep.verify import verify
from matting_data.workspace.plan_tables import saved_plan
from tests.support.plans import people, photos, recipe
from tests.support.projects import Project
from tests.support.stored_samples import members, sample_rows

WHEN = "2025-03-01T12:00:00Z"
HEADER = "kind,id,tag,who,when,why\n"


def override(tag: str, *ids: str, kind: str = "background") -> list[Decision]:
    return [Decision(kind, identity, tag, "ann", WHEN, "seen") for identity in ids]


def plan(rows: list[Decision], count: int = 8, available: int = 30, **changes: object) -> Plan:
    return make_plan(people(count), photos(available), recipe(**changes), None, rows)


@given(
    st.lists(st.tuples(st.integers(0, 33), st.sampled_from(["human", "reject", "clean"])), max_size=12),
    st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["reject", "subset:new", "clean"])), max_size=5),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_only_what_a_decision_names_changes(
    of_backgrounds: list[tuple[int, str]], of_foregrounds: list[tuple[int, str]], seed: int
) -> None:
    rows = [row for n, tag in of_backgrounds for row in override(tag, f"b{n}")]
    rows += [row for n, tag in of_foregrounds for row in override(tag, f"f{n}", kind="foreground")]
    before, after = plan([], seed=seed, available=60), plan(rows, seed=seed, available=60)
    last = {row.id: row.tag for row in rows}
    out = {name for name, tag in last.items() if tag in ("human", "reject")}
    old = {c.key: c for c in before.composites}
    assert [c.key for c in after.composites] == [c.key for c in before.composites if c.foreground not in out]
    for composite in after.composites:
        if old[composite.key].background in out:
            assert composite.background not in out
            assert replace(composite, background="") == replace(old[composite.key], background="")
        else:
            assert composite == old[composite.key]
    assert len({(c.foreground, c.background) for c in after.composites}) == len(after.composites)
    split_of = {record.id: record.split for record in after.backgrounds}
    assert all(split_of[c.background] == c.split for c in after.composites)
    for record, was in zip(after.foregrounds, before.foregrounds, strict=True):
        tag = last.get(record.id, "")
        assert record.state == ("rejected" if tag == "reject" else "ok")
        assert record.subset == ("new" if tag == "subset:new" else was.subset)
    assert after.without_decisions == (before.sha256 if rows else "")


@given(st.lists(st.integers(0, 29), min_size=2, max_size=6, unique=True), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_a_later_decision_leaves_what_earlier_ones_led_to(removed: list[int], seed: int) -> None:
    rows = override("human", *(f"b{n}" for n in removed))
    earlier, later = plan(rows[:-1], seed=seed, available=60), plan(rows, seed=seed, available=60)
    for before, after in zip(earlier.composites, later.composites, strict=True):
        assert before == after or before.background == rows[-1].id


def test_a_replacement_is_one_of_the_least_used() -> None:
    before = plan([], count=8, available=12)
    uses = Counter(c.background for c in before.composites if c.split == "train")
    name = next(iter(uses))
    after = plan(override("human", name), count=8, available=12)
    counts = Counter(c.background for c in after.composites if c.split == "train")
    assert name not in counts and max(counts.values()) - min(counts.values()) <= 1
    record = next(record for record in after.backgrounds if record.id == name)
    assert (record.state, record.reason, record.split) == ("rejected", "override_human", None)
    assert record.detail == f"human by ann on {WHEN}: seen"


def test_a_background_called_clean_joins_as_a_replacement_only() -> None:
    rejected = replace(photos(30)[29], label_verdict="reject", label_reason="person_box", label_rows="a row")
    settings_ = {"backgrounds__humans": {"detector": "none"}}
    made = recipe(composites__per_foreground=6, foregrounds__split={"test": 0}, **settings_)
    found = [*photos(8), rejected]
    before = make_plan(people(4), found, made)
    called = override("clean", rejected.id)
    after = make_plan(people(4), found, made, None, called)
    assert after.composites == before.composites
    record = after.backgrounds[-1]
    assert (record.state, record.reason, record.split) == ("ok", "override_clean", "train")
    replaced = make_plan(people(4), found, made, None, [*called, *override("reject", "b0")])
    assert rejected.id in {c.background for c in replaced.composites}
    twin = replace(rejected, fingerprint=photos(1)[0].fingerprint)
    kept_out = make_plan(people(4), [*photos(8), twin], made, None, called)
    assert kept_out.backgrounds[-1].reason == "near_duplicate"
    assert "stays rejected although it is called clean: near_duplicate" in kept_out.notes[0]
    unseen = replace(rejected, sha256=None)
    assert make_plan(people(4), [*photos(8), unseen], made, None, called).backgrounds[-1].state == "rejected"


def test_what_the_sources_do_not_hold_is_a_note() -> None:
    noted = plan(override("human", "gone"))
    assert noted.composites == plan([]).composites
    assert noted.notes == ("1 decisions are of inputs that the sources do not hold: background gone",)


def test_too_few_left_says_so() -> None:
    with pytest.raises(UsageError, match="leave no other background for f"):
        plan(override("human", "b0"), count=3, available=3, foregrounds__split={"test": 0})
    with pytest.raises(UsageError, match="reject every foreground"):
        plan(override("reject", *(f"f{n}" for n in range(8)), kind="foreground"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("kind,id\n", "no column 'tag'"),
        (HEADER + f"image,x,human,ann,{WHEN},\n", "the kind is 'image'"),
        (HEADER + f"background,,human,ann,{WHEN},\n", "line 2 has no id"),
        (HEADER + f"background,x,humna,ann,{WHEN},\n", "did you mean 'human'"),
        (HEADER + f"background,x,subset:a,ann,{WHEN},\n", "cannot be said of a background"),
        (HEADER + f"foreground,x,human,ann,{WHEN},\n", "cannot be said of a foreground"),
        (HEADER + f"foreground,x,subset:,ann,{WHEN},\n", "cannot be said of a foreground"),
        (HEADER + f"background,x,human,,{WHEN},\n", "who decided"),
        (HEADER + "background,x,human,ann,yesterday,\n", "write it in UTC"),
        (HEADER + "background,x,human,ann,2025-03-01T12:00:00,\n", "write it in UTC"),
        (HEADER + f"background,x,human,ann,{WHEN},a\n" * 2, "line 3 repeats line 2"),
        (HEADER + f'background,x,human,ann,{WHEN},"a\n', "not CSV"),
    ],
)
def test_a_mistake_in_the_file_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(text, "overrides.csv")


texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x85\u2028\u2029")).map(str.strip)


@given(st.lists(st.builds(Decision, st.just("background"), texts.filter(bool), st.sampled_from(["human", "clean"]),
                          texts.filter(bool), st.just(WHEN), texts), unique=True))  # fmt: skip
def test_a_file_holds_what_was_written(rows: list[Decision]) -> None:
    assert parse(to_csv(rows).decode(), "x") == rows
    assert len(effective(rows)) == len({row.id for row in rows})


def test_appending_keeps_history_and_adds_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "overrides.csv"
    first = override("human", "a", "b")
    assert append(path, first) == first and append(path, first) == []
    taken_back = override("clean", "a")
    assert append(path, [*taken_back, first[1]]) == taken_back
    assert read(path) == [*first, *taken_back]
    assert {row.id: row.tag for row in effective(read(path))} == {"a": "clean", "b": "human"}


def files(out: Path) -> dict[str, tuple[int, bytes]]:
    found = [path for split in ("train", "test") for path in sorted((out / split).glob("*.tar"))]
    return {str(path.relative_to(out)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def test_a_build_applies_overrides_to_the_dataset_it_made_before(project: Project) -> None:
    project.recipe["overrides"] = "overrides.csv"
    project.recipe["store"]["samples_per_shard"] = 3  # a foreground a shard
    first = project.build()
    before, shards = members(project.out), files(project.out)
    drawn = sample_rows(project.out)[0].background, sample_rows(project.out)[4].background
    append(project.root / "overrides.csv", override("human", *drawn))
    second = project.build()
    after = members(project.out)
    assert second.index["recipe_sha256"] == first.index["recipe_sha256"]
    touched = {c.key for c in saved_plan(project.out).composites} - {
        key for key, sample in before.items() if after[key] == sample
    }
    hit = {row.key for row in sample_rows(project.out) if row.key in touched}
    assert before.keys() == after.keys() and hit == touched and len(touched) >= 2
    assert not set(drawn) & {row.background for row in sample_rows(project.out)}
    for name, (stamp, content) in shards.items():
        keys = {row.key for row in sample_rows(project.out) if f"{row.split}/{row.shard:06d}.tar" == name}
        now = files(project.out)[name]
        assert (now == (stamp, content)) == (not keys & touched)
    ledger = {row.id: row for row in read_table(project.out / "ledger/backgrounds.parquet", LedgerRow)}
    for name in drawn:
        assert (ledger[name].outcome, ledger[name].reason) == ("rejected", "override_human")
        assert ledger[name].detail == f"human by ann on {WHEN}: seen"
    assert second.index["ledger"]["backgrounds"]["rejected"]["override_human"] == 2
    assert {record.id for record in removed_by_hand(project.out)} == set(drawn)
    assert verify(project.out, True, 4, None, 1).problems == []
    fresh = project.build(out=project.root / "fresh")
    assert fresh.index["content_sha256"] == second.index["content_sha256"]
    (project.root / "overrides.csv").unlink()
    assert project.build().index["content_sha256"] == first.index["content_sha256"]


@pytest.mark.parametrize("kind", ["composites", "layers"])
def test_a_rejected_foreground_takes_its_shard_with_it(project: Project, kind: str) -> None:
    project.recipe["store"] |= {"samples_per_shard": 3, "kind": kind}
    first = project.build()
    before = sample_rows(project.out)
    gone, moved = before[0].foreground, before[3].foreground
    rows = [*override("reject", gone, kind="foreground"), *override("subset:crowd", moved, kind="foreground")]
    append(project.root / "o.csv", rows)
    second = project.build("overrides=o.csv")  # a recipe may name the file later: it is the same recipe
    assert second.index["recipe_sha256"] == first.index["recipe_sha256"]
    after = sample_rows(project.out)
    assert [row for row in after if row.foreground != moved] == [r for r in before if r.foreground not in (gone, moved)]
    assert [(r.key, r.background, r.seed) for r in after if r.foreground == moved] == [
        (r.key, r.background, r.seed) for r in before if r.foreground == moved
    ]
    assert {row.subset for row in after if row.foreground == moved} == {"crowd"}
    assert not (project.out / "train" / "000000.tar").exists() and (project.out / "train" / "000001.tar").exists()
    ledger = {row.id: row for row in read_table(project.out / "ledger/foregrounds.parquet", LedgerRow)}
    assert (ledger[gone].outcome, ledger[gone].reason) == ("rejected", "override")
    assert (ledger[moved].outcome, ledger[moved].reason) == ("written", "override_subset")
    assert verify(project.out, True, 2, None, 1).problems == []


def test_layers_lose_a_background_and_keep_all_others(project: Project) -> None:
    project.recipe["store"] |= {"samples_per_shard": 3, "kind": "layers", "epoch_backgrounds": True}
    project.build()
    before = sample_rows(project.out)
    tars = len(list((project.out / "backgrounds").glob("*.tar")))
    train = [b.id for b in saved_plan(project.out).backgrounds if b.split == "train"]
    append(project.root / "o.csv", override("human", *train[:3]))
    project.build("overrides=o.csv")
    assert len(list((project.out / "backgrounds").glob("*.tar"))) == tars - 1
    after = sample_rows(project.out)
    for old, new in zip(before, after, strict=True):
        assert old == new if old.background not in train[:3] else old.key == new.key and new.background in train[3:]
    assert verify(project.out, True, 4, None, 1).problems == []


def test_other_changes_of_the_inputs_are_still_refused(project: Project) -> None:
    project.recipe["overrides"] = "overrides.csv"
    project.build()
    append(project.root / "overrides.csv", override("human", "photos-b00"))
    project.build()
    project.add_photo(40)
    with pytest.raises(UsageError, match="1 backgrounds new"):
        project.build()


def test_a_filter_applies_them_too(project: Project) -> None:
    append(project.root / "o.csv", override("reject", "photos-b03"))
    result = filter_backgrounds(project.load("overrides=o.csv"), project.out, 1)
    assert result.summary["rejected"] == {"override_reject": 1}
