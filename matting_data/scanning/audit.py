"""Auditing a filter: the files of a sample to label, and the rates that come of the labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matting_data.configuration import decoded
from matting_data.errors import RejectedInput, UsageError
from matting_data.foreign_text import csv_bytes, from_csv_cell
from matting_data.humans.audit_sample import Rate, draw_sample, estimate, stratum_of
from matting_data.planning.apply_decisions import REASONS
from matting_data.records.judged import JudgedBackground
from matting_data.records.tables import read_table
from matting_data.reporting.contact_sheet import grid, tile, write_sheet
from matting_data.sources.decoded import load_background
from matting_data.sources.inputs import read_input
from matting_data.sources.opened import OpenedBackgrounds, open_backgrounds
from matting_data.storage import open_folder
from matting_data.storage.atomic import write_bytes
from matting_data.storage.refused import is_file, looked_up, refusals
from matting_data.storage.regular_files import read_regular
from matting_data.workspace.work_folder import saved_recipe

COLUMNS = ("id", "stratum", "path", "score", "person")
RESULT = "audit.json"
_TABLE = "backgrounds.parquet"
_PAGE = 40
_MOST_BYTES = 64 << 20
"""Of a table of labels, which has a line for each background drawn."""

_YES, _NO = {"1", "yes", "y", "true"}, {"0", "no", "n", "false"}


def kept_backgrounds(out: Path) -> list[JudgedBackground]:
    """Read the backgrounds that a filter or a build in `out` kept; UsageError where there is neither."""
    path = out / _TABLE
    if not is_file(path):
        raise UsageError(f"{out} holds no filtered backgrounds: run 'mattingdata filter' or 'build' with --out {out}")
    return [record for record in read_table(path, JudgedBackground) if record.state == "ok"]


def write_sample(out: Path, folder: Path, count: int, seed: int, base: Path | None = None) -> list[JudgedBackground]:
    """Draw a sample to label: ``audit.csv`` with an empty column ``person``, and numbered contact sheets.

    Parameters
    ----------
    out : Path
        Of a filter or a build.
    folder : Path
        Where to write; an ``audit.csv`` that is there already is refused, since it may hold labels.
    count, seed : int
        As for :func:`matting_data.humans.audit_sample.draw_sample`.
    base : Path, optional
        Folder where the recipe's relative paths start.
    """
    table = folder / "audit.csv"
    if looked_up(table) is not None:
        raise UsageError(f"{table} exists and may hold labels: name another folder, or remove it")
    sample = draw_sample(kept_backgrounds(out), count, seed)
    if not sample:
        raise UsageError(f"{out} kept no background: there is nothing to audit")
    rows = ((b.id, stratum_of(b), b.path, "" if b.score is None else f"{b.score:.4f}", "") for b in sample)
    sources = open_backgrounds(saved_recipe(out, base))
    for page in range(0, len(sample), _PAGE):
        tiles = [_tile(sources, record, page + n + 2) for n, record in enumerate(sample[page : page + _PAGE])]
        write_sheet(folder / f"audit-{page // _PAGE:03d}.png", grid(tiles, columns=8))
    write_bytes(table, csv_bytes(COLUMNS, rows))
    return sample


def read_labels(table: Path) -> dict[str, bool]:
    """Read the filled-in ``audit.csv``; rows whose ``person`` is empty are not labelled yet.

    Raises
    ------
    UsageError
        The file is missing, lacks a column, holds a label that is neither yes nor no, or labels one twice.
    """
    try:
        with refusals(table):
            text = decoded(read_regular(table, _MOST_BYTES), str(table))
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except (OSError, csv.Error) as error:
        raise UsageError(f"cannot read the labels {table}: {error}") from None
    labels = {}
    for number, row in enumerate(rows, start=2):
        identity, word = from_csv_cell(row.get("id") or "").strip(), (row.get("person") or "").strip().lower()
        if not identity:
            raise UsageError(f"{table} line {number} has no id: keep the columns that 'mattingdata audit' wrote")
        if word not in _YES | _NO | {""}:
            raise UsageError(f"{table} line {number}: person is {word!r}; write 1 where somebody is to be seen, else 0")
        if identity in labels:
            raise UsageError(f"{table} line {number}: {identity!r} is labelled twice; remove one row")
        if word:
            labels[identity] = word in _YES
    return labels


def rates(out: Path, labels: dict[str, bool]) -> list[Rate]:
    """Estimate the residual share of persons in what `out` kept, and keep the result beside it as ``audit.json``.

    Labels of backgrounds that have been rejected since do not count; UsageError where labels are of none that `out`
    has, or no label counts.
    """
    kept = kept_backgrounds(out)
    known = {record.id for record in kept}
    if not labels.keys() & known:
        raise UsageError(f"none of the {len(labels)} labels is of a background that {out} kept: use its audit.csv")
    strange = sorted(labels.keys() - {record.id for record in read_table(out / _TABLE, JudgedBackground)})
    if strange:
        raise UsageError(
            f"{len(strange)} labels are of no background of {out}, such as {strange[0]!r}: use its audit.csv"
        )
    result = estimate(kept, labels)
    document = [asdict(rate) | {"share": None if rate.labelled == 0 else rate.share} for rate in result]
    open_folder(out).write(RESULT, (json.dumps(document, indent=1) + "\n").encode())
    return result


def removed_by_hand(out: Path) -> list[JudgedBackground]:
    """Read the backgrounds that the filter kept and a person called ``human`` in a decision: its known misses."""
    path = out / _TABLE
    records = read_table(path, JudgedBackground) if is_file(path) else []
    return [record for record in records if record.reason == REASONS["human"]]


def rate_lines(found: Sequence[Rate]) -> list[str]:
    """Say it in lines for people."""
    width = max(len(rate.stratum) for rate in found)
    return [
        f"{rate.stratum.ljust(width)}  {rate.persons} of {rate.labelled} looked at show a person "
        + (f"({rate.share:.1%}, 95 % interval {rate.low:.1%} to {rate.high:.1%}); " if rate.labelled else "; ")
        + f"{rate.kept} kept"
        for rate in found
    ]


def _tile(sources: Mapping[str, OpenedBackgrounds], record: JudgedBackground, line: int) -> NDArray[np.uint8]:
    try:
        data = read_input(sources[record.source].file(record))
        picture = load_background(data, rotation=record.rotation, srgb=bool(record.profile))
    except RejectedInput as problem:
        raise UsageError(
            f"{record.path} cannot be shown ({problem.detail}): restore the sources, or name --base"
        ) from None
    return tile([picture], f"line {line}: {record.id}")
