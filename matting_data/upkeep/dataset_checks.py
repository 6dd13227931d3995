"""Whether a dataset on disk is what its index says, and every sample sound.

Nothing here repairs or writes; every problem names the file and what is wrong with it.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from matting_data.building.ledger import summarise
from matting_data.errors import DamageError, RejectedInput
from matting_data.imaging.decode import decode
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.planned import PlannedComposite
from matting_data.records.stored import Sample, StoredBackground
from matting_data.records.tables import from_table, read_stored, stored_table
from matting_data.shards.hashes import Problem, check_hash
from matting_data.shards.manifests import background_table, sample_table
from matting_data.shards.members import sample_json
from matting_data.shards.names import BACKGROUNDS, LAYER_MEMBERS, MEMBERS
from matting_data.shards.reader import all_entries, read_members
from matting_data.sources.decoded import load_background
from matting_data.sources.inputs import InputFile, read_input
from matting_data.storage import LocalStorage, MissingFileError, NotAFileError, Storage
from matting_data.storage.atomic import TEMPORARY
from matting_data.storage.refused import refusals
from matting_data.storage.regular_files import open_regular

Row = TypeVar("Row")

_IGNORED = {"dataset.json", "audit.json", "filter.json", "reasons.png", ".work"}


@dataclass
class VerifyShard:
    """The task of verifying one shard of samples or of stored backgrounds.

    The manifest is hashed always, the tar unless `quick`, which compares its length only; its members are read when
    `deep`.
    """

    out: Storage
    deep: bool
    layers: bool = False
    quick: bool = False

    def files(self, entry: Mapping[str, Any]) -> Iterator[Path]:
        """Yield tar and manifest of an index entry, where they lie in a folder."""
        if isinstance(self.out, LocalStorage):
            yield from (self.out.path / entry["tar"], self.out.path / entry["manifest"])

    def __call__(self, entry: Mapping[str, Any]) -> tuple[list[str], list[Problem]]:
        """Check the shard of an index entry; return the keys of its samples (of backgrounds none) and what is wrong."""
        problems = check_hash(self.out, entry["manifest"], entry["manifest_sha256"])
        with ExitStack() as stack:
            tar = None
            if self.deep:  # a tar that lies elsewhere is fetched once, and hashed as it was fetched
                with suppress(MissingFileError, NotAFileError):
                    tar = stack.enter_context(self.out.fetched(entry["tar"]))
            place, name = (self.out, entry["tar"]) if tar is None else (LocalStorage(tar.parent), tar.name)
            found = check_hash(place, name, None if self.quick else entry["sha256"], entry["bytes"])
            problems += [Problem(entry["tar"], problem.what) for problem in found]
            if problems:
                return [], problems  # what was altered is not worth reading, nor safe to
            try:
                keys, wrong = self._content(tar, entry)
            except DamageError as error:  # a manifest with the right hash that no build wrote
                return [], [Problem(entry["manifest"], str(error))]
            return keys, [Problem(entry["tar"], what) for what in wrong]

    def _content(self, tar: Path | None, entry: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Check manifest and tar of a shard; return the keys of its samples, and what is wrong in the tar."""
        if entry["tar"].startswith(f"{BACKGROUNDS}/"):
            stored = background_table(self.out, entry)
            rows = from_table(stored, StoredBackground) if tar else []
            return [], check_tar(tar, rows, ("background",), _check_background)
        table = sample_table(self.out, entry)
        samples = from_table(table, Sample) if tar else []
        if self.layers:
            samples = list({row.foreground: row for row in samples}.values())
        members = LAYER_MEMBERS if self.layers else MEMBERS
        return table["key"].to_list(), check_tar(tar, samples, members, check_sample)


def check_tar(
    tar: Path | None, rows: Sequence[Row], names: Sequence[str], check: Callable[[Path, Row], list[str]]
) -> list[str]:
    """Check that a tar holds exactly the members that its manifest's rows name, in order, and `check` each row's.

    Without a tar to read there is nothing to find; RefusedError where the system does not let it be read.
    """
    if tar is None:
        return []
    wrong = []
    expected = [(getattr(r, n), getattr(r, f"{n}_offset"), getattr(r, f"{n}_bytes")) for r in rows for n in names]
    try:
        with refusals(tar), open_regular(tar) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            found = [(member.name, member.offset_data, member.size) for member in archive]
        if found != expected:
            first = next((e[0] for e, f in zip(expected, found, strict=False) if e != f), "the end")
            wrong = [f"its members differ from the manifest's, first at {first}"]
    except (tarfile.TarError, OSError) as error:
        wrong = [f"is no readable tar: {error}"]
    return wrong + [what for row in rows for what in check(tar, row)]


def check_tables(out: Storage, index: Mapping[str, Any]) -> list[Problem]:
    """Check the tables beside the shards: hashes, sums of the ledger, and every planned composite's end."""
    problems = [p for name, sha256 in index["files"].items() for p in check_hash(out, name, sha256)]
    problems += _unknown_files(out, index)
    if problems:
        return problems
    totals = {name: summary["total"] for name, summary in index["ledger"].items()}
    planned = set(stored_table(out, "plan.parquet", PlannedComposite, totals["composites"])["key"])
    for name, summary in index["ledger"].items():
        file = f"ledger/{name}.parquet"
        rows = read_stored(out, file, LedgerRow, totals[name])
        counted = summarise(rows)
        if len({row.id for row in rows}) != len(rows) or counted != summary:
            problems.append(Problem(file, f"does not add up: its rows are {counted}, the index says {summary}"))
        if name == "composites" and {row.id for row in rows} != planned:
            problems.append(Problem(file, "does not hold exactly the planned composites"))
    return problems


def check_keys(out: Storage, keys: Iterable[str]) -> list[Problem]:
    """Check that the samples of all manifests are the composites that the ledger calls written, each once."""
    counts = Counter(keys)
    if any(count > 1 for count in counts.values()):
        return [Problem("dataset.json", "a sample stands in two places")]
    rows = read_stored(out, "ledger/composites.parquet", LedgerRow)
    if set(counts) != {row.id for row in rows if row.outcome == "written"}:
        return [Problem("ledger/composites.parquet", "its written rows are not the samples of the manifests")]
    return []


def check_sample(tar: Path, row: Sample) -> list[str]:
    """Find what is wrong with a sample, or a layer's foreground: decoding, size, mode, values, or alpha and trimap."""
    names, called = (MEMBERS, row.key) if row.trimap else (LAYER_MEMBERS, row.foreground)
    try:
        members = read_members(tar, row, names)
        rasters = {name: decode(content, row.width * row.height) for name, content in members.items() if name != "json"}
    except (RejectedInput, DamageError) as error:
        return [f"{called} does not decode: {error}"]
    wrong, size = [], (row.width, row.height)
    for name, raster in rasters.items():
        gray = raster.pixels.ndim == 2 and raster.pixels.dtype == np.uint8
        if raster.size != size or not (raster.mode == "RGB" if name == "image" else gray):
            kind = "RGB" if name == "image" else "8-bit gray"
            wrong.append(f"{getattr(row, name)} is {raster.mode} {raster.size}, not {kind} {size}")
    if not wrong:
        planes: list[Any] = [rasters[name].pixels for name in names[1:-1]]
        wrong += [f"{called}: {what}" for what in check_planes(*planes)]
    if row.trimap and members["json"] != sample_json(row):
        wrong.append(f"{row.json} differs from the manifest's row")
    return wrong


def _check_background(tar: Path, row: StoredBackground) -> list[str]:
    place = InputFile(tar, row.background_offset, row.background_bytes)
    try:
        image = load_background(read_input(place), row.width * row.height, row.rotation)
    except RejectedInput as problem:
        return [f"{row.background} does not decode: {problem.detail}"]
    size = image.shape[1], image.shape[0]
    return [] if size == (row.width, row.height) else [f"{row.background} is {size}, not {(row.width, row.height)}"]


def check_planes(alpha: NDArray[np.uint8], trimap: NDArray[np.uint8] | None = None) -> list[str]:
    """Find what is wrong with an alpha and its trimap, both H×W uint8; in a store of layers there is no trimap."""
    wrong = [] if alpha.max() >= 128 else ["the alpha is empty"]
    if trimap is None:
        return wrong
    levels = np.flatnonzero(np.bincount(trimap.ravel(), minlength=256))
    if not set(levels.tolist()) <= {0, 128, 255}:
        wrong.append(f"the trimap holds levels {levels.tolist()[:6]}, only 0, 128 and 255 have a meaning")
    if np.any(alpha[trimap == 255] != 255):
        wrong.append("the trimap calls pixels foreground that are not opaque")
    if np.any(alpha[trimap == 0] != 0):
        wrong.append("the trimap calls pixels background that show some person")
    return wrong


def _unknown_files(out: Storage, index: Mapping[str, Any]) -> list[Problem]:
    known = {*index["files"], *(entry[kind] for entry in all_entries(index) for kind in ("tar", "manifest"))}
    return [
        Problem(name, "is an unfinished file of a killed build" if TEMPORARY in name else "is not part of the dataset")
        for name in out.files(deep=True)
        if name not in known and name.partition("/")[0] not in _IGNORED
    ]
