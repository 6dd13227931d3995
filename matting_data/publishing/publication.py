"""What goes with a dataset when it is published: the card, ``croissant.json`` and ``_info.json``.

None of them names the hash of ``dataset.json``, which lists theirs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from matting_data.errors import DamageError, UsageError
from matting_data.json_text import parse_json
from matting_data.publishing import card, croissant
from matting_data.publishing.card_inputs import Publication, read_card_inputs
from matting_data.shards.index import MOST_BYTES, read_index, write_index
from matting_data.storage import Location, open_storage
from matting_data.workspace import work_folder as workspace

INFO = "_info.json"


_LOG = logging.getLogger(__package__)


def publication_files(
    out: Location, index: Mapping[str, Any], publication: Publication | None = None
) -> dict[str, bytes]:
    """Build the files of a publication, by name below the dataset.

    Parameters
    ----------
    out : Path, str or Storage
        Where recipe, tables, ledger and manifests lie already; also ``ATTRIBUTION.csv`` and ``audit.json`` if any.
    index : mapping
        What ``dataset.json`` holds or is about to, with its other ``files``; needs no hash of its own.
    publication : Publication, optional
        What the publisher says; by default what an earlier card of this folder says.

    Returns
    -------
    dict
        ``README.md``, ``croissant.json``, ``_info.json``; the same bytes for the same tables.

    Raises
    ------
    DamageError
        A table is missing or damaged.
    """
    inputs = read_card_inputs(out, index, said_before(out) if publication is None else publication)
    return {
        card.FILE_NAME: card.card(inputs),
        croissant.FILE_NAME: croissant.croissant_json(inputs),
        INFO: shard_info(index),
    }


def shard_info(index: Mapping[str, Any]) -> bytes:
    """Encode ``_info.json``: the shards and their lengths by split, as timm's reader of WebDatasets expects them."""
    splits = {
        split: {
            "name": split,
            "filenames": [shard["tar"] for shard in entry["shards"]],
            "shard_lengths": [shard["num_samples"] for shard in entry["shards"]],
            "num_samples": entry["num_samples"],
        }
        for split, entry in index["splits"].items()
    }
    return (json.dumps({"splits": splits}, indent=1) + "\n").encode()


def rewrite(out: Location, publication: Publication | None = None) -> dict[str, str]:
    """Write the files of a finished dataset anew, and their hashes into its index.

    The index comes last: a run that is killed leaves hashes that ``verify`` finds wrong, and the same command mends.

    Returns
    -------
    dict
        File name → SHA-256.

    Raises
    ------
    DamageError
        The dataset is unfinished or damaged.
    StorageError
        Somebody else is writing to it, or the disk refuses.
    UsageError
        There is no dataset, or the date is none.
    """
    if publication is not None and publication.date and not _is_day(publication.date):
        raise UsageError(f"date {publication.date!r} is not a day: write it as 2026-01-31")
    out = open_storage(out)
    read_index(out)  # an unfinished dataset is refused before anything is created in it
    with workspace.locked(out) as held:
        index = read_index(out)
        content = publication_files(out, index, publication)
        held()
        written = {name: out.write(name, data) for name, data in content.items()}
        write_index(out, {**index, "files": {**index["files"], **written}})
    _LOG.info("wrote %s of %s anew", ", ".join(sorted(written)), out)
    return written


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def said_before(out: Location) -> Publication:
    """Read what the ``croissant.json`` of a folder says of its publisher; empty where there is none to read."""
    try:
        described = parse_json(open_storage(out).read_whole(croissant.FILE_NAME, MOST_BYTES), croissant.FILE_NAME)
        creator = described.get("creator", {}).get("name", "")
        found = [described.get("url", ""), creator, described.get("datePublished", "")]
    except (DamageError, AttributeError):  # absent, or not ours
        return Publication()
    return Publication(*(text if isinstance(text, str) else "" for text in found))
