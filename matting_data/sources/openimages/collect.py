"""Reading all tables of a metadata folder once: what they say of humans goes to disk, sorted into parts."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from matting_data.humans.evidence_table import BOX, DEPICTION, GROUP, MACHINE, ROW_SCHEMA, VERIFIED, codes
from matting_data.humans.labels import LabelSet, load_label_set
from matting_data.sources.openimages.blocks import BLOCK_BYTES, Block, open_table
from matting_data.sources.openimages.classes import known_labels
from matting_data.sources.openimages.findings import EXAMPLES, FileReport, MetadataReport
from matting_data.sources.openimages.recognise import Metadata, MetadataFile
from matting_data.sources.openimages.spill import Spill, parts_for
from matting_data.sources.openimages.usable_rows import Problems, Rows, ids_to_numbers, parse, runs_of
from matting_data.storage import LocalStorage, open_folder

IMAGE_SCHEMA: dict[str, Any] = {
    "image": pl.UInt64,
    "file": pl.UInt16,
    "split": pl.String,
    "rotation": pl.Int16,
    "license": pl.Categorical,
}
SPLITS = ("", "train", "validation", "test")
_KINDS = {"boxes": BOX, "verified": VERIFIED, "machine": MACHINE}
_MOST_UNKNOWN = 10_000


@dataclass
class Evidence:
    """All that a metadata folder says, sorted into parts.

    Attributes
    ----------
    labels : LabelSet
        Which labels mean a human, completed by the folder's own hierarchy.
    rows, images : Spill
        Evidence as of :data:`ROW_SCHEMA`, where the ``flags`` of rows with code 0 are the place of their file's split
        in :data:`SPLITS`; and the lists of images.
    report : MetadataReport
        Of the reading; verdicts complete it.
    has_list : bool
        Whether there is a list of images to hold ids against.
    """

    labels: LabelSet
    rows: Spill
    images: Spill
    report: MetadataReport
    has_list: bool


def collect(
    metadata: Metadata,
    folder: LocalStorage | Path,
    workers: int | None = None,
    block_bytes: int = BLOCK_BYTES,
    advance: Callable[[int], object] | None = None,
) -> Evidence:
    """Read every table of a metadata folder once.

    Parameters
    ----------
    metadata : Metadata
        From :func:`matting_data.sources.openimages.recognise.recognise`.
    folder : LocalStorage or Path
        Empty folder for the parts, about a tenth of the metadata's size; the caller removes it.
    workers : int, optional
        Threads; default is one a core, at most four.
    block_bytes : int
        Size of the blocks in which files are read; memory is some ten times `workers` times this.
    advance : callable, optional
        Called with the size in bytes of each block that is begun; all come to about ``metadata.total_bytes``.

    Raises
    ------
    UsageError
        If a table lacks a column, or is damaged or cut short so that it cannot be read on.
    """
    labels, described = known_labels(metadata, load_label_set())
    parts = parts_for(metadata.total_bytes)
    folder = open_folder(folder)
    rows = Spill(folder.below("rows"), parts, ROW_SCHEMA)
    images = Spill(folder.below("images"), parts, IMAGE_SCHEMA)
    report = MetadataReport(ignored=list(metadata.ignored), weaker=list(metadata.missing()))
    evidence = Evidence(labels, rows, images, report, has_list=bool(metadata.of("images")))
    reader = _Reader(evidence, described, workers or min(4, os.cpu_count() or 1), block_bytes, advance)
    for number, file in enumerate(metadata.of("images", "boxes", "verified", "machine")):
        name = file.path.relative_to(metadata.root).as_posix()
        evidence.report.files.append(reader.read(file, number, FileReport(name, file.kind)))
    evidence.rows.flush()
    evidence.images.flush()
    evidence.report.unknown_labels = dict(reader.unknown.most_common(EXAMPLES))
    return evidence


@dataclass(frozen=True)
class _Extract:
    """What a block comes to."""

    table: pl.DataFrame
    rows: int
    problems: Problems
    unknown: dict[str, int]


@dataclass
class _Reader:
    evidence: Evidence
    described: frozenset[str] | None
    workers: int
    block_bytes: int
    advance: Callable[[int], object] | None
    unknown: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._codes = codes(self.evidence.labels)
        label = pl.col("LabelName")
        self._speaks = label.is_in(list(self._codes))
        self._unknown = pl.lit(value=False) if self.described is None else ~label.is_in(sorted(self.described))

    def read(self, file: MetadataFile, number: int, report: FileReport) -> FileReport:
        table = open_table(file, self.block_bytes)
        spill = self.evidence.images if file.kind == "images" else self.evidence.rows

        def extract(block: Block) -> _Extract:
            rows = parse(block, table.layout)
            return _images(rows, file, number) if file.kind == "images" else self._evidence_of(rows, file)

        def blocks() -> Iterator[Block]:
            for block in table.blocks:
                data = block.data
                report.unterminated = isinstance(data, bytes) and not data.endswith(b"\n")
                if self.advance is not None:
                    self.advance(len(data) if isinstance(data, bytes) else int(data.estimated_size()))
                yield block

        for found in _in_order(extract, blocks(), self.workers):
            report.rows += found.rows
            report.add_problems(found.problems)
            self.evidence.report.unknown_rows += sum(found.unknown.values())
            self.unknown.update(found.unknown)
            if len(self.unknown) > _MOST_UNKNOWN:
                self.unknown = Counter(dict(self.unknown.most_common(_MOST_UNKNOWN // 2)))
            spill.add(found.table)
        return report

    def _evidence_of(self, rows: Rows, file: MetadataFile) -> _Extract:
        table, kind = rows.table, _KINDS[file.kind]
        runs = rows.runs if kind != BOX else runs_of(table.filter(pl.col("Confidence") > 0))
        by_file = pl.lit(kind, pl.UInt8)
        by_source = pl.when(pl.col("Source") == "machine").then(pl.lit(MACHINE, pl.UInt8))
        group, depiction = ((pl.col(flag) == 1).cast(pl.UInt8) for flag in ("IsGroupOf", "IsDepiction"))
        flags = GROUP * group + DEPICTION * depiction if kind == BOX else pl.lit(0)
        speaking = table.filter(self._speaks).select(
            ids_to_numbers(pl.col("ImageID")).alias("image"),
            (by_source.otherwise(pl.lit(VERIFIED, pl.UInt8)) if "Source" in table.columns else by_file).alias("kind"),
            pl.col("LabelName").replace_strict(self._codes, return_dtype=pl.UInt16).alias("code"),
            pl.col("Confidence").alias("confidence"),
            flags.cast(pl.UInt8).alias("flags"),
            pl.lit(0, pl.UInt32).alias("rows"),  # the runs below count every row
        )
        if kind == BOX:
            speaking = speaking.unique()
        split = SPLITS.index(file.split) if file.split in SPLITS else 0
        seen = runs.select(
            "image",
            by_file.alias("kind"),
            pl.lit(0, pl.UInt16).alias("code"),
            pl.lit(1.0).alias("confidence"),
            pl.lit(split, pl.UInt8).alias("flags"),
            pl.col("rows").cast(pl.UInt32),
        )
        unknown = dict(table.filter(self._unknown).group_by("LabelName").agg(pl.len()).iter_rows())
        return _Extract(pl.concat([speaking, seen]), table.height, rows.problems, unknown)


def _images(rows: Rows, file: MetadataFile, number: int) -> _Extract:
    table = rows.table
    names = ("Subset", "Rotation", "License")
    subset, rotation, license_ = (pl.col(name) if name in table.columns else pl.lit("") for name in names)
    own = "" if file.split == "all" else file.split
    slim = table.select(
        ids_to_numbers(pl.col("ImageID")).alias("image"),
        pl.lit(number, pl.UInt16).alias("file"),
        pl.when(subset.fill_null("") == "").then(pl.lit(own)).otherwise(subset).alias("split"),
        rotation.cast(pl.Float64, strict=False).fill_nan(None).cast(pl.Int16, strict=False).alias("rotation"),
        license_.fill_null("").cast(pl.Categorical).alias("license"),
    )
    return _Extract(slim, table.height, rows.problems, {})


def _in_order(extract: Callable[[Block], _Extract], blocks: Iterator[Block], workers: int) -> Iterator[_Extract]:
    """Apply `extract` in threads (polars leaves the interpreter lock), holding few blocks, in the blocks' order."""
    waiting: deque[Future[_Extract]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for block in blocks:
            waiting.append(pool.submit(extract, block))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
