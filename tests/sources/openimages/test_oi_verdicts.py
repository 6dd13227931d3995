"""From a metadata folder to a verdict an image: traps, mismatches, parts, and the plain rule as reference."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import polars as pl
import pytest

from matting_data.errors import DamageError, UsageError
from matting_data.humans.evidence import EvidencePolicy
from matting_data.humans.labels import load_label_set
from matting_data.sources.openimages import spill
from matting_data.sources.openimages.collect import collect
from matting_data.sources.openimages.image_lists import image_rows
from matting_data.sources.openimages.recognise import recognise
from matting_data.sources.openimages.verdicts import (
    VERDICT_SCHEMA,
    judge_evidence,
    judge_metadata,
    read_report,
    read_verdicts,
)
from tests.support.evidence_rule import LabelRow, judge
from tests.support.oi_files import BOXES, CC_BY, FOOT, IMAGES, LABELS, LAPTOP, MAN, PERSON, box_row, image_row, write

WEAK = "ca8b3187cf011043"
YOYO = "/m/0yoyo"  # stands for Yo-yo, whose MID is in none of the files at hand
NAMES = {"images": "image_ids_and_rotation.csv", "boxes": "oidv6-train-annotations-bbox.csv",
         "human": "oidv7-train-annotations-human-imagelabels.csv",
         "machine": "oidv7-train-annotations-machine-imagelabels.csv"}  # fmt: skip


def ident(number: int) -> str:
    return f"{number * 2**60 % 2**64 + number:016x}"


def folder(tmp_path: Path, **tables: list[str]) -> Path:
    heads = {"images": IMAGES, "boxes": BOXES, "human": LABELS, "machine": LABELS}
    return write(tmp_path / "metadata", {NAMES[name]: [heads[name], *lines] for name, lines in tables.items()})


def verdicts(tmp_path: Path, **tables: list[str]) -> dict[str, dict[str, object]]:
    judge_metadata(folder(tmp_path, **tables), tmp_path / "out")
    return {row["image_id"]: row for row in read_verdicts(tmp_path / "out").iter_rows(named=True)}


def test_confidence_0_is_absence(tmp_path: Path) -> None:
    rows = [
        f"{ident(1)},verification,{PERSON},0",
        f"{ident(2)},verification,{PERSON},1.0",
        f"{ident(3)},verification,{MAN},0.0",
    ]
    found = verdicts(tmp_path, human=rows)
    assert [found[ident(n)]["tier"] for n in (1, 2, 3)] == ["verified_absent", "verified_present", "no_human_label"]
    assert found[ident(1)]["decided_by"] == "verified /m/01g317 Person absent"


def test_the_image_with_yo_yo_and_laptop_is_kept_in_the_weak_tier(tmp_path: Path) -> None:
    found = verdicts(
        tmp_path,
        images=[image_row(WEAK)],
        human=[f"{WEAK},verification,{YOYO},1", f"{WEAK},verification,{LAPTOP},1"],
    )
    assert found[WEAK] == {
        "image_id": WEAK, "split": "train", "listed": True, "tier": "no_human_label", "verdict": "keep",
        "reason": "no_human_label", "decided_by": "0 boxes, 2 verified and 0 machine labels, none human",
        "boxes": 0, "verified": 2, "machine": 0, "rotation": 0, "license": CC_BY,
    }  # fmt: skip


def test_parts_skulls_groups_and_depictions(tmp_path: Path) -> None:
    boxes = [box_row(ident(1), FOOT), box_row(ident(2), "/m/016m2d"), box_row(ident(3), MAN, "0,0,1,0,0"),
             box_row(ident(4), MAN, "0,0,0,1,0"), box_row(ident(5), MAN, "-1,-1,-1,-1,-1"),
             box_row(ident(6), LAPTOP)]  # fmt: skip
    found = verdicts(tmp_path, boxes=boxes)
    assert [found[ident(n)]["reason"] for n in range(1, 7)] == [
        "body_part_box", "lookalike_box", "group_box", "depiction_box", "person_box", "boxes_without_human",
    ]  # fmt: skip


def test_parts_come_from_the_hierarchy_too(tmp_path: Path) -> None:
    root = folder(tmp_path, boxes=[box_row(ident(1), "/m/tail"), box_row(ident(2), "/m/kid")])
    (root / "bbox_labels_600_hierarchy.json").write_text(
        '{"LabelName": "/m/0bl9f", "Subcategory": [{"LabelName": "/m/01g317", "Subcategory": [{"LabelName": "/m/kid"}],'
        ' "Part": [{"LabelName": "/m/02p0tk3", "Part": [{"LabelName": "/m/tail"}]}]}]}'
    )
    judge_metadata(root, tmp_path / "out")
    assert read_verdicts(tmp_path / "out")["reason"].to_list() == ["body_part_box", "person_box"]


def test_the_real_boxes_are_feet(shared_data: Path, tmp_path: Path) -> None:
    report = judge_metadata(shared_data / "openimages/metadata", tmp_path)
    assert report.by("reason") == {"body_part_box": report.images}
    assert report.malformed == 199
    assert report.unknown_rows == 0
    table = read_verdicts(tmp_path, ["00007902a7b96e8c", "f" * 16])
    assert table.select("image_id", "tier", "split").rows() == [("00007902a7b96e8c", "body_part_only", "train")]


def test_mismatches_are_counted(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        images=[image_row(ident(1)), image_row(ident(2), rotation=""), image_row(ident(2), rotation="90.0")],
        human=[f"{ident(1)},verification,{LAPTOP},1", f"{ident(3)},verification,/m/unknown,1", ",,,"],
    )
    write(root, {"oidv7-class-descriptions.csv": ["LabelName,DisplayName", f"{LAPTOP},Laptop"]})
    report = judge_metadata(root, tmp_path / "out")
    assert (report.images, report.listed, report.unlisted, report.unlabelled) == (3, 2, 1, 1)
    assert (report.repeated, report.repeated_examples) == (1, [ident(2)])
    assert (report.unknown_rows, report.unknown_labels) == (1, {"/m/unknown": 1})
    assert report.unlisted_examples == [ident(3)]
    assert report.files[1].lines == ["line 4: blank_row"]
    sentences = " | ".join(report.sentences())
    for part in ("no boxes", "skipped malformed rows (1 blank_row), the first at line 4", f"such as {ident(3)}",
                 f"such as {ident(2)}", "such as /m/unknown"):  # fmt: skip
        assert part in sentences
    assert read_report(tmp_path / "out") == report
    table = read_verdicts(tmp_path / "out")
    assert table.select("listed", "rotation", "split").rows() == [
        (True, 0, "train"),
        (True, None, "train"),
        (False, None, "train"),
    ]


def test_a_file_cut_short_is_said(tmp_path: Path) -> None:
    root = folder(tmp_path, human=[f"{ident(1)},verification,{PERSON},1"])
    path = root / NAMES["human"]
    path.write_bytes(path.read_bytes()[:-6])
    report = judge_metadata(root, tmp_path / "out")
    assert report.files[0].unterminated
    assert "may have been cut short" in " ".join(report.sentences())


@pytest.mark.parametrize("part_bytes", [1 << 30, 500])
@pytest.mark.parametrize("block_bytes", [1 << 20, 200])
def test_verdicts_are_those_of_the_plain_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int, block_bytes: int
) -> None:
    monkeypatch.setattr(spill, "PART_BYTES", part_bytes)
    monkeypatch.setattr(spill, "_HELD_ROWS", 50)
    draw = random.Random(5)
    ids = [f"{draw.getrandbits(64):016x}" for _ in range(60)]
    mids = [PERSON, MAN, FOOT, LAPTOP, "/m/013_1c", "/m/03qtwd", YOYO]
    rows: dict[str, list[LabelRow]] = {image: [] for image in ids}
    lines: dict[str, list[str]] = {"boxes": [], "human": [], "machine": []}
    for image in draw.choices(ids, k=300):
        mid, sure = draw.choice(mids), draw.choice([0.0, 0.3, 0.5, 0.9, 1.0])
        kind = draw.choice(["boxes", "human", "machine"])
        if kind == "boxes":
            group, depiction = draw.choice([0, 0, 1]), draw.choice([0, 0, 1])
            rows[image].append(LabelRow("box", mid, 1, bool(group), bool(depiction)))
            lines[kind].append(box_row(image, mid, f"0,0,{group},{depiction},0"))
        else:
            sure = round(sure) if kind == "human" else sure
            rows[image].append(LabelRow("verified" if kind == "human" else "machine", mid, sure))
            lines[kind].append(f"{image},{'verification' if kind == 'human' else 'machine'},{mid},{sure}")
    root = folder(tmp_path, images=[image_row(image) for image in ids], **lines)
    policy = EvidencePolicy(body_part="review", lookalikes="keep")
    judge_metadata(root, tmp_path / "out", policy, workers=2, block_bytes=block_bytes)
    table = read_verdicts(tmp_path / "out")
    assert table.schema == pl.Schema(VERDICT_SCHEMA)
    assert table["image_id"].to_list() == sorted(ids)
    labels = load_label_set()
    for row in table.iter_rows(named=True):
        said = judge(rows[row["image_id"]], labels, policy)
        assert (row["tier"], row["verdict"], row["reason"], row["decided_by"]) == (
            said.tier, said.verdict, said.reason, said.decided_by,
        )  # fmt: skip


def test_evidence_is_judged_again_under_another_policy(tmp_path: Path) -> None:
    root = folder(tmp_path, machine=[f"{ident(1)},machine,{PERSON},0.7", f"{ident(2)},machine,{PERSON},0.3"])
    evidence = collect(recognise(root), tmp_path / "work")
    strict = judge_evidence(evidence, tmp_path / "out", EvidencePolicy(machine_threshold=0.3))
    assert strict.by("verdict") == {"reject": 2}
    mild = judge_evidence(evidence, tmp_path / "out", EvidencePolicy(machine_threshold=None))
    assert mild.by("tier") == {"no_human_label": 2}
    assert read_report(tmp_path / "out") == mild


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [f"{ident(n)},verification,{PERSON},{n % 2}" for n in range(1, 9)]
    root = folder(tmp_path, human=rows, images=[image_row(ident(n)) for n in range(9)])
    for out in ("a", "b"):
        judge_metadata(root, tmp_path / out, workers=1 if out == "a" else 3, block_bytes=100 if out == "a" else 5000)
    first, second = (sorted(path.read_bytes() for path in (tmp_path / out).iterdir()) for out in ("a", "b"))
    assert first == second


def test_unfinished_verdicts_are_not_read(tmp_path: Path) -> None:
    root = folder(tmp_path, human=[f"{ident(1)},verification,{PERSON},1"])
    out = tmp_path / "out"
    judge_metadata(root, out)
    (root / NAMES["human"]).write_text("ImageID,What\n")
    with pytest.raises(UsageError, match="has no column 'LabelName'"):
        judge_metadata(root, out)
    assert list(out.iterdir()) == []  # neither the old verdicts nor the evidence
    with pytest.raises(DamageError, match="holds no finished verdicts"):
        read_verdicts(out)
    shutil.rmtree(out)
    out.write_text("")
    with pytest.raises(UsageError, match="is a file: give a folder"):
        judge_metadata(root, out)


def test_attribution_of_some_images(tmp_path: Path) -> None:
    lines = [
        image_row(ident(1), 'the "old" mill, at dusk'),
        image_row(ident(2), "two\nlines"),
        image_row(ident(2), "again"),
    ]
    metadata = recognise(folder(tmp_path, images=lines))
    table = image_rows(metadata, [ident(2).upper(), ident(1), ident(9)])
    assert table.select("ImageID", "Title", "License", "OriginalMD5").rows() == [
        (ident(1), 'the "old" mill, at dusk', CC_BY, "KFukvivpCM5QXl5SqKe41g=="),
        (ident(2), "two\nlines", CC_BY, "KFukvivpCM5QXl5SqKe41g=="),
    ]
    assert image_rows(metadata, []).height == 0
