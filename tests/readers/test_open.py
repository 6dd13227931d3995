from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import webdataset

import matting_data
from matting_data.errors import DamageError, MissingExtraError, UsageError
from matting_data.imaging.decode import decode, to_rgb8
from matting_data.readers import Split
from matting_data.shards.index import read_index, write_index
from matting_data.shards.reader import read_members


def test_splits_and_lengths(shards: Path) -> None:
    dataset = matting_data.open(shards)
    assert dataset.splits == ("train", "test") and len(dataset) == 27
    assert len(dataset["train"]) == 21 and len(dataset["test"]) == 6
    assert "train: 21" in repr(dataset)
    assert dataset["train"].shard_sizes == (6, 6, 6, 3)


@pytest.mark.parametrize("form", ["folder", "text", "file://"])
def test_samples_by_position_and_key(shards: Path, form: str) -> None:
    location = {"folder": shards, "text": str(shards), "file://": f"file://{shards}"}[form]
    split = matting_data.open(location)["train"]
    for position in (0, 7, -1):
        row = split.row(position)
        members = read_members(shards / "train" / f"{row.shard:06d}.tar", row)
        expected = {name: decode(members[name]) for name in ("image", "alpha", "trimap")}
        for sample in (split[position], split[row.key]):
            assert sample.key == row.key
            assert np.array_equal(sample.image, to_rgb8(expected["image"]))
            assert np.array_equal(sample.alpha, expected["alpha"].pixels)
            assert np.array_equal(sample.trimap, expected["trimap"].pixels)
    assert [sample.key for sample in split[2:5]] == split.keys[2:5]
    assert split.keys[3] in split and "nobody-0" not in split
    assert split.read(0, ("image",)).trimap is None
    assert set(split.planes(0, ("alpha",))) == {"alpha"}


def test_iteration_by_shard(train: Split) -> None:
    by_shard = [[sample.key for sample in shard] for shard in train.shards()]
    assert [len(keys) for keys in by_shard] == [6, 6, 6, 3]
    assert [key for keys in by_shard for key in keys] == train.keys == [sample.key for sample in train]


def test_the_manifest(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    dataset = matting_data.open(shards)
    frame, table = dataset.manifest("train"), dataset.table("train")
    stored = pl.concat([pl.read_parquet(path) for path in sorted((shards / "train").glob("*.parquet"))])
    assert table.equals(stored)
    assert isinstance(frame, pandas.DataFrame) and list(frame.index) == stored["key"].to_list()
    assert frame["width"].dtype == np.int64 and frame["coverage"].to_list() == stored["coverage"].to_list()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pandas not installed: run pip install 'mattingdata\[pandas\]'"):
        dataset.manifest("train")


def test_a_split_travels_to_other_processes(train: Split) -> None:
    train[train.keys[1]]  # fills what need not travel
    again = pickle.loads(pickle.dumps(train))
    assert again.keys == train.keys and np.array_equal(again[5].image, train[5].image)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, matting_data; print({'numpy', 'polars', 'torch', 'fsspec'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_plain_webdataset_reads_the_same_shards(shards: Path, train: Split) -> None:
    urls = str(shards / "train" / "{000000..000003}.tar")
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert [sample["__key__"] for sample in samples] == train.keys
    for sample, ours in zip(samples, train, strict=True):
        assert np.array_equal(sample["alpha.png"][..., 0], ours.alpha)
        assert np.array_equal(sample["trimap.png"][..., 0], ours.trimap)
        assert np.abs(sample["image.jpg"].astype(int) - ours.image).max() <= 3  # another JPEG decoder
        assert sample["json"]["key"] == ours.key


def test_unknown_names(shards: Path, tmp_path: Path) -> None:
    dataset = matting_data.open(shards)
    with pytest.raises(UsageError, match="has no split 'trian'; did you mean 'train'"):
        dataset["trian"]
    key = dataset["train"].keys[0]
    with pytest.raises(UsageError, match=f"no sample '{key}x'; did you mean '{key}'"):
        dataset["train"][key + "x"]
    with pytest.raises(IndexError, match="position 21 of a split with 21 samples"):
        dataset["train"][21]
    with pytest.raises(UsageError, match="holds no dataset: name the folder"):
        matting_data.open(tmp_path)
    with pytest.raises(UsageError, match=r"cannot open nosuch://x: .*name a folder or a URL"):
        matting_data.open("nosuch://x")
    with pytest.raises(UsageError, match=r"stores finished composites.*'store: \{kind: layers\}'"):
        dataset["train"].read(0, ("layers",))


def test_an_unfinished_dataset(copy: Path) -> None:
    (copy / "dataset.json").unlink()
    with pytest.raises(DamageError, match="is unfinished: run 'mattingdata build' again to complete it"):
        matting_data.open(copy)


def test_an_index_of_a_newer_format_or_store(copy: Path) -> None:
    index = read_index(copy)
    write_index(copy, {**index, "store": "holograms"})
    with pytest.raises(DamageError, match=r"stores samples as 'holograms', which .* upgrade mattingdata"):
        matting_data.open(copy)
    write_index(copy, {**index, "format": "mattingdata/9"})
    with pytest.raises(DamageError, match=r"has format 'mattingdata/9', .* upgrade mattingdata"):
        matting_data.open(copy)
    (copy / "dataset.json").write_text(json.dumps({"format": "mattingdata/1"}))
    with pytest.raises(DamageError, match=r"dataset\.json is damaged: run 'mattingdata build' again"):
        matting_data.open(copy)


def test_a_missing_shard(copy: Path) -> None:
    (copy / "train" / "000002.tar").unlink()
    with pytest.raises(DamageError, match=r"train/000002\.tar is missing: run 'mattingdata build' again"):
        matting_data.open(copy)["train"]
    assert len(matting_data.open(copy)["test"][0].key) > 0  # the other split is whole


def test_a_shard_of_another_length(copy: Path) -> None:
    shard = copy / "train" / "000001.tar"
    split = matting_data.open(copy)["train"]
    shard.write_bytes(shard.read_bytes()[:4000])
    with pytest.raises(DamageError, match=r"train/000001\.tar is shorter than .*run 'mattingdata build' again"):
        split[9]
    with pytest.raises(DamageError, match=r"train/000001\.tar has 4,000 bytes instead of .*'mattingdata build' again"):
        matting_data.open(copy)["train"]


@pytest.mark.parametrize("member", ["image", "alpha"])
def test_a_shard_with_damaged_pixels(copy: Path, train: Split, member: str) -> None:
    row = train.row(6)
    shard = copy / "train" / f"{row.shard:06d}.tar"
    data = bytearray(shard.read_bytes())
    start = getattr(row, f"{member}_offset")
    data[start : start + 200] = bytes(200)
    shard.write_bytes(data)
    split = matting_data.open(copy)["train"]
    with pytest.raises(DamageError, match=rf"train/000001\.tar is damaged at {row.key} .*'mattingdata build' again"):
        split[6]
    assert split[5].key == train.keys[5]


def test_checking_every_hash(copy: Path) -> None:
    dataset = matting_data.open(copy)
    dataset.check()
    shard = copy / "train" / "000003.tar"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(DamageError, match=r"train/000003\.tar is not the file that was built: run 'mattingdata build'"):
        dataset.check()


def test_damaged_manifests(copy: Path) -> None:
    manifest = copy / "train" / "000000.parquet"
    manifest.write_bytes(manifest.read_bytes() + b"x")
    with pytest.raises(DamageError, match=r"train/000000\.parquet is not the file that was built"):
        matting_data.open(copy)["train"]
    manifest.unlink()
    with pytest.raises(DamageError, match=r"train/000000\.parquet is missing: run 'mattingdata build' again"):
        matting_data.open(copy)["train"]


@pytest.mark.parametrize("place", [None, "", 3, b"out/sample", ["out"], object()])
def test_what_is_no_place_is_refused(place: Any) -> None:
    with pytest.raises(UsageError, match=r"is not a place: name a folder, or a URL such as 's3://bucket/people'"):
        matting_data.open(place)
