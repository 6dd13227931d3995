from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import matting_data  # noqa: E402
from matting_data.errors import UsageError  # noqa: E402
from matting_data.networks.safenet.presets import preset_names as network_presets  # noqa: E402
from matting_data.training import config_file  # noqa: E402
from matting_data.training.config import Optimiser  # noqa: E402
from matting_data.training.config_file import as_mapping, config_from, differences, load_config  # noqa: E402
from matting_data.training.optimisers import rate_at  # noqa: E402
from matting_data.training.parallel import pick_device  # noqa: E402
from matting_data.training.training_data import Batches, split_run, training_transform, unknown_of  # noqa: E402
from tests.support.projects import Project  # noqa: E402
from tests.support.training_runs import tiny  # noqa: E402


def test_people_held_out_are_never_trained_on(dataset: Path) -> None:
    opened = matting_data.open(dataset)
    parts = [split_run(opened, tiny("validation.share=0.4", "validation.samples=100", f"seed={s}")) for s in (1, 2)]
    for part in parts:
        trained = {row.foreground for row in part.train.rows}
        watched = {row.foreground for row in part.watched.rows}
        assert len(trained) == 5 and watched == set(part.held_out) and len(watched) == 3
        assert trained.isdisjoint(watched)
        assert len(part.train) == sum(part.train.shard_sizes) == 15 and len(part.watched) == 9
    assert parts[0].held_out != parts[1].held_out
    assert parts[0].train.identity != parts[1].train.identity
    key = parts[0].watched.keys[0]
    np.testing.assert_array_equal(parts[0].watched[key].alpha, opened["train"][key].alpha)


def test_photographs_of_one_person_stay_on_one_side(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", people=8)
    rows = ["file,person", *(f"p{n:02d}.png,{'anna' if n < 4 else f'p{n}'}" for n in range(8))]
    (tmp_path / "project" / "people" / "metadata.csv").write_text("\n".join(rows) + "\n")
    project.recipe["foregrounds"]["sources"][0]["metadata"] = "people/metadata.csv"
    project.recipe["foregrounds"]["split"] = {"test": 1}
    project.build()
    opened = matting_data.open(project.out)
    anna = {f"people-p{n:02d}" for n in range(4)}
    trained_on = {row.foreground for row in opened["train"].rows}
    assert anna <= trained_on
    sides = []
    for seed in range(12):
        held = set(split_run(opened, tiny(f"seed={seed}", "validation.share=0.3")).held_out)
        assert held & anna in (set(), anna)
        sides.append(bool(held & anna))
    assert any(sides) and not all(sides)


def test_a_limit_takes_as_many_people_as_there_are(dataset: Path) -> None:
    data = split_run(matting_data.open(dataset), tiny("data.limit=7", "validation.share=0"))
    assert len(data.train) == 7 and len({row.foreground for row in data.train.rows}) == 7
    assert set(data.watched.keys) <= set(data.train.keys)


def test_too_little_to_train_on(dataset: Path) -> None:
    opened = matting_data.open(dataset)
    with pytest.raises(UsageError, match="21 samples are left to train on, fewer than one batch of 32"):
        split_run(opened, tiny("batch=32"))
    with pytest.raises(
        UsageError, match="2 processes of 4 parts cannot share a batch of 4: make batch a multiple of 8"
    ):
        Batches(split_run(opened, tiny()).train, tiny("accumulate=4"), 0, 2)


def test_small_images_are_enlarged_and_counted(dataset: Path) -> None:
    config = tiny("data.crop=128", "validation.share=0")
    data = split_run(matting_data.open(dataset), config)
    assert data.small == len(data.train) == 24  # 96×128
    batch = next(iter(Batches(data.train, config, 0, 1).loader))
    assert batch["image"].shape == (4, 3, 128, 128)


def test_a_dataset_without_trimaps(dataset: Path, tmp_path: Path) -> None:
    import polars as pl

    opened = matting_data.open(dataset)
    opened._tables["train"] = opened.table("train").with_columns(trimap=pl.lit(""))
    with pytest.raises(UsageError, match=r"has samples without a trimap, and data\.unknown is 'stored': set"):
        split_run(opened, tiny("data.unknown=stored"))
    for unknown in ("drawn", "area"):
        assert "trimap" not in training_transform(tiny(f"data.unknown={unknown}")).parts


def test_a_store_of_layers_trains_as_its_composites_do(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", people=5)
    project.build("store.kind=layers", "foregrounds.split.test=1")
    config = tiny("data.unknown=stored", "validation.share=0")
    data = split_run(matting_data.open(project.out), config)
    batch = next(iter(Batches(data.train, config, 0, 1).loader))
    assert batch["image"].shape == (4, 3, 64, 64)
    assert 0.02 < float(unknown_of(batch, config, 0).float().mean()) < 0.95


@pytest.mark.parametrize("augmentation", ["paper", "photographic", "fixed"])
@pytest.mark.parametrize("unknown", ["drawn", "stored", "area"])
@pytest.mark.parametrize("stream", [False, True])
def test_unknown_areas_hold_what_is_soft(dataset: Path, augmentation: str, unknown: str, stream: bool) -> None:
    config = tiny(f"data.unknown={unknown}", f"data.augmentation={augmentation}", f"data.stream={str(stream).lower()}")
    data = split_run(matting_data.open(dataset), config)
    batch = next(iter(Batches(data.train, config, 0, 1).loader))
    area = unknown_of(batch, config, 3)
    soft = (batch["alpha"] > 60) & (batch["alpha"] < 200)
    assert area.dtype == torch.bool and 0.02 < float(area.float().mean()) < 0.95
    assert float(area[soft].float().mean()) > 0.8
    same = next(iter(Batches(data.train, config, 0, 1).loader))
    assert torch.equal(same["image"], batch["image"])


def test_presets_and_their_effective_form(tmp_path: Path) -> None:
    for name in config_file.preset_names():
        config = load_config(name)
        assert config_from(as_mapping(config)) == config
        assert config.network.flaw_target.size == config.data.crop
        if name in network_presets() and name not in ("paper", "unrolled"):
            assert config.matting == load_config("unrolled").matting
    path = tmp_path / "mine.yaml"
    path.write_text("network: {preset: paper, width: 16, flaw_target: {dilations: 2}}\ndata: {crop: 96}\n")
    config = load_config(path)
    assert (config.network.width, config.network.iterations) == (16, 1)
    assert (config.network.flaw_target.dilations, config.network.flaw_target.size) == (2, 96)
    assert load_config(path, ["network.flaw_target.size=64"]).network.flaw_target.size == 64
    path.write_text(config_file.to_yaml(config))
    assert load_config(path) == config


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("netwrok=1", "tiny: unknown key 'netwrok'; did you mean 'network'?"),
        ("matting.raet=1", "tiny: unknown key 'matting.raet'; did you mean 'rate'?"),
        ("data.crop=100", "tiny: data: crop 100 is no multiple of 32"),
        ("data.split=test", "tiny: data: split 'test' is kept for testing: train on another"),
        ("accumulate=3", "tiny: accumulate 3 does not divide the batch of 8"),
        ("batch=0", "tiny: batch is 0: input should be greater than or equal to 1"),
        ("batch", "--set 'batch' has no value: write it as KEY=VALUE, for instance batch=8"),
    ],
)
def test_mistakes_in_a_config(override: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config("tiny", [override])
    assert str(caught.value) == sentence


def test_only_what_no_step_depends_on_may_change() -> None:
    poly, constant = tiny(), tiny("matting.schedule=constant", "detector.schedule=constant")
    assert differences(poly, tiny("saving.every=7", "data.workers=3")) == []
    assert differences(poly, tiny("steps=7")) == ["steps was 6 and is now 7"]
    longer = tiny("steps=7", "matting.schedule=constant", "detector.schedule=constant")
    assert differences(constant, longer) == []
    assert differences(poly, tiny("matting.clip=1")) == ["matting.clip was 5.0 and is now 1.0"]


def test_rates() -> None:
    poly = Optimiser(rate=0.2, schedule="poly", power=0.9)
    assert rate_at(poly, 0, 100) == 0.2
    assert rate_at(poly, 50, 100) == pytest.approx(0.2 * 0.5**0.9)
    cosine = Optimiser(rate=0.2, schedule="cosine", warm_up=3)
    assert [rate_at(cosine, step, 10**9) for step in range(4)] == pytest.approx([0.05, 0.1, 0.15, 0.2])
    assert rate_at(cosine, 50, 100) == pytest.approx(0.1)
    assert math.isclose(rate_at(Optimiser(rate=0.1), 99, 100), 0.1)


def test_devices() -> None:
    assert pick_device("cpu").type == "cpu"
    with pytest.raises(UsageError, match="no device 'tpuu'"):
        pick_device("tpuu")
