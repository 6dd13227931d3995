"""Stores of layers through the same readers: equal pixels, pairs of their own for each epoch, damage."""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import pytest

import matting_data
from matting_data.errors import DamageError
from matting_data.readers.transforms import paper_augmentation
from matting_data.readers.transforms.visit import Visit
from matting_data.shards.index import read_index, write_index
from tests.support.projects import Project

LAYERS = "store.kind=layers"


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("layers") / "project", photos=16)
    project.build(LAYERS, "composites.per_foreground=2", "store.epoch_backgrounds=true")
    return project


@pytest.mark.parametrize("overrides", [[], ["composites.blend=linear", "composites.crop=random"]])
def test_every_pixel_of_a_whole_dataset_is_that_of_a_store_of_composites(
    project: Project, overrides: list[str]
) -> None:
    overrides = [*overrides, "store.image=png", "trimap.train={kind: adaptive}"]
    project.build(LAYERS, *overrides)
    project.build(*overrides, out=project.root / "composites")
    layers, composites = matting_data.open(project.out), matting_data.open(project.root / "composites")
    assert layers.splits == composites.splits
    compared = 0
    for split in layers.splits:
        assert layers[split].keys == composites[split].keys
        for one, two in zip(layers[split], composites[split], strict=True):
            np.testing.assert_array_equal(one.image, two.image)
            np.testing.assert_array_equal(one.alpha, two.alpha)
            np.testing.assert_array_equal(one.trimap, two.trimap)
            compared += 1
    assert compared == 18


def test_parts_come_alone_and_layers_compose_to_the_image(projects: Project) -> None:
    train = matting_data.open(projects.out)["train"]
    sample = train.read(3, ("image", "layers"))
    assert sample.layers is not None and sample.trimap is None
    assert sample.layers.background.shape == sample.image.shape
    opaque, clear = sample.alpha == 255, sample.alpha == 0
    np.testing.assert_array_equal(sample.image[opaque], sample.layers.foreground[opaque])
    np.testing.assert_array_equal(sample.image[clear], sample.layers.background[clear])
    assert set(train.planes(3, ("alpha",))) == {"alpha"}
    assert set(train.planes(3, ("alpha", "trimap"))) == {"alpha", "trimap"}


def test_what_a_transform_writes_into_is_not_what_is_kept(projects: Project) -> None:
    train = matting_data.open(projects.out)["train"]
    before = train[0].alpha.copy()
    train[0].alpha[:] = 7
    train[0].image[:] = 9
    np.testing.assert_array_equal(train[0].alpha, before)
    np.testing.assert_array_equal(train[1].alpha, before)  # of the same foreground


def test_a_background_can_be_harmonised_with_the_person(projects: Project) -> None:
    transform = paper_augmentation(64, harmonise=1.0)
    train = matting_data.open(projects.out)["train"]
    sample = train.read(0, transform.parts)
    one, two = (transform(sample, Visit(1, 0, sample.key)) for _ in range(2))
    assert one.image.shape == (64, 64, 3)
    np.testing.assert_array_equal(one.image, two.image)


def test_epochs_draw_pairs_of_their_own(projects: Project) -> None:
    train = matting_data.open(projects.out)["train"]
    stored = [row.background for row in train.rows]
    assert [train.row(position).background for position in range(len(train))] == stored
    again = matting_data.open(projects.out)["train"]
    seen = Counter(stored)
    for epoch in range(1, 6):
        rows = [train.row(position, epoch) for position in range(len(train))]
        assert [row.key for row in rows] == train.keys
        assert [again.row(position, epoch) for position in range(len(again))] == rows
        for key in {row.foreground for row in rows}:
            own = [row.background for row in rows if row.foreground == key]
            assert len(set(own)) == 2
        assert [row.background for row in rows] != stored
        seen += Counter(row.background for row in rows)
    assert len(seen) == 11 > len(set(stored))  # all kept ones of the split, not only those of the plan


def test_an_epochs_composites_fit_their_frame(projects: Project) -> None:
    pytest.importorskip("torch")
    from matting_data.readers import MapDataset

    train = matting_data.open(projects.out)["train"]
    data = MapDataset(train, paper_augmentation(64), seed=3)
    first, later = data[0, 0], data[1, 0]
    assert first["key"] == later["key"] and not np.array_equal(first["image"], later["image"])
    np.testing.assert_array_equal(data[1, 0]["image"], MapDataset(train, paper_augmentation(64), seed=3)[1, 0]["image"])


@pytest.mark.parametrize("workers", [0, 2])
def test_loading_processes_deliver_layers_exactly_once(projects: Project, workers: int) -> None:
    pytest.importorskip("torch")
    from matting_data.readers import Loader, StreamDataset

    train = matting_data.open(projects.out)["train"]
    data = StreamDataset(train, paper_augmentation(64), batch_size=3, seed=1)
    keys = [key for batch in Loader(data, batch_size=3, num_workers=workers) for key in batch["key"]]
    assert sorted(keys) == sorted(train.keys)


def test_layers_are_read_from_a_url_through_a_cache_and_in_another_process(projects: Project, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(projects.out), "/layers", recursive=True)
    local = matting_data.open(projects.out)["train"]
    remote = matting_data.open("memory://layers", cache=tmp_path / "cache")["train"]
    np.testing.assert_array_equal(remote[4].image, local[4].image)
    assert {path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()} >= {".tar"}
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(local))[4].image, local[4].image)


def test_damage_names_the_tar_and_the_command(projects: Project, tmp_path: Path) -> None:
    out = Path(shutil.copytree(projects.out, tmp_path / "dataset"))
    row = matting_data.open(out)["train"].row(0)
    tar = out / "backgrounds" / "000000.tar"
    data = bytearray(tar.read_bytes())
    for start in range(0, len(data), 700):
        data[start : start + 3] = b"\0\0\0"
    tar.write_bytes(data)
    dataset = matting_data.open(out)
    with pytest.raises(DamageError, match=r"backgrounds/000000.tar is not the file that was built.*mattingdata build"):
        dataset.check()
    tar.write_bytes(data[:-1000])
    with pytest.raises(DamageError, match=r"backgrounds/000000.tar has .* bytes instead of"):
        matting_data.open(out)["train"]
    (out / "backgrounds" / "000000.parquet").write_bytes(b"damaged")
    with pytest.raises(DamageError, match=r"backgrounds/000000.parquet is not the file that was built"):
        matting_data.open(out)
    assert row.background


def test_a_kind_of_store_that_is_not_known_is_named(built: Path) -> None:
    write_index(built, {**read_index(built), "store": "hologram"})
    with pytest.raises(DamageError, match="stores samples as 'hologram', which this version cannot read: upgrade"):
        matting_data.open(built)
