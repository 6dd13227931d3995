"""What FiftyOne is told of a dataset: fields, planes on disk, views; and only what is new, the second time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from matting_data.browsing.browse import BrowseOptions, default_decisions, export_tags, open_dataset
from matting_data.evaluation.test_sets import open_test_set
from matting_data.recipes.decisions import Decision, append, read
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.tables import read_table
from matting_data.workspace.plan_tables import saved_plan
from tests.support.projects import Project
from tests.support.stored_samples import members

pytestmark = pytest.mark.timeout(600)


def test_composites_have_planes_fields_and_views(fiftyone: Any, project: Project, cache: Path) -> None:
    project.build()
    options = BrowseOptions(cache=cache)
    opened = open_dataset(project.out, options)
    dataset = opened.dataset
    assert opened.imported is not None and opened.imported.added == dataset.count() == 18
    sample = dataset.first()
    stored = members(project.out)[sample.key]
    assert Path(sample.filepath).read_bytes() == stored["image"]
    assert (sample.alpha.map, sample.trimap.mask) == (None, None)  # files, not arrays in the database
    for path, member in ((sample.alpha.map_path, "alpha"), (sample.trimap.mask_path, "trimap")):
        truth = cv2.imdecode(np.frombuffer(stored[member], np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(cv2.imread(path, cv2.IMREAD_UNCHANGED), truth)
        assert cache.resolve() in Path(path).parents
    planned = {c.key: c for c in saved_plan(project.out).composites}[sample.key]
    assert (sample.foreground, sample.background, int(sample.seed)) == (
        planned.foreground,
        planned.background,
        planned.seed,
    )
    assert {"split train", "split test", "by foreground", "hardest hair", "smallest people"} <= set(
        dataset.list_saved_views()
    )
    softest = dataset.load_saved_view("hardest hair").values("soft")
    assert softest == sorted(softest, reverse=True)
    uses = dataset.load_saved_view("most used backgrounds").values("background_uses")
    assert uses == sorted(uses, reverse=True)
    assert dataset.load_saved_view("by foreground").count() == 6
    assert dataset.app_config.active_fields.paths == ["alpha", "trimap"]
    assert open_dataset(project.out, options).imported is None


def test_layers_show_what_composites_would(fiftyone: Any, project: Project, cache: Path, tmp_path: Path) -> None:
    project.build()
    project.build("store.kind=layers", out=tmp_path / "layers")
    direct = open_dataset(project.out, BrowseOptions(cache=cache)).dataset
    composed = open_dataset(tmp_path / "layers", BrowseOptions(cache=cache)).dataset
    pairs = zip(direct.sort_by("key"), composed.sort_by("key"), strict=True)
    for one, other in pairs:
        assert one.key == other.key
        for a, b in ((one.alpha.map_path, other.alpha.map_path), (one.trimap.mask_path, other.trimap.mask_path)):
            assert Path(a).read_bytes() == Path(b).read_bytes()
        difference = cv2.absdiff(cv2.imread(one.filepath), cv2.imread(other.filepath))
        assert difference.mean() < 3  # both are JPEG


def test_tags_flow_back_into_the_next_build_and_only_that_is_imported(
    fiftyone: Any, project: Project, cache: Path
) -> None:
    project.recipe["overrides"] = "overrides.csv"
    project.build()
    before = members(project.out)
    options = BrowseOptions(cache=cache)
    composites = open_dataset(project.out, options).dataset
    backgrounds = open_dataset(project.out, replace(options, shows="backgrounds")).dataset
    chosen = sorted({c.background for c in saved_plan(project.out).composites if c.split == "train"})[:2]
    for sample in backgrounds.match(fiftyone.ViewField("background").is_in(chosen)):
        sample.tags += ["human", "why:a hand"]
        sample.save()
    target = default_decisions(project.out)
    assert target == project.root.resolve() / "overrides.csv"
    rows, notes = export_tags(backgrounds, target, "ann")
    assert notes == [] and {(row.id, row.tag, row.who, row.why) for row in rows} == {
        (name, "human", "ann", "a hand") for name in chosen
    }
    assert export_tags(backgrounds, target, "bob") == ([], []) and len(read(target)) == 2

    project.build()
    after = members(project.out)
    plan = saved_plan(project.out)
    assert not set(chosen) & {c.background for c in plan.composites}
    changed = {key for key in before if before[key] != after[key]}
    was = {s.key for s in composites if s.background in chosen}
    assert before.keys() == after.keys() and changed == was
    ledger = {row.id: row for row in read_table(project.out / "ledger/backgrounds.parquet", LedgerRow)}
    for row in rows:
        assert (ledger[row.id].outcome, ledger[row.id].reason) == ("rejected", "override_human")
        assert ledger[row.id].detail == f"human by ann on {row.when}: a hand"

    kept = {s.key: s.id for s in composites if s.key not in changed}
    again = open_dataset(project.out, options).imported
    # also replaced: samples on a background that serves more composites now, which is a field of theirs
    assert again is not None and again.replaced >= len(changed) and again.kept > 0 == again.added == again.removed
    composites.reload()
    assert sum(s.id == kept.get(s.key) for s in composites) == again.kept
    shown = open_dataset(project.out, replace(options, shows="backgrounds")).dataset
    shown.reload()
    assert sorted(shown.load_saved_view("rejected override_human").values("background")) == chosen


def test_tags_of_composites_are_about_their_parts(fiftyone: Any, project: Project, cache: Path) -> None:
    project.build()
    dataset = open_dataset(project.out, BrowseOptions(cache=cache)).dataset
    one, other = dataset[dataset.values("id")[0]], dataset[dataset.values("id")[7]]
    one.tags, other.tags = ["human", "looked at"], ["subset:crowd"]
    one.save()
    other.save()
    target = default_decisions(project.out)
    assert target.name == "out-overrides.csv"
    rows, _ = export_tags(dataset, target, "ann", "seen")
    assert {(row.kind, row.id, row.tag, row.why) for row in rows} == {
        ("background", one.background, "human", "seen"),
        ("foreground", other.foreground, "subset:crowd", "seen"),
    }


def test_a_cache_that_is_too_small_is_said_and_repaired(fiftyone: Any, project: Project, cache: Path) -> None:
    project.build()
    small = open_dataset(project.out, BrowseOptions(cache=cache, cache_bytes=40_000))
    assert small.imported is not None and 0 < small.imported.without_pictures < 18
    assert sum(path.stat().st_size for path in cache.rglob("*-people-*")) <= 40_000
    assert small.dataset.match(fiftyone.ViewField("in_cache") == False).count() == small.imported.without_pictures  # noqa: E712
    large = open_dataset(project.out, BrowseOptions(cache=cache)).imported
    assert large is not None and large.replaced == small.imported.without_pictures and large.without_pictures == 0


def test_backgrounds_show_verdicts_and_evidence(fiftyone: Any, project: Project, cache: Path) -> None:
    import skimage.data

    (project.root / "photos" / "astronaut.png").write_bytes(
        (Path(skimage.data.__file__).parent / "astronaut.png").read_bytes()
    )
    (project.root / "photos" / "broken.jpg").write_bytes(b"no picture")
    append(project.root / "o.csv", [Decision("background", "photos-b00", "reject", "ann", "2025-01-01T00:00:00Z")])
    project.build("backgrounds.humans.detector=default", "overrides=o.csv", "backgrounds.humans.threshold=0.9")
    opened = open_dataset(project.out, BrowseOptions(shows="backgrounds", cache=cache))
    dataset = opened.dataset
    assert dataset.count() == 14
    astronaut = dataset.match(fiftyone.ViewField("background") == "photos-astronaut").first()
    assert (astronaut.state, astronaut.reason) == ("rejected", "person_detected")
    assert astronaut.score > 0.9 and astronaut.humans.detections
    box = astronaut.humans.detections[0].bounding_box
    assert all(-0.01 <= value <= 1.01 for value in box) and box[2] > 0.2
    assert {
        "in doubt",
        "kept, highest score",
        "audit sample",
        "rejected unreadable",
        "rejected override_reject",
    } <= set(dataset.list_saved_views())
    scores = dataset.load_saved_view("kept, highest score").values("score")
    assert scores == sorted(scores, reverse=True) and len(scores) == 11
    broken = dataset.match(fiftyone.ViewField("reason") == "unreadable").first()
    assert not broken.in_cache and Path(broken.filepath).is_file()
    assert opened.imported is not None and opened.imported.without_pictures == 1


def test_predictions_stand_beside_the_truth(fiftyone: Any, project: Project, cache: Path, tmp_path: Path) -> None:
    project.build()
    run = tmp_path / "run"
    run.mkdir()
    for number, item in enumerate(open_test_set(project.out, "test").items):
        alpha = item.read("alpha")["alpha"]
        cv2.imwrite(str(run / f"{item.key}.png"), np.clip(alpha.astype(int) + 10 * number, 0, 255).astype(np.uint8))
    opened = open_dataset(project.out, BrowseOptions(shows="predictions", run=run, cache=cache, workers=1))
    dataset = opened.dataset
    assert dataset.count() == 6 and opened.imported is not None and opened.imported.without_pictures == 0
    worst = dataset.load_saved_view("worst sad").values("sad")
    assert worst == sorted(worst, reverse=True) and worst[-1] == 0 < worst[0]
    sample = dataset.load_saved_view("worst sad").first()
    error = cv2.imread(sample.error.map_path, cv2.IMREAD_UNCHANGED)
    assert error.max() == 50 and error.sum() / 255 == pytest.approx(
        sample.sad * (1000 if sample.sad < 100 else 1), rel=0.01
    )
