"""Whether a dataset on disk is what its index says, and every sample sound.

Nothing here repairs or writes; every problem names the file and what is wrong with it.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import DamageError, RejectedInput
from matting_data.imaging.decode import Raster, decode
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.planned import PlannedComposite
from matting_data.records.stored import Sample, StoredBackground
from matting_data.records.tables import read_stored
from matting_data.shards.hashes import Problem, check_hash
from matting_data.shards.members import LAYER_MEMBERS, MEMBERS, sample_json
from matting_data.shards.reader import all_entries, read_manifest, read_members
from matting_data.sources.decoded import load_background
from matting_data.sources.inputs import InputFile, read_input
from matting_data.storage import LocalStorage, MissingFileError, Storage
from matting_data.storage.atomic import TEMPORARY

_IGNORED = {"dataset.json", "audit.json", "filter.json", "reasons.png", ".work"}


@dataclass(frozen=True)
class ShardCheck:
    """What verifying one shard found; `keys` are the samples its manifest names."""

    keys: list[str]
    problems: list[Problem]


@dataclass
class VerifyShard:
    """The task of verifying one shard: hashes always, every sample when `deep`."""

    out: Storage
    deep: bool
    layers: bool = False

    def files(self, entry: Mapping[str, Any]) -> Iterator[Path]:
        """Yield the files of an index entry, where they lie in a folder."""
        return entry_files(self.out, entry)

    def __call__(self, entry: Mapping[str, Any]) -> ShardCheck:
        """Check the shard of an index entry."""
        with checked_tar(self.out, entry, self.deep) as (tar, problems):
            if problems:
                return ShardCheck([], problems)  # what was altered is not worth reading, nor safe to
            return self._samples(entry, tar)

    def _samples(self, entry: Mapping[str, Any], tar: Path | None) -> ShardCheck:
        problems: list[Problem] = []
        rows = read_manifest(self.out, entry)
        if len(rows) != entry["num_samples"]:
            problems.append(Problem(entry["manifest"], f"has {len(rows)} rows, the index says {entry['num_samples']}"))
        if tar is not None:
            stored = list({row.foreground: row for row in rows}.values()) if self.layers else rows
            names = LAYER_MEMBERS if self.layers else MEMBERS
            check = check_foreground if self.layers else check_sample
            expected = [place for row in stored for place in places(row, names)]
            wrong = check_members(tar, expected)
            wrong += [what for row in stored for what in check(tar, row)]
            problems += [Problem(entry["tar"], what) for what in wrong]
        return ShardCheck([row.key for row in rows], problems)


@dataclass
class VerifyBackgrounds:
    """The task of verifying one tar of backgrounds of a store of layers."""

    out: Storage
    deep: bool

    def files(self, entry: Mapping[str, Any]) -> Iterator[Path]:
        """Yield the files of an index entry, where they lie in a folder."""
        return entry_files(self.out, entry)

    def __call__(self, entry: Mapping[str, Any]) -> ShardCheck:
        """Check the tar of an index entry; `keys` are the backgrounds its manifest names."""
        with checked_tar(self.out, entry, self.deep) as (tar, problems):
            if problems:
                return ShardCheck([], problems)
            rows = read_stored(self.out, entry["manifest"], StoredBackground)
            wrong: list[str] = []
            if tar is not None:
                wrong += check_members(tar, [(r.background, r.background_offset, r.background_bytes) for r in rows])
                for row in rows:
                    wrong += _check_background(InputFile(tar, row.background_offset, row.background_bytes), row)
            return ShardCheck([row.id for row in rows], [Problem(entry["tar"], what) for what in wrong])


def entry_files(out: Storage, entry: Mapping[str, Any]) -> Iterator[Path]:
    """Yield tar and manifest of an index entry, where they lie in a folder."""
    if isinstance(out, LocalStorage):
        yield from (out.path / entry["tar"], out.path / entry["manifest"])


@contextmanager
def checked_tar(out: Storage, entry: Mapping[str, Any], deep: bool) -> Iterator[tuple[Path | None, list[Problem]]]:
    """Compare tar and manifest of an index entry with their hashes; if `deep`, give the tar to read more of it.

    A tar that lies elsewhere is fetched once, and hashed as it was fetched.
    """
    problems = check_hash(out, entry["manifest"], entry["manifest_sha256"])
    if not deep:
        yield None, problems + check_hash(out, entry["tar"], entry["sha256"], entry["bytes"])
        return
    with ExitStack() as stack:
        try:
            tar = stack.enter_context(out.fetched(entry["tar"]))
        except MissingFileError:
            yield None, [*problems, Problem(entry["tar"], "is missing")]
            return
        at_hand = LocalStorage(tar.parent)
        found = check_hash(at_hand, tar.name, entry["sha256"], entry["bytes"])
        yield tar, problems + [Problem(entry["tar"], problem.what) for problem in found]


def places(row: Sample, members: Iterable[str]) -> list[tuple[str, int, int]]:
    """Return name, offset and length of a row's members."""
    return [(getattr(row, m), getattr(row, f"{m}_offset"), getattr(row, f"{m}_bytes")) for m in members]


def check_tables(out: Storage, index: Mapping[str, Any]) -> list[Problem]:
    """Check the tables beside the shards: hashes, sums of the ledger, and every planned composite's end."""
    problems = [p for name, sha256 in index["files"].items() for p in check_hash(out, name, sha256)]
    problems += _unknown_files(out, index)
    if problems:
        return problems
    planned = {row.key for row in read_stored(out, "plan.parquet", PlannedComposite)}
    for name, summary in index["ledger"].items():
        file = f"ledger/{name}.parquet"
        rows = read_stored(out, file, LedgerRow)
        outcomes = Counter(row.outcome for row in rows)
        counted = {"written": summary["written"]} | {k: sum(summary[k].values()) for k in ("rejected", "failed")}
        if len({row.id for row in rows}) != len(rows) or dict(outcomes) != {k: n for k, n in counted.items() if n}:
            problems.append(Problem(file, f"does not add up: {dict(outcomes)} in {len(rows)} rows, index {counted}"))
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


def check_members(tar: Path, expected: Sequence[tuple[str, int, int]]) -> list[str]:
    """Check that a tar holds exactly the members its manifest names (name, offset, length), in order."""
    try:
        with tarfile.open(tar, "r:") as archive:
            found = [(member.name, member.offset_data, member.size) for member in archive]
    except (tarfile.TarError, OSError) as error:
        return [f"is no readable tar: {error}"]
    if found == expected:
        return []
    differing = next((e[0] for e, f in zip(expected, found, strict=False) if e != f), "the end")
    return [f"its members differ from the manifest's, first at {differing}"]


def check_sample(tar: Path, row: Sample) -> list[str]:
    """Return what is wrong with one sample: decoding, size, mode, values, or alpha against trimap."""
    try:
        members = read_members(tar, row)
        image, alpha, trimap = (decode(members[name]) for name in ("image", "alpha", "trimap"))
    except (RejectedInput, DamageError) as error:
        return [f"{row.key} does not decode: {error}"]
    wrong = []
    if image.size != (row.width, row.height) or image.mode != "RGB":
        wrong.append(f"{row.image} is {image.mode} {image.size}, not RGB {(row.width, row.height)}")
    for name, raster in ((row.alpha, alpha), (row.trimap, trimap)):
        if raster.size != (row.width, row.height) or raster.pixels.ndim != 2 or raster.pixels.dtype != np.uint8:
            wrong.append(f"{name} is {raster.mode} {raster.size}, not 8-bit gray {(row.width, row.height)}")
    if not wrong:
        wrong += [f"{row.key}: {what}" for what in check_planes(_plane(alpha), _plane(trimap))]
    if members["json"] != sample_json(row):
        wrong.append(f"{row.json} differs from the manifest's row")
    return wrong


def check_foreground(tar: Path, row: Sample) -> list[str]:
    """Return what is wrong with one foreground of a store of layers."""
    try:
        members = read_members(tar, row, LAYER_MEMBERS)
        image, alpha = decode(members["image"]), decode(members["alpha"])
    except (RejectedInput, DamageError) as error:
        return [f"{row.foreground} does not decode: {error}"]
    wrong = []
    if image.size != (row.width, row.height) or image.mode != "RGB":
        wrong.append(f"{row.image} is {image.mode} {image.size}, not RGB {(row.width, row.height)}")
    if alpha.size != (row.width, row.height) or alpha.pixels.ndim != 2 or alpha.pixels.dtype != np.uint8:
        wrong.append(f"{row.alpha} is {alpha.mode} {alpha.size}, not 8-bit gray {(row.width, row.height)}")
    elif alpha.pixels.max() < 128:
        wrong.append(f"{row.alpha} is empty")
    return wrong


def _check_background(place: InputFile, row: StoredBackground) -> list[str]:
    try:
        image = load_background(read_input(place), row.width * row.height, row.rotation)
    except RejectedInput as problem:
        return [f"{row.background} does not decode: {problem.detail}"]
    size = image.shape[1], image.shape[0]
    return [] if size == (row.width, row.height) else [f"{row.background} is {size}, not {(row.width, row.height)}"]


def check_planes(alpha: NDArray[np.uint8], trimap: NDArray[np.uint8]) -> list[str]:
    """Return what is wrong with an alpha and a trimap, both H×W uint8."""
    wrong = []
    levels = np.flatnonzero(np.bincount(trimap.ravel(), minlength=256))
    if not set(levels.tolist()) <= {0, 128, 255}:
        wrong.append(f"the trimap holds levels {levels.tolist()[:6]}, only 0, 128 and 255 have a meaning")
    if np.any(alpha[trimap == 255] != 255):
        wrong.append("the trimap calls pixels foreground that are not opaque")
    if np.any(alpha[trimap == 0] != 0):
        wrong.append("the trimap calls pixels background that show some person")
    if alpha.max() < 128:
        wrong.append("the alpha is empty")
    return wrong


def _plane(raster: Raster) -> NDArray[np.uint8]:
    return raster.pixels  # type: ignore[return-value]


def _unknown_files(out: Storage, index: Mapping[str, Any]) -> list[Problem]:
    known = set(index["files"])
    for entry in all_entries(index):
        known |= {entry["tar"], entry["manifest"]}
    problems = []
    for name in out.files(deep=True):
        if name.partition("/")[0] in _IGNORED or name in known:
            continue
        what = "is an unfinished file of a killed build" if TEMPORARY in name else "is not part of the dataset"
        problems.append(Problem(name, what))
    return problems
