from __future__ import annotations

import io
import json
import os
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from matting_data.building.build import build
from matting_data.errors import StorageError, UsageError
from matting_data.imaging import encode
from matting_data.recipes.recipe_file import load
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.stored import Sample
from matting_data.records.tables import from_table
from matting_data.workspace.plan_tables import saved_plan
from tests.support.projects import Project, draw_person


def manifest(out: Path, split: str) -> list[Sample]:
    return [
        row for path in sorted((out / split).glob("*.parquet")) for row in from_table(pl.read_parquet(path), Sample)
    ]


def ledger(out: Path, name: str) -> dict[str, LedgerRow]:
    return {row.id: row for row in from_table(pl.read_parquet(out / "ledger" / f"{name}.parquet"), LedgerRow)}


def test_every_foreground_stands_on_every_background_planned_for_it(project: Project) -> None:
    index = project.build().index
    assert {split: entry["num_samples"] for split, entry in index["splits"].items()} == {"train": 12, "test": 6}
    rows = manifest(project.out, "train") + manifest(project.out, "test")
    assert Counter(row.foreground for row in rows) == {f"people-p{n:02d}": 3 for n in range(6)}
    assert len({(row.foreground, row.background) for row in rows}) == len(rows)
    backgrounds = {split: {r.background for r in rows if r.split == split} for split in ("train", "test")}
    assert not backgrounds["train"] & backgrounds["test"]


def test_the_ledger_holds_every_input_once_and_adds_up(project: Project) -> None:
    (project.root / "people" / "broken.png").write_bytes(b"not an image")
    (project.root / "people" / "solid.png").write_bytes(encode.png(np.full((90, 60, 4), 255, np.uint8)))
    (project.root / "people" / "copy.png").write_bytes((project.root / "people" / "p01.png").read_bytes())
    (project.root / "photos" / "tiny.jpg").write_bytes(encode.jpeg(np.zeros((20, 20, 3), np.uint8)))
    index = project.build().index
    people = ledger(project.out, "foregrounds")
    assert len(people) == 9
    reasons = {name: row.reason for name, row in people.items() if row.outcome == "rejected"}
    assert reasons == {
        "people-broken": "unreadable",
        "people-solid": "alpha_full",
        "people-p01": "near_duplicate",
    }
    assert "people-copy" in people["people-p01"].detail
    assert ledger(project.out, "backgrounds")["photos-tiny"].reason == "too_small"
    for counts in index["ledger"].values():
        assert counts["total"] == counts["written"] + sum(counts["rejected"].values()) + sum(counts["failed"].values())
    assert index["ledger"]["foregrounds"]["written"] == 6


def test_a_stored_composite_is_the_equation_on_its_sources(project: Project) -> None:
    project.recipe["store"]["image"] = "png"
    project.build()
    large = {f"photos-b{number:02d}" for number in range(0, 12, 3)}
    row = next(row for row in manifest(project.out, "train") if row.background in large)
    with tarfile.open(project.out / "train" / f"{row.shard:06d}.tar") as archive:
        stored = {name: archive.extractfile(name).read() for name in archive.getnames() if name.startswith(row.key)}
    image = np.asarray(Image.open(io.BytesIO(stored[f"{row.key}.image.png"])), dtype=np.int64)
    alpha = np.asarray(Image.open(io.BytesIO(stored[f"{row.key}.alpha.png"])), dtype=np.int64)
    source = np.asarray(Image.open(project.root / "people" / f"{row.foreground.removeprefix('people-')}.png"))
    photo = np.asarray(Image.open(project.root / "photos" / f"{row.background.removeprefix('photos-')}.jpg"))
    weight, behind = alpha[..., None], photo[: row.height, : row.width].astype(np.int64)
    expected = (2 * (weight * source[..., :3] + (255 - weight) * behind) + 255) // 510
    assert (alpha == source[..., 3]).all()
    assert (image == expected).all()


def test_members_of_a_sample_are_adjacent_named_alike_and_constant(project: Project) -> None:
    project.build()
    with tarfile.open(project.out / "train" / "000000.tar") as archive:
        members = archive.getmembers()
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o444)}
    fields = [tuple(m.name.split(".", 1)) for m in members]
    assert [field for _, field in fields[:4]] == ["image.jpg", "alpha.png", "trimap.png", "json"]
    assert [key for key, _ in fields[::4]] == [row.key for row in manifest(project.out, "train") if row.shard == 0]


def test_webdataset_reads_every_sample_once(project: Project) -> None:
    webdataset = pytest.importorskip("webdataset")
    project.build()
    urls = [str(path) for path in sorted((project.out / "train").glob("*.tar"))]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert sorted(s["__key__"] for s in samples) == sorted(row.key for row in manifest(project.out, "train"))
    first = samples[0]
    assert first["image.jpg"].shape[:2] == first["alpha.png"].shape[:2] == first["trimap.png"].shape[:2]
    assert first["json"]["key"] == first["__key__"]


def test_manifest_places_lead_to_the_members(project: Project) -> None:
    project.build()
    row = manifest(project.out, "test")[-1]
    data = (project.out / "test" / f"{row.shard:06d}.tar").read_bytes()
    assert json.loads(data[row.json_offset : row.json_offset + row.json_bytes])["key"] == row.key
    assert data[row.image_offset : row.image_offset + 2] == b"\xff\xd8"


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_workers_or_runs(project: Project) -> None:
    contents = set()
    for number, workers in enumerate((1, 2, 3, 1)):
        out = project.root / f"out{number}"
        contents.add(project.build(out=out, workers=workers).index["content_sha256"])
        assert (out / "dataset.json").read_bytes() == (project.root / "out0" / "dataset.json").read_bytes()
    assert len(contents) == 1


def test_another_seed_is_another_dataset(project: Project) -> None:
    first = project.build(out=project.root / "a").index
    second = project.build("seed=6", out=project.root / "b").index
    assert first["content_sha256"] != second["content_sha256"]
    assert first["recipe_sha256"] != second["recipe_sha256"]


def test_paths_of_the_machine_do_not_enter_the_dataset(project: Project) -> None:
    project.build()
    moved = project.root.rename(project.root.with_name("moved"))
    for path in (moved / "out").rglob("*"):
        if path.is_file() and ".work" not in path.parts:
            assert str(project.root).encode() not in path.read_bytes()
    again = build(load(moved / "recipe.yaml"), moved / "again", 1)
    assert (moved / "again" / "dataset.json").read_bytes() == (moved / "out" / "dataset.json").read_bytes()
    assert again.failed == 0


def test_building_again_keeps_every_finished_shard(project: Project) -> None:
    first = project.build().index
    times = {path: path.stat().st_mtime_ns for path in project.out.glob("t*/*")}
    (project.out / "train" / "000001.parquet").unlink()
    second = project.build().index
    assert second == first
    rewritten = {path.name for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert rewritten == {"000001.tar", "000001.parquet"}


def test_a_shortened_tar_is_built_again(project: Project) -> None:
    first = project.build().index
    tar = project.out / "train" / "000000.tar"
    tar.write_bytes(tar.read_bytes()[:-600])
    assert project.build().index == first


def test_an_input_altered_after_its_check_fails_its_composites_only(project: Project) -> None:
    project.build(out=project.root / "before")
    used = manifest(project.root / "before", "train")[0].background
    path = project.root / "photos" / f"{used.removeprefix('photos-')}.jpg"
    cache, status = project.out / ".work", path.stat()
    project.out.mkdir()
    (project.root / "before" / ".work").rename(cache)
    data = bytearray(path.read_bytes())
    data[-30] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    result = project.build()
    assert result.failed >= 1
    failed = [row for row in ledger(project.out, "composites").values() if row.outcome == "failed"]
    assert {row.reason for row in failed} == {"changed"}
    assert all(used in row.path for row in failed)
    assert ledger(project.out, "backgrounds")[used].outcome == "failed"
    assert result.index["splits"]["train"]["num_samples"] == 12 - len(failed)


def test_backgrounds_nobody_needed_are_in_the_ledger(project: Project) -> None:
    project.recipe["foregrounds"]["split"] = {"test": 0}
    for number in range(12, 24):
        project.add_photo(number)
    project.build()
    outcomes = Counter((row.outcome, row.reason) for row in ledger(project.out, "backgrounds").values())
    assert outcomes == {("written", ""): 18, ("rejected", "not_drawn"): 6}


def test_too_few_backgrounds_says_how_many_are_missing(project: Project) -> None:
    with pytest.raises(UsageError, match=r"needs at least 14 backgrounds and the sources hold 12: add 2 more"):
        project.build("composites.per_foreground=7")
    for number in (0, 3):
        (project.root / "photos" / f"b{number:02d}.jpg").write_bytes(encode.jpeg(np.zeros((9, 9, 3), np.uint8)))
    with pytest.raises(UsageError, match=r"12 backgrounds .* 10 passed the checks \(2 too_small\): add 2 more"):
        project.build("composites.per_foreground=6")
    assert not (project.out / "recipe.yaml").exists()


def test_no_usable_foreground_says_why(project: Project) -> None:
    for path in (project.root / "people").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UsageError, match=r"no foreground can be used \(6 unreadable\)"):
        project.build()


def test_a_folder_of_something_else_is_refused_untouched(project: Project) -> None:
    project.out.mkdir()
    (project.out / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no mattingdata dataset"):
        project.build()
    assert [path.name for path in project.out.iterdir()] == ["thesis.tex"]


def test_another_recipe_on_the_same_folder_is_refused_with_what_changed(project: Project) -> None:
    before = project.build().index["content_sha256"]
    with pytest.raises(UsageError, match=r"composites\.per_foreground 3 → 4"):
        project.build("composites.per_foreground=4")
    assert project.build().index["content_sha256"] == before


def test_changed_inputs_on_the_same_folder_are_refused_with_what_changed(project: Project) -> None:
    project.build()
    project.add_person(50)
    with pytest.raises(UsageError, match="1 foregrounds new"):
        project.build()


def test_a_second_build_of_the_same_folder_is_refused(project: Project) -> None:
    from matting_data.workspace.work_folder import locked

    with locked(project.out), pytest.raises(StorageError, match="another build is writing"):
        project.build()


def test_linear_blend_and_center_crop_make_other_pixels(project: Project) -> None:
    contents = {
        project.build(*overrides, out=project.root / f"o{n}").index["content_sha256"]
        for n, overrides in enumerate([(), ("composites.blend=linear",), ("composites.crop=center",)])
    }
    assert len(contents) == 3


def test_a_trimap_rule_for_each_split(project: Project) -> None:
    project.recipe["trimap"] = {"train": {"kind": "adaptive"}, "test": {"kind": "fixed", "kernel": 7}}
    project.build()
    assert {(r.trimap_kind, r.trimap_dilate, r.trimap_erode) for r in manifest(project.out, "test")} == {
        ("fixed", 7, 7)
    }
    assert {row.trimap_kind for row in manifest(project.out, "train")} == {"adaptive"}


def test_metadata_sets_subset_split_person_and_licence(project: Project) -> None:
    lines = ["file,subset,split,person,license"]
    lines += [f"p{n:02d}.png,multiple,{'test' if n < 3 else 'train'},person{n},CC0-1.0" for n in range(6)]
    (project.root / "people.csv").write_text("\n".join(lines))
    project.recipe["foregrounds"]["sources"][0]["metadata"] = "people.csv"
    project.recipe["foregrounds"]["split"] = {"from_metadata": True}
    index = project.build().index
    assert index["splits"]["test"]["num_foregrounds"] == 3
    assert {(row.subset, row.license) for row in manifest(project.out, "test")} == {("multiple", "CC0-1.0")}


def test_the_plan_on_disk_is_the_plan_that_was_built(project: Project) -> None:
    project.build()
    plan = saved_plan(project.out)
    assert [c.key for c in plan.composites if c.split == "train"] == [r.key for r in manifest(project.out, "train")]


def test_photographs_with_mattes_get_clean_colours(project: Project) -> None:
    (project.root / "image").mkdir()
    (project.root / "alpha").mkdir()
    person = draw_person(70)
    weight = person[..., 3:].astype(np.float64) / 255
    green = np.array([0, 255, 0])
    photo = np.floor(weight * [200, 30, 60] + (1 - weight) * green + 0.5).astype(np.uint8)
    (project.root / "image" / "x.png").write_bytes(encode.png(photo))
    (project.root / "alpha" / "x.png").write_bytes(encode.matte_png(person[..., 3]))
    project.recipe["foregrounds"] = {
        "sources": [{"layout": "pairs", "name": "pairs", "image": "image", "alpha": "alpha"}],
        "split": {"test": 0},
    }
    project.recipe["composites"]["per_foreground"] = 1
    project.recipe["store"]["image"] = "png"
    spill = {}
    for colour in ("as_is", "estimate"):
        project.recipe["foregrounds"]["sources"][0]["colour"] = colour
        out = project.root / colour
        project.build(out=out)
        row = manifest(out, "train")[0]
        data = (out / "train" / "000000.tar").read_bytes()[row.image_offset : row.image_offset + row.image_bytes]
        image = np.asarray(Image.open(io.BytesIO(data)), dtype=np.float64)
        soft = (person[..., 3] > 150) & (person[..., 3] < 250)
        spill[colour] = float(image[soft][:, 1].mean())
    assert spill["estimate"] < spill["as_is"] - 10
