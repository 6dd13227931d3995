"""The YAML at the head of a dataset card, as the Hugging Face hub reads it (hub-docs, ``datasetcard.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from matting_data.publishing.card_inputs import CardInputs

_SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
)  # fmt: skip


def front_matter(inputs: CardInputs, data_files: Mapping[str, str] | None = None) -> str:
    """Write what the hub indexes: licence, task, size, which files are which split, and their counts.

    The licence is ``other`` with a link to the card's own section unless every source carries one and the same licence
    that the hub has a name for.

    Parameters
    ----------
    inputs : CardInputs
        Of the dataset.
    data_files : mapping, optional
        Split → pattern of its files; without it the loader finds them by itself, or not at all.

    Returns
    -------
    str
        YAML between its two lines of dashes.
    """
    terms = {"license": "other", "license_name": "terms-of-the-sources", "license_link": "README.md"}
    common = inputs.terms.common
    if common is not None and common.hub and not inputs.terms.barred:
        terms = {"license": common.hub}
    metadata: dict[str, Any] = {
        "pretty_name": f"{inputs.index['name']} {inputs.index['version']}",
        **terms,
        "task_categories": ["image-segmentation"],
        "tags": ["image-matting", "human-matting", "alpha-matte", "trimap", "composites", "webdataset"],
        "size_categories": [size_category(len(inputs.samples))],
    }
    if data_files:
        files, counts, size = [], [], 0
        for split, pattern in data_files.items():
            entry = inputs.index["splits"][split]
            length = sum(shard["bytes"] for shard in entry["shards"])
            files.append({"split": split, "path": pattern})
            counts.append({"name": split, "num_bytes": length, "num_examples": entry["num_samples"]})
            size += length
        metadata["configs"] = [{"config_name": "default", "data_files": files}]
        metadata["dataset_info"] = {"splits": counts, "download_size": size, "dataset_size": size}
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=1000)}---\n"


def size_category(count: int) -> str:
    """Look up the hub's name for a number of samples: ``1K<n<10K``."""
    return next((name for limit, name in _SIZES if count < limit), "n>1T" if count >= 10**12 else "1B<n<10B")
