"""A verdict for every image of a metadata folder, as Parquet in parts, and how to look one up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from matting_data.errors import DamageError, UsageError
from matting_data.humans.evidence import EvidencePolicy
from matting_data.humans.evidence_table import judge_table
from matting_data.records.self_hashed import checked_json, hashed_json
from matting_data.records.tables import parquet_bytes, table_errors
from matting_data.shards.hashes import check_hash
from matting_data.sources.openimages.blocks import BLOCK_BYTES
from matting_data.sources.openimages.collect import SPLITS, Evidence, collect
from matting_data.sources.openimages.findings import EXAMPLES, MetadataReport
from matting_data.sources.openimages.recognise import Metadata, recognise
from matting_data.storage import LocalStorage, open_folder
from matting_data.storage.atomic import TEMPORARY
from matting_data.storage.regular_files import read_regular

VERDICT_SCHEMA: dict[str, Any] = {
    "image_id": pl.String,
    "split": pl.String,
    "listed": pl.Boolean,
    "tier": pl.String,
    "verdict": pl.String,
    "reason": pl.String,
    "decided_by": pl.String,
    "boxes": pl.UInt32,
    "verified": pl.UInt32,
    "machine": pl.UInt32,
    "rotation": pl.Int16,
    "license": pl.String,
}
"""One row an image, sorted by id (16 hex digits). ``split`` is empty if unknown; ``listed``: whether a list of images
has it; ``decided_by``: the deciding rows in words; ``boxes``, ``verified``, ``machine``: numbers of rows; ``rotation``
in degrees, null where the list gives none; ``license``: its address."""

REPORT = "report.json"

_PART = re.compile(r"verdicts-[0-9]{3}\.parquet")

_MOST_BYTES = 1 << 24
"""Of a report, which names at most some examples of everything."""


def judge_metadata(
    metadata: Metadata | Path,
    out: LocalStorage | Path,
    policy: EvidencePolicy | None = None,
    workers: int | None = None,
    block_bytes: int = BLOCK_BYTES,
    advance: Callable[[int], object] | None = None,
    key: str = "",
) -> MetadataReport:
    """Judge every image of a metadata folder.

    Parameters
    ----------
    metadata : Metadata or Path
        The folder, recognised or not.
    out : LocalStorage or Path
        Folder for ``verdicts-NNN.parquet`` (:data:`VERDICT_SCHEMA`) and ``report.json``, which is written last and
        holds the hashes of the others; what an earlier run left there is replaced. Evidence lies there for the time
        being, a tenth of the metadata's size.
    policy : EvidencePolicy, optional
    workers : int, optional
        Threads; default is one a core, at most four.
    block_bytes : int
        Size of the blocks in which files are read.
    advance : callable, optional
        As for :func:`matting_data.sources.openimages.collect.collect`.
    key : str
        For the report: what tells a caller that these verdicts are those it needs.

    Returns
    -------
    MetadataReport
        What was found, what was malformed, what is weaker, and the counts of verdicts.

    Raises
    ------
    UsageError
        If the folder holds no table, or a table cannot be read.
    StorageError
        If `out` cannot be written.
    """
    metadata = metadata if isinstance(metadata, Metadata) else recognise(metadata)
    out, work = open_folder(out), f"evidence{TEMPORARY}"
    _clear(out)
    out.remove_folder(work)  # of a run that was killed
    try:
        evidence = collect(metadata, out.below(work), workers, block_bytes, advance)
        evidence.report.key = key
        return judge_evidence(evidence, out, policy)
    finally:
        out.remove_folder(work)


def judge_evidence(
    evidence: Evidence, out: LocalStorage | Path, policy: EvidencePolicy | None = None
) -> MetadataReport:
    """Judge what :func:`matting_data.sources.openimages.collect.collect` read; may be repeated for other policies."""
    out = open_folder(out)
    report = MetadataReport.from_json(evidence.report.to_json())
    counts: Counter[str] = Counter()
    _clear(out)
    parts: dict[str, str] = {}
    for part in range(evidence.rows.parts):
        table = _judge_part(evidence, part, policy or EvidencePolicy(), report)
        for row in table.group_by("split", "tier", "verdict", "reason").len().iter_rows():
            counts["/".join(row[:-1])] += row[-1]
        name = f"verdicts-{part:03d}.parquet"
        parts[name] = out.write(name, parquet_bytes(table))
    report.counts = dict(sorted(counts.items()))
    report.images = sum(counts.values())
    out.write(REPORT, hashed_json({"parts": parts, "report": asdict(report)}))
    return report


def read_report(out: LocalStorage | Path) -> MetadataReport:
    """Read the report of finished verdicts.

    Raises
    ------
    DamageError
        If there are none, the run that should have written them did not finish, or a byte of them was changed.
    """
    return _whole(open_folder(out))[0]


def whole_parts(out: LocalStorage | Path) -> list[Path]:
    """List the files of finished verdicts, every byte of which is as it was written; errors as of read_report."""
    out = open_folder(out)
    return [out.path / name for name in _whole(out)[1]]


def _whole(out: LocalStorage) -> tuple[MetadataReport, list[str]]:
    damaged = DamageError(f"{out} holds no finished verdicts: judge the metadata again")
    try:
        document = checked_json(read_regular(out.path / REPORT, _MOST_BYTES))
    except OSError:
        raise damaged from None
    if document is None or set(document) != {"parts", "report"}:  # damaged, or of an earlier version
        raise damaged
    try:
        parts, report = dict(document["parts"]), MetadataReport.of(document["report"])
    except (TypeError, ValueError, KeyError):  # of another version
        raise damaged from None
    if any(not _PART.fullmatch(name) or check_hash(out, name, sha256) for name, sha256 in parts.items()):
        raise damaged
    return report, sorted(parts)


def read_verdicts(out: LocalStorage | Path, ids: Iterable[str] | None = None) -> pl.DataFrame:
    """Look up verdicts.

    Parameters
    ----------
    out : LocalStorage or Path
        As given to :func:`judge_metadata`.
    ids : iterable of str, optional
        Image ids in lower case; default is all.

    Returns
    -------
    DataFrame
        Of :data:`VERDICT_SCHEMA`, sorted by id; ids without a row are missing: nothing is known of them.

    Raises
    ------
    DamageError
        If the verdicts are unfinished or damaged.
    """
    table = pl.scan_parquet(whole_parts(out), glob=False)
    if ids is not None:
        table = table.filter(pl.col("image_id").is_in(sorted(set(ids))))
    with table_errors(f"{out} is damaged", "judge the metadata again"):
        return table.collect(engine="streaming").sort("image_id")


def _judge_part(evidence: Evidence, part: int, policy: EvidencePolicy, report: MetadataReport) -> pl.DataFrame:
    rows, images = evidence.rows.read(part), evidence.images.read(part)
    repeated = images.group_by("image", "file").len().filter(pl.col("len") > 1)
    report.repeated += int(repeated["len"].sum()) - repeated.height
    _add_examples(report.repeated_examples, repeated["image"].unique().sort())
    # where two lists disagree, the one that comes first in the order of paths
    images = images.unique("image", keep="first", maintain_order=True).with_columns(listed=pl.lit(value=True))
    seen = rows.filter(pl.col("code") == 0)
    seen = seen.group_by("image").agg(pl.col("flags").max())
    unlisted = seen.join(images, on="image", how="anti")
    report.listed += images.height
    report.unlabelled += images.join(seen, on="image", how="anti").height
    if evidence.has_list:
        report.unlisted += unlisted.height
        _add_examples(report.unlisted_examples, unlisted["image"].sort())
    strangers = unlisted.select(
        "image",
        split=pl.col("flags").replace_strict(dict(enumerate(SPLITS)), return_dtype=pl.String),
        listed=pl.lit(value=False),
    )
    known = pl.concat([images, strangers], how="diagonal").sort("image")
    judged = judge_table(rows, known["image"], evidence.labels, policy)
    ids = pl.Series("image_id", [f"{number:016x}" for number in known["image"].to_list()], dtype=pl.String)
    table = known.select(ids, "split", "listed", "rotation", pl.col("license").cast(pl.String).fill_null(""))
    merged = pl.concat([table, judged.drop("image")], how="horizontal")
    return merged.select(pl.col(name).cast(kind) for name, kind in VERDICT_SCHEMA.items())


def _add_examples(examples: list[str], images: pl.Series) -> None:
    examples += [f"{number:016x}" for number in images.head(EXAMPLES - len(examples)).to_list()]


def _clear(out: LocalStorage) -> None:
    """Remove what an earlier run left; the report first, since it says that the rest is complete."""
    if out.path.exists() and not out.path.is_dir():
        raise UsageError(f"{out} is a file: give a folder for the verdicts")
    out.remove(REPORT)
    for name in out.files():
        if _PART.fullmatch(name):
            out.remove(name)
