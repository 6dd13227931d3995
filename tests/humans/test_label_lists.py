"""The lists of labels: complete, free of contradictions, matched by MID and whole name."""

from __future__ import annotations

import csv
import json
from importlib import resources
from pathlib import Path

import pytest

from matting_data.errors import UsageError
from matting_data.humans.labels import HumanLabel, LabelSet, load_label_set, load_sun_names, normalise
from matting_data.sources.openimages.classes import class_names, hierarchy

LABELS = load_label_set()
NAMES = load_sun_names()
PARTS = [
    "014sv8",
    "04hgtk",
    "0dzct",
    "0283dt1",
    "039xj_",
    "0k0pj",
    "03q69",
    "0k65p",
    "031n1",
    "0dzf4",
    "035r7c",
    "015h_t",
    "02p0tk3",
]


def test_person_classes_parts_groups_and_lookalikes_are_listed() -> None:
    for mid in ("/m/01g317", "/m/04yx4", "/m/03bt1vf", "/m/01bl7v", "/m/05r655", "/m/0dgw9r", "/m/0ytgt", "/m/099md"):
        label = LABELS.get(mid)
        assert label is not None and label.role == "person"
    assert {LABELS.get(f"/m/{part}").role for part in PARTS} == {"body_part"}
    assert LABELS.get("/m/03qtwd").role == "group"
    for mid in ("/m/016m2d", "/m/013_1c", "/m/01gl_m", "/m/0167gd", "/m/01n5jq"):
        assert LABELS.get(mid).role == "lookalike"


def test_only_labels_that_mean_every_human_prove_absence() -> None:
    assert {label.name for label in LABELS.labels if label.absence} == {"Person", "Human", "People"}


def test_names_do_not_matter_only_mids() -> None:
    assert LABELS.get("/m/01m3v") is None  # Computer, of which there is a "Personal computer"
    assert LABELS.get("Person") is None
    assert LABELS.get("/m/03wvsk") is None  # hair dryer


def test_the_boxable_names_agree_with_openimages_own(shared_data: Path) -> None:
    known = class_names([shared_data / "openimages/metadata/class-descriptions-boxable.csv"])
    listed = {label.mid: label.name for label in LABELS.labels if label.mid in known}
    assert listed == {mid: known[mid] for mid in listed}
    assert len(listed) > 20


def test_the_hierarchy_is_followed_through_subcategory_and_part(shared_data: Path) -> None:
    children = hierarchy(shared_data / "openimages/metadata/bbox_labels_600_hierarchy.json")
    bare = LabelSet((HumanLabel("/m/016m2d", "Skull", "lookalike"),)).with_hierarchy(children, {})
    assert {label.mid for label in bare.labels if label.role == "person"} == {
        "/m/01g317", "/m/04yx4", "/m/03bt1vf", "/m/01bl7v", "/m/05r655",
    }  # fmt: skip
    assert {label.mid[3:] for label in bare.labels if label.role == "body_part"} == set(PARTS)
    assert bare.get("/m/016m2d").role == "lookalike"
    assert LABELS.with_hierarchy(children, {}) == LABELS


def test_classes_of_a_later_hierarchy_are_found_and_circles_end() -> None:
    children = {
        "/m/01g317": [("Subcategory", "/m/new"), ("Part", "/m/tail")],
        "/m/tail": [("Subcategory", "/m/tip"), ("Part", "/m/01g317")],
    }
    grown = LABELS.with_hierarchy(children, {"/m/new": "Newcomer"})
    assert grown.get("/m/new") == HumanLabel("/m/new", "Newcomer", "person", "below Person in the hierarchy")
    assert grown.get("/m/tail").role == grown.get("/m/tip").role == "body_part"


def test_a_label_cannot_be_human_and_lookalike() -> None:
    with pytest.raises(UsageError, match="'/m/1' is listed twice"):
        LabelSet((HumanLabel("/m/1", "A", "person"), HumanLabel("/m/1", "A", "lookalike")))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("person", "person"),
        (" Person  Sitting occluded\n", "person"),
        ("person sitting crop", "person"),
        ("a baby", "person"),
        ("skier person", "person"),
        ("hand", "body_part"),
        ("torso occluded", "body_part"),
        ("head", "ambiguous_part"),
        ("hair", "ambiguous_part"),
        ("statue", "lookalike"),
        ("animal skeleton", "lookalike"),
        ("person with umbrella", "possible_person"),
        ("two women", "possible_person"),
        ("crop", "other"),
        ("occluded", "other"),
        ("", "other"),
        ("manhole", "other"),
        ("womens-wear", "other"),
        ("wall", "other"),
    ],
)
def test_sun_names(name: str, role: str) -> None:
    assert NAMES.role(name) == role


@pytest.mark.parametrize("name", sorted(name for name, role in NAMES.roles.items() if role == "other"))
def test_false_friends_are_no_humans(name: str) -> None:
    assert NAMES.role(name) == NAMES.role(f"{name} occluded") == "other"


def test_lists_do_not_contradict_each_other() -> None:
    folder = resources.files("matting_data.manifests") / "labels"
    lists = [folder / f"sun_{part}.csv" for part in ("humans", "false_friends", "ambiguous", "lookalikes")]
    names = [row["name"] for each in lists for row in csv.DictReader(each.read_text(encoding="utf-8").splitlines())]
    assert sorted(names) == sorted(NAMES.roles)
    assert all(normalise(name) == name for name in names)


def test_broken_lists_are_refused_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels").mkdir()
    path = tmp_path / "labels" / "humans.csv"
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    head = "mid,name,role,absence,why\n"
    for text, message in [
        ("mid,name\n", "line 1: the header"),
        (head + "/m/1,A,person\n", "line 2: 3 values for 5 columns"),
        (head + "person,A,person,1,x\n", "line 2: 'person' is not a MID"),
        (head + "/m/1,A,persona,1,x\n", "line 2: role 'persona' is not one of"),
    ]:
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            load_label_set.__wrapped__()


def test_class_names_with_and_without_header(tmp_path: Path) -> None:
    bare, headed = tmp_path / "a.csv", tmp_path / "b.csv"
    bare.write_text('/m/011k07,Tortoise\n\n/m/1,"A, b"\n')
    headed.write_text("\ufeffLabelName,DisplayName\n/m/011k07,Turtle\n/m/2,C\n")
    assert class_names([bare, headed]) == {"/m/011k07": "Tortoise", "/m/1": "A, b", "/m/2": "C"}
    bare.write_text("LabelName,DisplayName\n")
    with pytest.raises(UsageError, match="holds no label"):
        class_names([bare])


@pytest.mark.parametrize("text", ["", "[]", '{"LabelName": 1}', '{"LabelName": "/m/1", "Part": 3}', "[" * 100_000])
def test_broken_hierarchies_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "h.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="no hierarchy of classes"):
        hierarchy(path)


def test_a_hierarchy_is_merged_over_all_places(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    part = {"LabelName": "/m/body", "Part": [{"LabelName": "/m/eye"}]}
    tree = {"LabelName": "/m/0bl9f", "Subcategory": [part, {"LabelName": "/m/01g317", "Part": [part]}]}
    path.write_text(json.dumps(tree))
    assert hierarchy(path)["/m/body"] == [("Part", "/m/eye")]
    assert hierarchy(path)["/m/01g317"] == [("Part", "/m/body")]
