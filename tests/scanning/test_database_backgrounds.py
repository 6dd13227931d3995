"""Backgrounds of OpenImages and SUN in their own layouts: labels before the detector, licences, attribution, tars."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matting_data.cli.main import main

from matting_data.building.filter import filter_backgrounds
from matting_data.detectors.detector import Detection, Thresholds
from matting_data.errors import UsageError
from matting_data.imaging import encode
from matting_data.records.judged import JudgedBackground
from matting_data.shards.index import read_index
from matting_data.upkeep.verify import verify
from tests.support.oi_files import BOXES, IMAGES, LABELS, LAPTOP, MAN, PERSON, box_row, image_row, write
from tests.support.projects import Project, draw_photo

CC_BY = "https://creativecommons.org/licenses/by/2.0/"
ABSENT, BOXED, SHOWN, NOTHING, LISTED, MACHINE, TURNED = (f"{number:016x}" for number in range(0xA0, 0xA7))
STATUE = "/m/013_1c"


@pytest.fixture
def openimages(project: Project) -> Project:
    images = project.root / "openimages" / "images"
    images.mkdir(parents=True)
    for number, identity in enumerate([ABSENT, BOXED, SHOWN, NOTHING, LISTED, MACHINE, TURNED]):
        (images / f"{identity}.jpg").write_bytes(encode.jpeg(draw_photo(50 + number, (90, 70))))
    write(
        project.root / "openimages" / "metadata",
        {
            "image_ids_and_rotation.csv": [
                IMAGES,
                *(image_row(identity, f"title, {identity}") for identity in (ABSENT, BOXED, SHOWN, LISTED, MACHINE)),
                image_row(TURNED, rotation="90.0").replace(CC_BY, "https://creativecommons.org/licenses/by-nc/2.0/"),
            ],
            "oidv6-train-annotations-bbox.csv": [BOXES, box_row(BOXED, LAPTOP), box_row(SHOWN, PERSON)],
            "oidv7-train-annotations-human-imagelabels.csv": [
                LABELS,
                f"{ABSENT},verification,{PERSON},0",
                f"{TURNED},verification,{LAPTOP},1",
            ],
            "oidv7-train-annotations-machine-imagelabels.csv": [LABELS, f"{MACHINE},machine,{MAN},0.8"],
        },
    )
    project.recipe["backgrounds"]["sources"] = [
        {"layout": "openimages", "images": "openimages/images", "metadata": "openimages/metadata"}
    ]
    project.recipe["composites"] = {"per_foreground": 2}
    return project


def judged(project: Project, *overrides: str) -> dict[str, JudgedBackground]:
    result = filter_backgrounds(project.load(*overrides), project.out, 1)
    return {record.path.partition(".")[0].rpartition("/")[2]: record for record in result.backgrounds}


def test_labels_give_every_photograph_its_tier_verdict_and_deciding_rows(openimages: Project) -> None:
    found = judged(openimages)
    assert {key: (b.tier, b.state, b.reason) for key, b in found.items()} == {
        ABSENT: ("verified_absent", "ok", "person_verified_absent"),
        BOXED: ("boxes_without_human", "ok", "boxes_without_human"),
        SHOWN: ("verified_present", "rejected", "person_box"),
        NOTHING: ("no_human_label", "ok", "no_human_label"),
        LISTED: ("no_human_label", "ok", "no_human_label"),
        MACHINE: ("machine_label", "rejected", "person_machine"),
        TURNED: ("no_human_label", "ok", "no_human_label"),
    }
    assert "Person" in str(found[SHOWN].detail) and "0.8" in str(found[MACHINE].detail)
    assert found[ABSENT].id == f"openimages-{ABSENT}"
    summary = json.loads((openimages.out / "filter.json").read_text())
    assert summary["tiers"]["openimages/no_human_label"] == {"found": 3, "kept": 3}
    assert summary["tiers"]["openimages/machine_label"] == {"found": 1, "kept": 0}
    assert "openimages: 1 photographs have no row in any table: nothing is known of them" in summary["notes"]


def test_the_policy_decides_what_a_tier_leads_to(openimages: Project) -> None:
    humans = "backgrounds.humans."
    assert judged(openimages, f"{humans}openimages.machine_threshold=0.9")[MACHINE].state == "ok"
    doubtful = judged(openimages, f"{humans}openimages.weak=review")
    assert (doubtful[LISTED].verdict, doubtful[LISTED].state) == ("review", "rejected")
    kept = judged(openimages, f"{humans}openimages.weak=review", f"{humans}review=keep")
    assert (kept[LISTED].label_verdict, kept[LISTED].state) == ("review", "ok")
    ignored = judged(openimages, f"{humans}labels=false")
    assert {b.state for b in ignored.values()} == {"ok"}
    assert (ignored[SHOWN].tier, ignored[SHOWN].reason) == ("verified_present", "not_examined")


def test_only_what_the_labels_leave_reaches_the_detector(openimages: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    class Counting:
        name, version, thresholds = "counting", "1", Thresholds(0.5, 0.4)

        def detect(self, image: Any) -> Detection:
            seen.append(image.shape)
            return Detection(0.9 if len(seen) == 1 else 0.0)

    monkeypatch.setattr("matting_data.detectors.registry.load", lambda _: Counting())
    found = judged(openimages, "backgrounds.humans.detector=counting")
    assert len(seen) == 5
    reasons = Counter(record.reason for record in found.values())
    assert reasons == {"person_box": 1, "person_machine": 1, "person_detected": 1, "no_person_found": 4}
    judged(openimages, "backgrounds.humans.detector=counting", "backgrounds.humans.openimages.machine=keep")
    assert len(seen) == 6  # only the one that the labels now leave


def test_rotation_is_applied_unless_the_file_says_its_own(openimages: Project) -> None:
    found = judged(openimages)
    assert (found[TURNED].rotation, found[TURNED].width, found[TURNED].height) == (90, 70, 90)
    shutil.rmtree(openimages.out)
    openimages.build("foregrounds.split.test=0", "composites.per_foreground=4")
    result = verify(openimages.out, deep=True, recompose=24, base=None, workers=1)
    assert (result.problems, result.recomposed) == ([], 24)


def test_a_licence_policy_keeps_out_the_others_and_the_unknown(openimages: Project) -> None:
    found = judged(openimages, "backgrounds.licenses=[CC BY 2.0]")
    assert {key for key, record in found.items() if record.reason == "license"} == {TURNED, NOTHING}
    assert found[TURNED].detail == ("https://creativecommons.org/licenses/by-nc/2.0/: the recipe allows CC BY 2.0")
    with pytest.raises(UsageError, match=r"backgrounds: licence 'free' is not known"):
        openimages.load("backgrounds.licenses=[free]")


def test_a_build_attributes_every_background_it_uses(openimages: Project) -> None:
    ledger = pl.DataFrame(
        {"id": [ABSENT], "outcome": ["written"], "reason": [""], "detail": [""], "bytes": [1], "sha256": [""],
         "url": [""], "retrieved": ["2026-01-31T12:00:00Z"]}
    )  # fmt: skip
    (openimages.root / "openimages" / "images" / "ledger").mkdir()
    ledger.write_parquet(openimages.root / "openimages" / "images" / "ledger" / "fetch.parquet")
    openimages.recipe["backgrounds"]["sources"].append({"layout": "folder", "root": "photos", "license": "CC0-1.0"})
    openimages.build("composites.per_foreground=4")
    rows = list(csv.DictReader(io.StringIO((openimages.out / "ATTRIBUTION.csv").read_text())))
    used = pl.read_parquet(openimages.out / "ledger" / "backgrounds.parquet").filter(outcome="written")
    assert sorted(row["background"] for row in rows) == sorted(used["id"].to_list())
    by_id = {row["id"]: row for row in rows}
    absent = by_id[ABSENT]
    assert absent["author"] == "Some One" and absent["title"] == f"title, {ABSENT}" and absent["license"] == CC_BY
    assert absent["retrieved"] == "2026-01-31T12:00:00Z" and absent["source"] == "openimages"
    assert {row["license"] for row in rows if row["source"] == "photos"} == {"CC0-1.0"}
    index = read_index(openimages.out)
    assert "ATTRIBUTION.csv" in index["files"]
    assert any("of 1 of the 5 photographs used, author" in note for note in index["notes"])
    (openimages.out / "ATTRIBUTION.csv").write_text("id\n")
    assert [p.file for p in verify(openimages.out, deep=False, recompose=0, base=None, workers=1).problems] == [
        "ATTRIBUTION.csv"
    ]


def test_tables_are_read_once_and_again_when_they_change(openimages: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    judged(openimages)
    with monkeypatch.context() as context:
        context.setattr(
            "matting_data.scanning.label_evidence.judge_metadata", lambda *_, **__: pytest.fail("read again")
        )
        assert judged(openimages)[MACHINE].reason == "person_machine"
    table = openimages.root / "openimages" / "metadata" / "oidv7-train-annotations-machine-imagelabels.csv"
    table.write_text(f"{LABELS}\n{MACHINE},machine,{LAPTOP},0.8\n")
    assert judged(openimages)[MACHINE].reason == "no_human_label"


def test_without_tables_the_detector_alone_decides_and_the_filter_says_so(
    openimages: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del openimages.recipe["backgrounds"]["sources"][0]["metadata"]
    (openimages.root / "openimages" / "images" / "holiday.jpg").write_bytes(encode.jpeg(draw_photo(99, (90, 70))))
    arguments = ["mattingdata", "filter", str(openimages.write_recipe()), "--out", str(openimages.out), "--workers=1"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert "openimages/no_human_label: 8 of 8 kept" in printed
    assert "note: openimages: 1 files are not called by an OpenImages id" in printed
    assert "note: openimages: no 'metadata' is given" in printed


def test_a_metadata_folder_that_is_missing_or_holds_nothing_is_named(openimages: Project) -> None:
    shutil.rmtree(openimages.root / "openimages" / "metadata")
    with pytest.raises(UsageError, match="there is no metadata folder"):
        judged(openimages)
    (openimages.root / "openimages" / "metadata").mkdir()
    with pytest.raises(UsageError, match="holds no table of OpenImages"):
        judged(openimages)


def sun_name(letter: str) -> str:
    return f"sun_{letter * 16}.jpg"


CATEGORIES = {"a/abbey": "abc", "c/cabin/outdoor": "def", "b/beach": "gh", "z/zen_garden": "ij"}


@pytest.fixture
def sun(project: Project) -> Project:
    """A tree in SUN's layout whose files are, as there, not always what their names say."""
    root = project.root / "SUN397"
    for number, (category, letter) in enumerate((c, x) for c, letters in CATEGORIES.items() for x in letters):
        (root / category).mkdir(parents=True, exist_ok=True)
        photo = draw_photo(200 + number, (90, 70))
        gray = np.dstack([photo[..., :1]] * 3)
        data = {"b": encode.png(photo), "e": encode.jpeg(gray), "h": b"GIF89a"}.get(letter, encode.jpeg(photo))
        (root / category / sun_name(letter)).write_bytes(data)
    (root / "c" / "church" / "outdoor").mkdir(parents=True)
    (root / "c" / "church" / "outdoor" / "sun_bhenjvsvrtumjuri.jpg").write_bytes(encode.jpeg(draw_photo(9, (90, 70))))
    (root / "a" / "abbey" / "labelme_x.jpg").write_bytes(encode.jpeg(draw_photo(8, (90, 70))))
    (root / "README.txt").write_bytes(b"no image")
    notes = project.root / "Annotations"
    said = {
        "a/abbey/sun_" + "a" * 16: "<object><name>tree</name></object>",
        "a/abbey/sun_" + "b" * 16: "<object><name>Person walking crop</name></object>",
        "c/cabin/outdoor/sun_" + "d" * 16: "<object><name>person</name><deleted>1</deleted></object>",
        "c/cabin/outdoor/sun_" + "e" * 16: "<object><name>statue</name></object>",
        "b/beach/sun_" + "g" * 16: "<!ENTITY x 'y'>",
    }
    for path, content in said.items():
        (notes / path).parent.mkdir(parents=True, exist_ok=True)
        prolog = f"<!DOCTYPE a [{content}]>" if content.startswith("<!") else ""
        inner = "" if prolog else content
        (notes / f"{path}.xml").write_text(f"{prolog}<annotation>{inner}</annotation>")
    project.recipe["backgrounds"]["sources"] = [{"layout": "sun", "root": "SUN397", "annotations": "Annotations"}]
    project.recipe["composites"] = {"per_foreground": 2}
    return project


def test_a_sun_tree_is_filtered_end_to_end(sun: Project) -> None:
    found = judged(sun)
    outcome = {key.removeprefix("sun_")[0]: (b.tier, b.state, b.reason) for key, b in found.items()}
    outcome["church"] = (None, found["sun_bhenjvsvrtumjuri"].state, found["sun_bhenjvsvrtumjuri"].reason)
    assert outcome["a"] == ("polygons_without_human", "ok", "polygons_without_human")
    assert found["sun_" + "b" * 16].reason == "person_polygon" and "person" in str(found["sun_" + "b" * 16].detail)
    assert outcome["c"] == ("no_polygons", "ok", "no_polygons")
    assert outcome["d"] == ("no_polygons", "ok", "no_polygons")
    assert outcome["e"] == ("polygon_lookalike", "rejected", "lookalike_polygon")
    assert outcome["g"] == ("polygons_unreadable", "rejected", "polygons_unreadable")
    assert "annotation_refused" in str(found["sun_" + "g" * 16].label_rows)
    assert outcome["h"] == ("no_polygons", "rejected", "unreadable")
    assert outcome["church"] == (None, "rejected", "known_damaged")
    assert (found["labelme_x"].tier, found["labelme_x"].state) == ("no_polygons", "ok")
    assert len(found) == 12
    notes = json.loads((sun.out / "filter.json").read_text())["notes"]
    assert any("1 annotations cannot be read, such as b/beach" in note for note in notes)


BROKEN = {
    "cut": ("<annotation><object><name>wall</name></object><object><na", "polygons_unreadable"),
    "empty": ("", "polygons_unreadable"),
    "another root": ("<html/>", "polygons_unreadable"),
    "an ampersand": ("<annotation><object><name>wall & door</name></object></annotation>", "polygons_unreadable"),
    "an ampersand, and a person": (
        "<annotation><object><name>wall & door</name></object><object><name>man</name></object></annotation>",
        "person_polygon",
    ),
    "a corner without a number": (
        "<annotation><object><name>person</name><polygon><pt><x/><y>n</y></pt></polygon></object></annotation>",
        "person_polygon",
    ),
    "a control character": ("<annotation><object><name>tree\x01</name></object></annotation>", "polygons_unreadable"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_an_annotation_that_cannot_be_read_in_full_never_counts_as_none(sun: Project, fault: str) -> None:
    content, reason = BROKEN[fault]
    path = sun.root / "Annotations" / "c" / "cabin" / "outdoor" / f"sun_{'f' * 16}.xml"
    path.write_text(content)
    photo = judged(sun)["sun_" + "f" * 16]
    assert (photo.state, photo.reason) == ("rejected", reason)
    sun.recipe["backgrounds"]["humans"] |= {"review": "keep"}
    photo = judged(sun)["sun_" + "f" * 16]
    assert photo.state == ("rejected" if reason == "person_polygon" else "ok")


def test_photographs_of_sun_with_other_names_and_suffixes_keep_their_polygons(sun: Project) -> None:
    said = "<annotation><object><name>person</name></object></annotation>"
    (sun.root / "Annotations" / "a" / "abbey" / "labelme_x.xml").write_text(said)
    folder = sun.root / "Annotations" / "z" / "zen_garden"
    folder.mkdir(parents=True)
    (folder / f"sun_{'i' * 16}.XML").write_text(said)
    found = judged(sun)
    assert found["labelme_x"].reason == found["sun_" + "i" * 16].reason == "person_polygon"


def test_annotations_are_read_again_only_when_they_change(sun: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    judged(sun)
    with monkeypatch.context() as context:
        context.setattr("matting_data.scanning.label_evidence.parse_annotation", lambda _: pytest.fail("read again"))
        assert judged(sun)["sun_" + "b" * 16].reason == "person_polygon"
    path = sun.root / "Annotations" / "a" / "abbey" / f"sun_{'b' * 16}.xml"
    path.write_text("<annotation><object><name>nave</name></object></annotation>")
    assert judged(sun)["sun_" + "b" * 16].state == "ok"


def test_classes_and_official_partitions_choose_and_divide(sun: Project) -> None:
    (sun.root / "ClassName.txt").write_text("/a/abbey\n/b/beach\n/c/cabin/outdoor\n/z/zen_garden\n")
    (sun.root / "Partitions").mkdir()
    sides = {"Training_02.txt": ["a/abbey/a", "c/cabin/outdoor/d", "b/beach/g", "a/abbey/c"],
             "Testing_02.txt": ["c/cabin/outdoor/f", "z/zen_garden/i", "a/abbey/b"]}  # fmt: skip
    for name, paths in sides.items():
        lines = [f"/{path.rpartition('/')[0]}/{sun_name(path[-1])}" for path in paths]
        (sun.root / "Partitions" / name).write_text("\n".join(lines))
    sun.recipe["backgrounds"]["sources"][0] |= {"partitions": "Partitions", "partition": 2, "classes": "ClassName.txt"}
    sun.build()
    table = pl.read_parquet(sun.out / "backgrounds.parquet")
    kept = {path[-5]: split for path, split in table.filter(state="ok").select("path", "split").iter_rows()}
    assert kept == {"a": "train", "d": "train", "c": "train", "f": "test", "i": "test"}
    assert set(table.filter(reason="not_in_partition")["path"].str.slice(-5, 1)) == {"e", "h", "j"}
    assert table.filter(reason="not_in_classes")["path"].to_list() == ["a/abbey/labelme_x.jpg"]
    (sun.root / "ClassName.txt").write_text("/a/abbey\n")
    with pytest.raises(UsageError, match=r"passed the checks.*not_in_classes"):
        sun.build(out=sun.root / "other")


def test_an_official_partition_that_leaves_a_side_short_is_named(sun: Project) -> None:
    (sun.root / "Partitions").mkdir()
    everything = [f"/{c}/{sun_name(x)}" for c, letters in CATEGORIES.items() for x in letters]
    (sun.root / "Partitions" / "Training_01.txt").write_text("\n".join(everything[1:]))
    (sun.root / "Partitions" / "Testing_01.txt").write_text(everything[0])
    sun.recipe["backgrounds"]["sources"][0]["partitions"] = "Partitions"
    with pytest.raises(UsageError, match=r"test needs at least 2 backgrounds and has 1, since the official partition"):
        sun.build()


def test_images_come_straight_from_a_tar_and_the_composites_are_those_of_the_tree(sun: Project) -> None:
    tar = sun.root / "SUN397.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(sun.root / "SUN397", "SUN397")
    from_tree = judged(sun)
    shutil.rmtree(sun.out)
    sun.recipe["backgrounds"]["sources"][0]["root"] = "SUN397.tar"
    from_tar = judged(sun)
    assert {k: (b.sha256, b.tier, b.reason) for k, b in from_tar.items()} == {
        k: (b.sha256, b.tier, b.reason) for k, b in from_tree.items()
    }
    shutil.rmtree(sun.out)
    one, two = sun.build(), sun.build(out=sun.root / "two", workers=2)
    assert one.index["content_sha256"] == two.index["content_sha256"]
    result = verify(sun.out, deep=True, recompose=12, base=None, workers=1)
    assert (result.problems, result.recomposed) == ([], 12)
    data = tar.read_bytes()
    tar.write_bytes(data[: len(data) // 2])
    short = sun.load("composites.per_foreground=1")
    assert "unreadable" in {b.reason for b in filter_backgrounds(short, sun.root / "short", 1).backgrounds}


def test_missing_folders_of_sun_are_named(sun: Project) -> None:
    source = sun.recipe["backgrounds"]["sources"][0]
    source["annotations"] = "Annotation"
    with pytest.raises(UsageError, match=r"there is no folder .*Annotation; did you mean 'Annotations'\?"):
        judged(sun)
    source |= {"annotations": "Annotations", "root": "SUN39"}
    with pytest.raises(UsageError, match="there is no folder"):
        judged(sun)


def test_real_openimages_and_sun_folders_build_with_attribution(shared_data: Path, project: Project) -> None:
    project.recipe["backgrounds"]["sources"] = [
        {"layout": "openimages", "images": str(shared_data / "openimages" / "images"),
         "metadata": str(shared_data / "openimages" / "metadata")},
        {"layout": "sun", "root": str(shared_data / "backgrounds" / "SUN397")},
    ]  # fmt: skip
    project.build(workers=2)
    tiers = pl.read_parquet(project.out / "backgrounds.parquet").group_by("source", "tier").len()
    assert dict(zip(tiers["source"], tiers["len"], strict=True)) == {"openimages": 15, "SUN397": 142}
    rows = list(csv.DictReader(io.StringIO((project.out / "ATTRIBUTION.csv").read_text())))
    used = pl.read_parquet(project.out / "ledger" / "backgrounds.parquet").filter(outcome="written")
    assert {row["background"] for row in rows} == set(used["id"])
