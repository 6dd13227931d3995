from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

import matting_data
from matting_data import readers
from matting_data.errors import DamageError, StorageError, UsageError
from matting_data.readers import Split
from tests.support.range_server import RangeServer


@pytest.fixture
def memory(copy: Path) -> Iterator[str]:
    filesystem = fsspec.filesystem("memory")
    filesystem.put(str(copy), "/bucket/people", recursive=True)
    yield "memory://bucket/people"
    filesystem.rm("/bucket", recursive=True)


def assert_same(split: Split, train: Split) -> None:
    assert split.keys == train.keys
    for position in (0, 11, 20):
        assert np.array_equal(split[position].image, train[position].image)
        assert np.array_equal(split[position].alpha, train[position].alpha)


def test_any_file_system_of_fsspec(memory: str, train: Split) -> None:
    dataset = matting_data.open(memory)
    dataset.check()
    assert_same(dataset["train"], train)


def test_a_distant_dataset_that_lacks_something(memory: str) -> None:
    filesystem = fsspec.filesystem("memory")
    split = matting_data.open(memory)["train"]
    filesystem.rm("/bucket/people/train/000000.tar")
    with pytest.raises(DamageError, match=r"memory://bucket/people/train/000000\.tar is missing: copy it there again"):
        split[0]
    filesystem.rm("/bucket/people/dataset.json")
    with pytest.raises(DamageError, match="memory://bucket/people is unfinished"):
        matting_data.open(memory)
    filesystem.rm("/bucket/people/recipe.yaml")
    if filesystem.exists("/bucket/people/.work"):
        filesystem.rm("/bucket/people/.work", recursive=True)
    with pytest.raises(UsageError, match="memory://bucket/people holds no dataset"):
        matting_data.open(memory)


@pytest.fixture
def http(server: RangeServer) -> RangeServer:
    pytest.importorskip("aiohttp")
    return server


def test_over_http_only_the_bytes_of_a_sample_travel(http: RangeServer, train: Split) -> None:
    split = matting_data.open(http.url)["train"]
    manifests = [path for path, _ in http.asked if path.endswith(".parquet")]
    assert len(manifests) == len(set(manifests)) == 4
    http.asked.clear()
    row = train.row(7)
    assert np.array_equal(split[7].image, train[7].image)
    last = row.trimap_offset + row.trimap_bytes - 1
    assert http.asked == [("/train/000001.tar", f"bytes={row.image_offset}-{last}")]
    http.asked.clear()
    split.read(7, ("image", "alpha"))
    assert http.asked[0][1] == f"bytes={row.image_offset}-{row.alpha_offset + row.alpha_bytes - 1}"


@pytest.mark.parametrize("trouble", ["busy", "halfway", "short"])
def test_what_passes_is_tried_again(http: RangeServer, train: Split, trouble: str) -> None:
    split = matting_data.open(http.url, wait=0.01)["train"]
    http.trouble += [trouble, trouble]
    assert np.array_equal(split[7].image, train[7].image)


def test_what_does_not_pass(http: RangeServer) -> None:
    split = matting_data.open(http.url, tries=3, wait=0.01)["train"]
    http.trouble += ["halfway"] * 3
    with pytest.raises(StorageError, match=r"cannot read http://.*/000001\.tar \(tried 3 times\): .*run the same"):
        split[7]
    http.trouble += ["short"] * 3
    with pytest.raises(DamageError, match=r"http://.*/train/000001\.tar is shorter than .*copy it there again"):
        split[7]
    http.asked.clear()
    http.trouble += ["forbidden"]
    with pytest.raises(StorageError, match=r"cannot read http://.*/train/000001\.tar: 403"):
        split[7]
    assert len(http.asked) == 1  # a refusal is not asked again


def test_a_server_that_cannot_be_reached(http: RangeServer) -> None:
    """It is not taken for an address without a dataset."""
    http.shutdown()
    http.server_close()
    with pytest.raises(StorageError, match=r"cannot read http://.*/dataset\.json \(tried 2 times\): .*can be reached"):
        matting_data.open(http.url, tries=2, wait=0.01)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_loading_processes_open_connections_of_their_own(http: RangeServer, train: Split, start: str) -> None:
    pytest.importorskip("torch")
    split = matting_data.open(http.url)["train"]
    split[0]  # this process has one
    data = readers.MapDataset(split, parts=("image",))
    loader = readers.Loader(data, 3, num_workers=2, multiprocessing_context=start)
    assert sorted(key for batch in loader for key in batch["key"]) == sorted(train.keys)


def test_a_server_without_ranges(http: RangeServer, train: Split) -> None:
    http.ranges = False
    assert np.array_equal(matting_data.open(http.url)["train"][7].image, train[7].image)


def test_shards_kept_on_the_local_disk(http: RangeServer, train: Split, tmp_path: Path) -> None:
    split = matting_data.open(http.url, cache=tmp_path / "cache")["train"]
    http.asked.clear()
    assert [sample.key for sample in split[:10]] == train.keys[:10]
    assert sorted({path for path, _ in http.asked}) == ["/train/000000.tar", "/train/000001.tar"]
    http.asked.clear()
    again = matting_data.open(http.url, cache=tmp_path / "cache")["train"]
    http.asked.clear()
    assert np.array_equal(again[7].image, train[7].image) and http.asked == []


def test_a_cache_makes_room(http: RangeServer, train: Split, tmp_path: Path) -> None:
    sizes = {entry["tar"]: entry["bytes"] for entry in matting_data.open(http.url).index["splits"]["train"]["shards"]}
    limit = max(sizes.values()) * 2
    split = matting_data.open(http.url, cache=tmp_path, cache_limit=limit)["train"]
    for position in (0, 6, 1, 12, 2, 18, 17, 20):
        assert np.array_equal(split[position].alpha, train[position].alpha)
        assert sum(path.stat().st_size for path in tmp_path.glob("*.tar")) <= limit
    http.asked.clear()
    split[19]  # of the shard used last
    assert http.asked == []
    with pytest.raises(UsageError, match=r"the cache limit 100 is below .* raise cache_limit"):
        matting_data.open(http.url, cache=tmp_path, cache_limit=100)


def test_a_cache_keeps_nothing_damaged(http: RangeServer, copy: Path, train: Split, tmp_path: Path) -> None:
    split = matting_data.open(http.url, cache=tmp_path / "cache", wait=0.01)["train"]
    shard = copy / "train" / "000001.tar"
    whole = shard.read_bytes()
    shard.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    with pytest.raises(DamageError, match=r"/train/000001\.tar is not the file that dataset\.json names: copy it"):
        split[7]
    assert list((tmp_path / "cache").glob("*.tar")) == []
    shard.write_bytes(whole)
    http.trouble += ["halfway"]
    assert np.array_equal(split[7].image, train[7].image)
