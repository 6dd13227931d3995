from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from matting_data.errors import DamageError
from matting_data.exporting.export import Options, export
from matting_data.exporting.source import Source
from tests.support.real_readers import load_dataset


def planes_by_key(dataset: Path, split: str) -> dict[str, dict[str, bytes]]:
    return {row.key: members for row, members in Source.open(dataset).samples(split)}


def test_the_hubs_webdataset_loader_reads_every_sample_once(built: Path, tmp_path: Path) -> None:
    export(built, "hf-webdataset", tmp_path / "hub")
    loaded = load_dataset(tmp_path / "hub", cache=tmp_path / "cache")
    assert set(loaded) == {"train", "test"}
    for split in loaded:
        expected = planes_by_key(built, split)
        assert sorted(loaded[split]["__key__"]) == sorted(expected)
        for sample in loaded[split].cast_column("alpha.png", _undecoded()):
            assert sample["alpha.png"]["bytes"] == expected[sample["__key__"]]["alpha"]
            assert sample["json"]["key"] == sample["__key__"]
            assert sample["image.jpg"].size == (sample["json"]["width"], sample["json"]["height"])


def test_one_split_alone_is_what_the_loader_finds(built: Path, tmp_path: Path) -> None:
    result = export(built, "hf-webdataset", tmp_path / "hub", ["test"])
    assert result.samples == 6 and not (tmp_path / "hub" / "train").exists()
    loaded = load_dataset(tmp_path / "hub", cache=tmp_path / "cache")
    assert {split: rows.num_rows for split, rows in loaded.items()} == {"test": 6}


def test_a_built_dataset_streams_without_an_export(built: Path, tmp_path: Path) -> None:
    files = {"train": str(built / "train" / "*.tar")}
    rows = load_dataset("webdataset", data_files=files, split="train", streaming=True, cache=tmp_path)
    assert sorted(row["__key__"] for row in rows) == sorted(planes_by_key(built, "train"))


def test_plain_webdataset_reads_the_shards(built: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    export(built, "hf-webdataset", tmp_path / "hub", options=Options(link=True))
    url = f"{tmp_path}/hub/train/{{000000..000001}}.tar"
    samples = {sample["__key__"]: sample for sample in webdataset.WebDataset(url, shardshuffle=False)}
    expected = planes_by_key(built, "train")
    assert samples.keys() == expected.keys()
    assert all(samples[key]["trimap.png"] == expected[key]["trimap"] for key in samples)


def test_linked_shards_take_no_space(built: Path, tmp_path: Path) -> None:
    result = export(built, "hf-webdataset", tmp_path / "hub", options=Options(link=True))
    assert result.linked == 3
    assert (tmp_path / "hub" / "train" / "000000.tar").samefile(built / "train" / "000000.tar")
    copied = [tmp_path / "hub" / name for name in ("README.md", "ATTRIBUTION.csv")]
    assert result.bytes == sum(path.stat().st_size for path in copied)


@pytest.mark.parametrize("link", [False, True])
def test_a_damaged_shard_is_not_passed_on(built: Path, tmp_path: Path, link: bool) -> None:
    tar = built / "train" / "000001.tar"
    data = bytearray(tar.read_bytes())
    data[700] ^= 1
    tar.write_bytes(data)
    with pytest.raises(DamageError, match=r"000001\.tar is damaged"):
        export(built, "hf-webdataset", tmp_path / "hub", options=Options(link=link))
    assert list(tmp_path.glob("hub*")) == []


def test_the_imagefolder_loader_gets_three_images_a_row(built: Path, tmp_path: Path) -> None:
    export(built, "hf-imagefolder", tmp_path / "hub")
    loaded = load_dataset("imagefolder", data_dir=str(tmp_path / "hub"), cache=tmp_path / "cache")
    for split in ("train", "test"):
        expected = planes_by_key(built, split)
        rows = loaded[split]
        assert {"image", "alpha", "trimap", "key", "foreground", "width", "subset"} <= set(rows.column_names)
        assert sorted(rows["key"]) == sorted(expected)
        for plane in ("image", "alpha", "trimap"):
            for row in rows.cast_column(plane, _undecoded()):
                stored = row[plane]["bytes"] or Path(row[plane]["path"]).read_bytes()
                assert stored == expected[row["key"]][plane]
        first = rows[0]
        assert np.asarray(first["alpha"]).shape == (first["height"], first["width"])


def test_pandas_reads_the_table_of_an_imagefolder(built: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    export(built, "hf-imagefolder", tmp_path / "hub", ["train"])
    table = pandas.read_parquet(tmp_path / "hub" / "train" / "metadata.parquet")
    assert len(table) == 12 and not any("offset" in name for name in table.columns)
    assert all((tmp_path / "hub" / "train" / name).is_file() for name in table["trimap_file_name"])


def test_pandas_reads_a_manifest(built: Path) -> None:
    pandas = pytest.importorskip("pandas")
    for path in built.glob("train/*.parquet"):
        assert pandas.read_parquet(path)["key"].tolist() == pl.read_parquet(path)["key"].to_list()


def _undecoded():
    import datasets

    return datasets.Image(decode=False)
