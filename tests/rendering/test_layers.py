"""A store of layers: each foreground and background once, and composites made of them that equal a direct build's."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from matting_data.building.materialize import materialize
from matting_data.errors import DamageError, UsageError
from matting_data.imaging import encode
from matting_data.imaging.decode import decode, to_rgb8
from matting_data.rendering.layer_inputs import LayerInputs
from matting_data.shards.hashes import Problem
from matting_data.upkeep.verify import verify
from matting_data.workspace.plan_tables import saved_plan
from tests.support.projects import Project, draw_photo
from tests.support.vanishing import after_the_scan

LAYERS = "store.kind=layers"


def files(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".work" not in path.parts
    }


def members(path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        return tar.getnames()


def test_each_foreground_and_each_used_background_is_stored_once(project: Project) -> None:
    index = project.build(LAYERS).index
    assert index["store"] == "layers"
    tars = [entry["tar"] for split in index["splits"].values() for entry in split["shards"]]
    names = [name for tar in tars for name in members(project.out / tar)]
    assert sorted(names) == sorted(
        f"people-p{number:02d}.{part}" for number in range(6) for part in ("foreground.webp", "alpha.png", "json")
    )
    stored = [name for entry in index["backgrounds"]["shards"] for name in members(project.out / entry["tar"])]
    assert sorted(stored) == [f"photos-b{number:02d}.background.jpg" for number in range(12)]
    with tarfile.open(project.out / index["backgrounds"]["shards"][0]["tar"]) as tar:
        name = tar.getnames()[0]
        source = project.root / "photos" / f"{name.split('-')[1].split('.')[0]}.jpg"
        assert tar.extractfile(name).read() == source.read_bytes()


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["composites.blend=linear", "composites.crop=random", "store.image=png"],
        ["trimap.train={kind: adaptive}", "trimap.test={kind: adaptive}"],
    ],
)
def test_composites_made_of_layers_are_those_of_a_direct_build_to_the_byte(
    project: Project, overrides: list[str]
) -> None:
    project.build(LAYERS, *overrides)
    direct = project.build(*overrides, out=project.root / "direct").index
    shutil.rmtree(project.root / "people")
    shutil.rmtree(project.root / "photos")
    made = materialize(project.out, project.root / "made", 2)
    assert made.failed == 0
    assert made.index["content_sha256"] == direct["content_sha256"]
    assert made.index["recipe_sha256"] == direct["recipe_sha256"]
    one, two = files(project.root / "made"), files(project.root / "direct")
    assert one == two


def test_layers_hold_the_very_pixels_that_composites_are_made_of(project: Project) -> None:
    """Photographs' estimated colours, turned and palette backgrounds: all as a build sees them."""
    for number in range(3):
        rgba = np.asarray(Image.open(project.root / "people" / f"p{number:02d}.png"))
        for folder, pixels in (("image", rgba[..., :3]), ("alpha", np.dstack([rgba[..., 3]] * 3))):
            (project.root / "pairs" / folder).mkdir(parents=True, exist_ok=True)
            (project.root / "pairs" / folder / f"q{number}.png").write_bytes(encode.png(pixels))
    shutil.rmtree(project.root / "people")
    project.recipe["foregrounds"]["sources"] = [{"layout": "pairs", "image": "pairs/image", "alpha": "pairs/alpha"}]
    project.recipe["foregrounds"] |= {"split": {"test": 0}, "duplicate_distance": -1}
    Image.fromarray(draw_photo(77, (120, 130))).quantize(32).save(project.root / "photos" / "palette.gif")
    project.build(LAYERS)
    plan = saved_plan(project.out)
    layers = LayerInputs(project.out)
    image, alpha = layers.foreground(plan.foregrounds[0])
    assert not image[alpha == 0].any() and image[alpha == 255].any()
    result = verify(project.out, deep=True, recompose=9, base=None, workers=1)
    assert (result.problems, result.recomposed, result.samples) == ([], 9, 9)


def test_every_worker_count_and_a_continued_build_give_the_same_bytes(project: Project) -> None:
    reference = project.build(LAYERS, "store.samples_per_shard=4").index
    two = project.build(LAYERS, "store.samples_per_shard=4", out=project.root / "two", workers=2)
    assert two.index["content_sha256"] == reference["content_sha256"]
    before = files(project.out)
    for name in ("backgrounds/000001.parquet", "train/000000.parquet", "test/000000.tar", "dataset.json"):
        (project.out / name).unlink()
    (project.out / "backgrounds" / "000000.tar").write_bytes(b"damaged")
    project.build(LAYERS, "store.samples_per_shard=4")
    assert files(project.out) == before


def test_epochs_of_their_own_need_every_kept_background(project: Project) -> None:
    few = project.build(LAYERS, "composites.per_foreground=1").index
    assert few["backgrounds"]["num_backgrounds"] == 6
    every = project.build(
        LAYERS, "composites.per_foreground=1", "store.epoch_backgrounds=true", out=project.root / "all"
    ).index
    assert every["backgrounds"]["num_backgrounds"] == 12
    assert every["ledger"]["backgrounds"]["written"] == 12
    rows = (project.root / "all" / "ATTRIBUTION.csv").read_text().splitlines()
    assert len(rows) == 13
    made = materialize(project.root / "all", project.root / "made", 1).index
    assert made["ledger"]["backgrounds"] == {"total": 12, "written": 6, "rejected": {"not_drawn": 6}, "failed": {}}
    assert len((project.root / "made" / "ATTRIBUTION.csv").read_text().splitlines()) == 7
    with pytest.raises(UsageError, match="'epoch_backgrounds' needs 'kind: layers'"):
        project.load("store.epoch_backgrounds=true")


def test_every_damaged_byte_of_layers_is_found(project: Project) -> None:
    project.build(LAYERS)
    rng = np.random.default_rng(1)
    paths = [p for p in sorted(project.out.rglob("*")) if p.is_file() and ".work" not in p.parts]
    for path in [paths[i] for i in rng.integers(0, len(paths), 30)]:
        data = path.read_bytes()
        position = int(rng.integers(0, len(data)))
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(flipped)
        try:
            problems = verify(project.out, deep=True, recompose=0, base=None, workers=1).problems
        except DamageError:
            problems = [Problem("dataset.json", "unreadable")]
        assert problems, path
        path.write_bytes(data)
    assert verify(project.out, deep=True, recompose=4, base=None, workers=1).problems == []


def test_a_background_that_vanishes_fails_its_composites_and_nothing_else(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_the_scan(monkeypatch, lambda plan: (project.root / "photos" / "b03.jpg").write_bytes(b"gone"))
    result = project.build(LAYERS)
    table = pl.read_parquet(project.out / "ledger" / "composites.parquet")
    failed = table.filter(outcome="failed")
    assert failed["reason"].unique().to_list() == ["changed"]
    assert failed["path"].str.ends_with("photos-b03").all() and 0 < failed.height < 18
    made = materialize(project.out, project.root / "made", 1)
    assert sum(s["num_samples"] for s in made.index["splits"].values()) == 18 - failed.height
    assert result.index["ledger"]["composites"]["written"] == 18 - failed.height


def test_a_background_for_epochs_alone_that_cannot_be_stored_is_a_failure(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = LAYERS, "composites.per_foreground=1", "store.epoch_backgrounds=true"
    drawn = {row["background"] for row in pl.read_parquet(_planned(project, *options)).iter_rows(named=True)}
    undrawn = next(name for name in (f"b{number:02d}" for number in range(12)) if f"photos-{name}" not in drawn)
    after_the_scan(monkeypatch, lambda plan: (project.root / "photos" / f"{undrawn}.jpg").write_bytes(b"gone"), times=1)
    result = project.build(*options)
    detail = f"{undrawn}.jpg is no longer the file that was checked"
    assert result.failures == ((f"photos-{undrawn}", "changed", detail),)
    ledger = pl.read_parquet(project.out / "ledger" / "backgrounds.parquet").filter(id=f"photos-{undrawn}")
    assert ledger.select("outcome", "reason", "detail").rows() == [("failed", "changed", detail)]
    assert result.index["ledger"]["backgrounds"] == {
        "total": 12,
        "written": 11,
        "rejected": {},
        "failed": {"changed": 1},
    }
    assert result.index["ledger"]["composites"]["failed"] == {}


def _planned(project: Project, *options: str) -> Path:
    project.build(*options, out=project.root / "reference")
    return project.root / "reference" / "plan.parquet"


def test_composites_or_the_same_folder_cannot_be_materialized(project: Project, built: Path) -> None:
    with pytest.raises(UsageError, match="holds composites already"):
        materialize(built, project.out, 1)
    project.build(LAYERS)
    with pytest.raises(UsageError, match="is the store of layers itself"):
        materialize(project.out, project.out, 1)


def test_people_too_wide_for_webp_are_stored_as_png() -> None:
    wide = np.zeros((2, 16_384, 3), np.uint8)
    wide[:, 5] = 200
    suffix, content = encode.lossless(wide)
    assert suffix == "png"
    np.testing.assert_array_equal(to_rgb8(decode(content)), wide)
    suffix, content = encode.lossless(draw_photo(4, (50, 40)))
    assert suffix == "webp"
    np.testing.assert_array_equal(to_rgb8(decode(content)), draw_photo(4, (50, 40)))
