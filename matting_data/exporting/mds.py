"""``mds``: shards of MosaicML Streaming, format version 2.

A shard: uint32 number of samples, uint32 offsets of all and of the end, the columns' description as JSON, the samples;
a sample: uint32 size of each column, then their contents, columns in alphabetical order. Little-endian, as everything
that reads them. ``index.json`` comes last. (mosaicml/streaming, ``streaming/base/format/mds/writer.py``, 0.13)
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import numpy as np
from tqdm import tqdm

from matting_data.exporting.export import Options
from matting_data.exporting.source import Source
from matting_data.exporting.staging import Staging

SIZE_LIMIT = 1 << 26
"""Largest shard in bytes, as the library's own writer has it; a single larger sample makes a larger shard."""


def estimate(source: Source, options: Options) -> int:
    """Estimate the bytes of all members."""
    return sum(row.image_bytes + row.alpha_bytes + row.trimap_bytes + row.json_bytes + 64 for row in source.rows())


def write(source: Source, staging: Staging, options: Options, progress: tqdm) -> None:
    """Write the members as they are, a folder of shards a split."""
    columns = {
        "alpha": "png",
        "image": "png" if source.card_inputs.image_suffix == "png" else "jpeg",
        "json": "json",
        "key": "str",
        "trimap": "png",
    }
    for split in source.splits:
        shards = Shards(staging, split, columns)
        for row, members in source.samples(split):
            shards.add({**members, "key": row.key.encode()})
            progress.update(1)
        shards.close()


def layout(source: Source, options: Options) -> str:
    """Describe the export."""
    return (
        f"Shards of MosaicML Streaming in {', '.join(f'`{split}/`' for split in source.splits)}, with the columns "
        "`image`, `alpha`, `trimap`, `json` and `key`.\n\n"
        "```python\nimport streaming\n\n"
        f'dataset = streaming.StreamingDataset(local=DIR, split="{source.splits[0]}", batch_size=1)\n```'
    )


class Shards:
    """Writes the shards of one split, and their index.

    Parameters
    ----------
    staging : Staging
        Where to.
    folder : str
        Below it.
    columns : mapping
        Column → encoding; all of variable size.
    size_limit : int
        Largest shard in bytes.
    """

    def __init__(self, staging: Staging, folder: str, columns: dict[str, str], size_limit: int = SIZE_LIMIT) -> None:
        self._staging, self._folder, self._limit = staging, folder, size_limit
        self._names = sorted(columns)
        self._config: dict[str, Any] = {
            "column_encodings": [columns[name] for name in self._names],
            "column_names": self._names,
            "column_sizes": [None] * len(columns),
            "compression": None,
            "format": "mds",
            "hashes": ["sha1"],
            "size_limit": size_limit,
            "version": 2,
        }
        self._description = json.dumps(self._config, sort_keys=True).encode()
        self._shards: list[dict[str, Any]] = []
        self._clear()

    def add(self, sample: dict[str, bytes]) -> None:
        """Append a sample: column → encoded content."""
        contents = [sample[name] for name in self._names]
        data = struct.pack(f"<{len(contents)}I", *map(len, contents)) + b"".join(contents)
        if self._samples and self._bytes + len(data) + 4 > self._limit:
            self._flush()
        self._samples.append(data)
        self._bytes += len(data) + 4

    def close(self) -> None:
        """Write what is left, then the index."""
        if self._samples:
            self._flush()
        index = {"version": 2, "shards": self._shards}
        self._staging.add(f"{self._folder}/index.json", json.dumps(index, sort_keys=True).encode())

    def _flush(self) -> None:
        start = 4 + 4 * (len(self._samples) + 1) + len(self._description)
        offsets = np.cumsum([start, *map(len, self._samples)]).astype("<u4")
        data = b"".join([struct.pack("<I", len(self._samples)), offsets.tobytes(), self._description, *self._samples])
        name = f"shard.{len(self._shards):05}.mds"
        hashes = {"sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest()}
        described = {"basename": name, "bytes": len(data), "hashes": hashes}
        self._staging.add(f"{self._folder}/{name}", data)
        self._shards.append({**self._config, "raw_data": described, "samples": len(self._samples), "zip_data": None})
        self._clear()

    def _clear(self) -> None:
        self._samples: list[bytes] = []
        self._bytes = 8 + len(self._description)
