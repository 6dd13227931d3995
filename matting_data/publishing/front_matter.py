"""The YAML at the head of a dataset card, as the Hugging Face hub reads it (hub-docs, ``datasetcard.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from matting_data.publishing.card_inputs import Facts

_SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
)  # fmt: skip


def front_matter(facts: Facts, data_files: Mapping[str, str] | None = None) -> str:
    """Return the front matter with its two lines of dashes."""
    metadata = card_metadata(facts, data_files)
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=1000)}---\n"


def card_metadata(facts: Facts, data_files: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what the hub indexes: licence, task, size, which files are which split, and their counts.

    The licence is ``other`` with a link to the card's own section unless every source carries one and the same licence
    that the hub has a name for.

    Parameters
    ----------
    facts : Facts
        Of the dataset.
    data_files : mapping, optional
        Split → pattern of its files; without it the loader finds them by itself, or not at all.
    """
    metadata = {
        "pretty_name": f"{facts.index['name']} {facts.index['version']}",
        **license_fields(facts),
        "task_categories": ["image-segmentation"],
        "tags": ["image-matting", "human-matting", "alpha-matte", "trimap", "composites", "webdataset"],
        "size_categories": [size_category(len(facts.samples))],
    }
    if not data_files:
        return metadata
    splits = {split: facts.index["splits"][split] for split in data_files}
    files = [{"split": split, "path": pattern} for split, pattern in data_files.items()]
    sizes = {split: sum(shard["bytes"] for shard in entry["shards"]) for split, entry in splits.items()}
    counts = [
        {"name": split, "num_bytes": sizes[split], "num_examples": entry["num_samples"]}
        for split, entry in splits.items()
    ]
    size = sum(sizes.values())
    return metadata | {
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"splits": counts, "download_size": size, "dataset_size": size},
    }


def license_fields(facts: Facts) -> dict[str, str]:
    """Return ``license``, and where the hub has no name for the terms also ``license_name`` and ``license_link``."""
    common = facts.terms.common
    if common is not None and common.hub and not facts.terms.barred:
        return {"license": common.hub}
    return {"license": "other", "license_name": "terms-of-the-sources", "license_link": "README.md"}


def size_category(count: int) -> str:
    """Return the hub's name for a number of samples: ``1K<n<10K``."""
    return next((name for limit, name in _SIZES if count < limit), "n>1T" if count >= 10**12 else "1B<n<10B")
