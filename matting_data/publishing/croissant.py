"""``croissant.json``: the dataset in the vocabulary of MLCommons Croissant 1.1.

Specification: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. The reference reader, mlcroissant
1.1, performs one join a record set only, so image, alpha and trimap are record sets of their own with a common key.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import polars as pl

from matting_data.publishing.card_inputs import CardInputs
from matting_data.recipes.licenses import recognise
from matting_data.records.columns import schema
from matting_data.records.stored import Sample
from matting_data.shards.names import MEMBERS
from matting_data.shards.reader import all_entries, background_entries, shard_entries

FILE_NAME = "croissant.json"

CONTEXT = "croissant-context.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"

_PLANES = {
    "image": "The composite: RGB, 8 bits.",
    "alpha": "How much of each pixel the person covers: gray, 8 bits, 0 to 255.",
    "trimap": "0 surely not person, 128 unknown, 255 surely person.",
}
_LAYERS = {
    "foreground": "The person in colour, 0 where alpha is 0: RGB, 8 bits.",
    "alpha": "How much of each pixel the person covers: gray, 8 bits, 0 to 255.",
    "background": "A photograph that shows nobody, as its source had it.",
}
"""Of a store of layers; keys are those of foregrounds and backgrounds, which the records of samples name."""

_DATA_TYPES = {pl.String: "sc:Text", pl.Int64: "sc:Integer", pl.Float64: "sc:Float"}
_SPLIT_TYPES = {"train": "cr:TrainingSplit", "test": "cr:TestSplit"}
_PARQUET = "application/x-parquet"
_FORMATS = {"jpg": "image/jpeg", "png": "image/png", "csv": "text/csv", "yaml": "application/yaml",
            "parquet": _PARQUET}  # fmt: skip
_KEY_OF_MEMBER = r"^(?:.*/)?([^./]+)\."


def croissant_json(inputs: CardInputs) -> bytes:
    """Encode ``croissant.json``; the same bytes for the same inputs."""
    return (json.dumps(croissant(inputs), indent=1, ensure_ascii=False) + "\n").encode()


def croissant(inputs: CardInputs) -> dict[str, Any]:
    """Describe a dataset in Croissant 1.1.

    Parameters
    ----------
    inputs : CardInputs
        Shards, manifests and tables appear with their SHA-256. What the publisher did not say (``url``, ``creator``,
        ``datePublished``) is left out: mlcroissant then warns, and no more.
    """
    index, publication = inputs.index, inputs.publication
    counts = {split: entry["num_samples"] for split, entry in index["splits"].items()}
    known = ((text, recognise(text)) for text in inputs.terms.stated)
    said = {
        "url": publication.url,
        "creator": {"@type": "Organization", "name": publication.creator} if publication.creator else "",
        "datePublished": publication.date,
    }
    return {
        "@context": json.loads((resources.files("matting_data.manifests") / CONTEXT).read_bytes()),
        "@type": "sc:Dataset",
        "name": index["name"],
        "description": (
            f"{sum(counts.values())} composites of people on photographs, with alpha mattes and trimaps "
            f"({', '.join(f'{count} {split}' for split, count in counts.items())}). README.md tells how it was made, "
            "what was left out, and under which terms."
        ),
        "conformsTo": CONFORMS_TO,
        # an address for every licence used; one without, or unknown, as it was stated
        "license": list(dict.fromkeys((found and found.url) or text or "unknown" for text, found in known)),
        **{key: value for key, value in said.items() if value},
        "version": index["version"],
        "keywords": ["image matting", "human matting", "alpha matte", "trimap"],
        "distribution": _file_objects(inputs) + _file_sets(inputs),
        "recordSet": [_splits(inputs), _samples(), *(_plane(member, text) for member, text in _planes(inputs).items())],
    }


def _file_objects(inputs: CardInputs) -> list[dict[str, Any]]:
    objects = []
    for entry in all_entries(inputs.index):
        objects.append(_file_object(entry["tar"], "application/x-tar", entry["sha256"], entry["bytes"]))
        objects.append(_file_object(entry["manifest"], _PARQUET, entry["manifest_sha256"]))
    for name, sha256 in sorted(inputs.index.get("files", {}).items()):
        if form := _FORMATS.get(name.rpartition(".")[2]):
            objects.append(_file_object(name, form, sha256))
    return objects


def _file_object(name: str, form: str, sha256: str, size: int | None = None) -> dict[str, Any]:
    described = {"@type": "cr:FileObject", "@id": name, "name": name.replace("/", "-"), "contentUrl": name}
    if size is not None:
        described["contentSize"] = f"{size} B"
    return {**described, "encodingFormat": form, "sha256": sha256}


def _file_sets(inputs: CardInputs) -> list[dict[str, Any]]:
    tars = [{"@id": entry["tar"]} for _, entry in shard_entries(inputs.index)]
    manifests = [f"{split}/*.parquet" for split in inputs.index["splits"]]
    sets: list[dict[str, Any]] = [
        {"@type": "cr:FileSet", "@id": "manifests", "encodingFormat": _PARQUET, "includes": manifests}
    ]
    photographs = [{"@id": entry["tar"]} for entry in background_entries(inputs.index)]
    for member in _planes(inputs):
        suffix = {"image": inputs.image_suffix, "foreground": "*", "background": "*"}.get(member, "png")
        held = {"@id": f"{member}-files", "containedIn": photographs if member == "background" else tars}
        form = {"encodingFormat": _FORMATS.get(suffix, "image/*"), "includes": f"*.{member}.{suffix}"}
        sets.append({"@type": "cr:FileSet", **held, **form})
    return sets


def _planes(inputs: CardInputs) -> dict[str, str]:
    return _LAYERS if inputs.layers else _PLANES


def _splits(inputs: CardInputs) -> dict[str, Any]:
    fields = [_field("splits/name", "sc:Text"), _field("splits/url", "sc:URL")]
    data = [{"splits/name": split, "splits/url": _SPLIT_TYPES[split]} for split in inputs.index["splits"]]
    return {**_record_set("splits", fields, "name", dataType="cr:Split"), "data": data}


def _samples() -> dict[str, Any]:
    fields = []
    for column, kind in schema(Sample).items():
        source = {"fileSet": {"@id": "manifests"}, "extract": {"column": column}}
        name = f"{column}_member" if column in MEMBERS else column
        fields.append(_field(f"samples/{name}", _DATA_TYPES[kind], source=source))
    return _record_set("samples", fields, "key", description="One record a composite: the rows of the manifests.")


def _record_set(name: str, fields: list[dict[str, Any]], key: str, **said: str) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, **said, "key": {"@id": f"{name}/{key}"}, "field": fields}


def _field(identity: str, kind: str, **source: object) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": identity, "dataType": kind, **source}


def _plane(member: str, text: str) -> dict[str, Any]:
    name, files = f"{member}s", {"@id": f"{member}-files"}
    key = {"fileSet": files, "extract": {"fileProperty": "fullpath"}, "transform": {"regex": _KEY_OF_MEMBER}}
    content = {"fileSet": files, "extract": {"fileProperty": "content"}}
    fields = [
        _field(f"{name}/key", "sc:Text", source=key),
        _field(f"{name}/{member}", "sc:ImageObject", source=content),
    ]
    return _record_set(name, fields, "key", description=text)
