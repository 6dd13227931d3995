from __future__ import annotations

import hashlib
import itertools
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from matting_data.exporting.export import export
from matting_data.exporting.mds import Shards
from matting_data.exporting.source import Source
from matting_data.exporting.staging import Staging
from matting_data.storage.atomic import atomic_folder


def read_mds(folder: Path) -> list[dict[str, bytes]]:
    """A reader of our own, from the format's description: index → shards → offsets → sizes → columns."""
    index = json.loads((folder / "index.json").read_bytes())
    assert index["version"] == 2
    samples = []
    for shard in index["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        assert shard["format"] == "mds" and shard["compression"] is None and shard["zip_data"] is None
        assert shard["raw_data"]["bytes"] == len(data)
        assert shard["raw_data"]["hashes"] == {"sha1": hashlib.sha1(data).hexdigest()}
        (count,) = struct.unpack_from("<I", data)
        offsets = struct.unpack_from(f"<{count + 1}I", data, 4)
        described: dict[str, Any] = json.loads(data[4 * (count + 2) : offsets[0]])
        assert all(shard[key] == value for key, value in described.items())
        assert count == shard["samples"] and offsets[-1] == len(data)
        names = shard["column_names"]
        assert names == sorted(names) and shard["column_sizes"] == [None] * len(names)
        for begin, end in itertools.pairwise(offsets):
            sizes = struct.unpack_from(f"<{len(names)}I", data, begin)
            position, sample = begin + 4 * len(names), {}
            for name, size in zip(names, sizes, strict=True):
                sample[name] = data[position : position + size]
                position += size
            assert position == end
            samples.append(sample)
    return samples


def test_every_sample_comes_back_byte_for_byte(built: Path, tmp_path: Path) -> None:
    export(built, "mds", tmp_path / "mds")
    for split in ("train", "test"):
        expected = [{**members, "key": row.key.encode()} for row, members in Source.open(built).samples(split)]
        assert read_mds(tmp_path / "mds" / split) == expected
    (shard,) = json.loads((tmp_path / "mds" / "test" / "index.json").read_bytes())["shards"]
    assert dict(zip(shard["column_names"], shard["column_encodings"], strict=True)) == {
        "alpha": "png", "image": "jpeg", "json": "json", "key": "str", "trimap": "png"
    }  # fmt: skip


@pytest.mark.parametrize(("limit", "shards"), [(1 << 20, 1), (1500, 3), (1, 9)])
def test_shards_keep_below_their_limit_where_samples_allow(tmp_path: Path, limit: int, shards: int) -> None:
    contents = [{"a": bytes([n]) * 300, "b": b"x" * n} for n in range(9)]
    with atomic_folder(tmp_path / "mds") as folder:
        writer = Shards(Staging(folder, False), "train", {"b": "bytes", "a": "bytes"}, limit)
        for sample in contents:
            writer.add(sample)
        writer.close()
    assert read_mds(tmp_path / "mds" / "train") == contents
    files = sorted((tmp_path / "mds" / "train").glob("*.mds"))
    assert len(files) == shards and files[0].name == "shard.00000.mds"
    assert len(files) == 9 or all(path.stat().st_size <= limit for path in files)
