"""Datasets in odd places and odd states: brackets in paths, hostile indexes, people whose composites all failed."""

from __future__ import annotations

from pathlib import Path

import pytest

import matting_data
from matting_data.building.materialize import materialize
from matting_data.errors import DamageError, UsageError
from matting_data.planning.plan import Plan
from matting_data.publishing.attribution import AttributionRow, attribute
from matting_data.shards.index import read_index, write_index
from matting_data.upkeep.verify import verify
from tests.support.projects import Project
from tests.support.vanishing import after_the_scan


def test_brackets_in_a_path_are_letters_like_any_other(project: Project) -> None:
    out = project.root / "o[1]"
    project.build(out=out)
    assert verify(out, deep=True, recompose=2, base=None, workers=1).problems == []
    assert len(matting_data.open(out)["train"]) == 12


def test_people_without_a_composite_are_not_in_a_store_of_layers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_all(plan: Plan) -> None:
        first = plan.composites[0].foreground
        for composite in plan.composites:
            if composite.foreground == first:
                (project.root / "photos" / f"{composite.background.removeprefix('photos-')}.jpg").write_bytes(b"gone")

    after_the_scan(monkeypatch, lose_all)
    project.build("store.kind=layers", "store.epoch_backgrounds=true", "composites.per_foreground=2")
    assert verify(project.out, deep=True, recompose=0, base=None, workers=1).problems == []
    for split in matting_data.open(project.out).splits:
        rows = matting_data.open(project.out)[split]
        assert all(rows.row(position, 3).background for position in range(len(rows)))


def test_hashes_of_an_index_are_hashes(built: Path) -> None:
    index = read_index(built)
    index["splits"]["train"]["shards"][0]["sha256"] = "/somewhere/else"
    write_index(built, index)
    with pytest.raises(DamageError, match="was not written by mattingdata"):
        matting_data.open(built)
    write_index(built, {"format": "mattingdata/1", "splits": []})
    with pytest.raises(DamageError, match="was not written by mattingdata"):
        matting_data.open(built)


def test_a_recipe_or_attribution_that_was_changed_is_named(project: Project) -> None:
    project.build("store.kind=layers")
    kept = (project.out / "ATTRIBUTION.csv").read_bytes()
    (project.out / "ATTRIBUTION.csv").unlink()
    with pytest.raises(DamageError, match=r"ATTRIBUTION.csv is missing"):
        materialize(project.out, project.root / "made", 1)
    (project.out / "ATTRIBUTION.csv").write_bytes(kept)
    (project.out / "recipe.yaml").write_bytes(b"\xff")
    with pytest.raises(DamageError, match=r"recipe.yaml is not the file that was built"):
        matting_data.open(project.out)


def test_two_files_of_one_image_are_both_attributed() -> None:
    used = [AttributionRow("a" * 16, sha256="1", background=f"openimages-{name}", source="openimages") for name in "xy"]
    assert [row.background for row in attribute(used, ()).rows] == ["openimages-x", "openimages-y"]


def test_the_folder_above_annotations_is_refused(project: Project) -> None:
    (project.root / "SUN" / "a" / "abbey").mkdir(parents=True)
    name = "sun_" + "a" * 16
    (project.root / "photos" / "b00.jpg").rename(project.root / "SUN" / "a" / "abbey" / f"{name}.jpg")
    (project.root / "notes" / "Annotations" / "a" / "abbey").mkdir(parents=True)
    (project.root / "notes" / "Annotations" / "a" / "abbey" / f"{name}.xml").write_text("<annotation/>")
    project.recipe["backgrounds"]["sources"] = [{"layout": "sun", "root": "SUN", "annotations": "notes"}]
    with pytest.raises(UsageError, match=r"none of the 1 files in .*notes.* belongs to a photograph"):
        project.build("composites.per_foreground=1", "foregrounds.split.test=0")
