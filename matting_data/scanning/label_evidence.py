"""What the labels of OpenImages and the polygons of SUN say of the backgrounds that were found, read once and kept."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, replace
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from matting_data.errors import DamageError, RefusedError, RejectedInput, UsageError
from matting_data.humans.evidence import EvidencePolicy
from matting_data.humans.evidence_table import ROW_SCHEMA, judge_table
from matting_data.humans.labels import load_label_set
from matting_data.humans.polygon_evidence import judge_polygons
from matting_data.recipes.recipe import source_name
from matting_data.recipes.recipe_backgrounds import Humans, OpenImagesRules, SunRules
from matting_data.records.codes import REFUSED
from matting_data.records.columns import schema
from matting_data.records.kept_tables import keep_table, kept_table
from matting_data.records.tables import from_table, to_table
from matting_data.running.progress import bar, track
from matting_data.sources.find_backgrounds import BackgroundInput, openimages_id
from matting_data.sources.find_files import nearest_sibling
from matting_data.sources.inputs import read_input, state_of
from matting_data.sources.opened import OpenedBackgrounds
from matting_data.sources.openimages.findings import MetadataReport
from matting_data.sources.openimages.recognise import Metadata, recognise
from matting_data.sources.openimages.verdicts import judge_metadata, read_report, read_verdicts
from matting_data.sources.sun.annotations import legible_names, parse_annotation, standing_names
from matting_data.sources.walk import files_below
from matting_data.storage import LocalStorage
from matting_data.storage.refused import is_folder
from matting_data.version import __version__


def add_label_evidence(
    humans: Humans, sources: Mapping[str, OpenedBackgrounds], found: Sequence[BackgroundInput], cache: LocalStorage
) -> tuple[list[BackgroundInput], list[str]]:
    """Judge found backgrounds by what their own sources' annotators said of them.

    Parameters
    ----------
    humans : Humans
        Holds the policies.
    sources : mapping
        Of :func:`matting_data.sources.opened.open_backgrounds`; they name the tables.
    found : sequence of BackgroundInput
        All backgrounds of the sources.
    cache : LocalStorage
        Folder where verdicts are kept until the tables, the policy or the lists of labels change.

    Returns
    -------
    (list of BackgroundInput, list of str)
        The backgrounds with tier, label verdict, rotation and licence, and what a user should know.

    Raises
    ------
    UsageError
        A folder of tables or annotations is missing, or a table cannot be read.
    """
    by_source = defaultdict(list)
    for entry in found:
        by_source[entry.record.source].append(entry)
    result, notes = [], list[str]()
    for name, opened in sources.items():
        entries = by_source[name]
        if opened.source.layout == "openimages":
            entries = _openimages(humans.openimages, opened, entries, cache.below(f"openimages-{name}"), notes)
        elif opened.source.layout == "sun":
            entries = _sun(humans.sun, opened, entries, cache, notes)
        result += entries
    return result, notes


def _openimages(
    policy: OpenImagesRules,
    opened: OpenedBackgrounds,
    entries: list[BackgroundInput],
    folder: LocalStorage,
    notes: list[str],
) -> list[BackgroundInput]:
    ids = {entry.record.id: openimages_id(entry.record.path) for entry in entries}
    name = source_name(opened.source)
    nameless = sum(not identity for identity in ids.values())
    if not entries:
        notes.append(f"{name}: the folder {opened.source.images} holds no image")
    if nameless:
        notes.append(f"{name}: {nameless} files are not called by an OpenImages id: no label tells of them")
    rows: dict[str, dict[str, Any]] = {}
    if opened.metadata is None:
        notes.append(f"{name}: no 'metadata' is given: the labels say nothing, the detector alone decides")
    else:
        metadata = recognise(opened.metadata)
        report = judged(metadata, policy, folder, f"reading the tables of {name}")
        notes += [f"{name}: {sentence}" for sentence in report.sentences()]
        wanted = [identity for identity in ids.values() if identity]
        table = read_verdicts(folder, wanted)
        rows = {row["image_id"]: row for row in table.iter_rows(named=True)}
        unknown = len(entries) - nameless - sum(identity in rows for identity in ids.values())
        if unknown:
            notes.append(f"{name}: {unknown} photographs have no row in any table: nothing is known of them")
    nothing = judge_table(pl.DataFrame(schema=ROW_SCHEMA), pl.Series([0], dtype=pl.UInt64), load_label_set(), policy)
    silent = nothing.row(0, named=True)
    return [_with(entry, rows.get(ids[entry.record.id], silent)) for entry in entries]


def judged(metadata: Metadata, policy: EvidencePolicy, folder: LocalStorage, label: str) -> MetadataReport:
    """Read the report of verdicts that lie in `folder`, judging anew unless tables, policy and lists are the same.

    Parameters
    ----------
    metadata : Metadata
        The tables.
    policy : EvidencePolicy
        What each tier leads to.
    folder : LocalStorage
        Where verdicts are kept.
    label : str
        What the progress bar says.
    """
    files = [(str(file.path), file.status.st_size, file.status.st_mtime_ns) for file in metadata.files]
    labels = resources.files("matting_data.manifests") / "labels"
    lists = [entry.read_bytes() for entry in sorted(labels.iterdir(), key=lambda entry: entry.name)]
    key = hashlib.sha256(repr((__version__, files, astuple(policy), lists)).encode()).hexdigest()
    with suppress(DamageError):  # never judged, or another version's: judging repairs it
        if (report := read_report(folder)).key == key:
            return report
    with bar(metadata.total_bytes, label, "B") as progress:
        progress.unit_scale = True
        return judge_metadata(metadata, folder, policy, advance=progress.update, key=key)


def _with(entry: BackgroundInput, row: dict[str, Any]) -> BackgroundInput:
    record = replace(
        entry.record,
        tier=row["tier"],
        label_verdict=row["verdict"],
        label_reason=row["reason"],
        label_rows=row["decided_by"],
        rotation=row.get("rotation") or 0,
        license=row.get("license") or entry.record.license,
    )
    return replace(entry, record=record)


@dataclass(frozen=True, slots=True)
class _Annotation:
    """What was read of one LabelMe file: the names that count, and those legible where a `problem` hid others.

    Without a `stamp` the system did not let it be read, which `problem` tells: it is not kept.
    """

    path: str
    stamp: str
    names: list[str]
    problem: str


def _sun(
    policy: SunRules, opened: OpenedBackgrounds, entries: list[BackgroundInput], cache: LocalStorage, notes: list[str]
) -> list[BackgroundInput]:
    name = source_name(opened.source)
    photographs = [entry.record.path for entry in entries]
    annotations: dict[str, _Annotation] = {}
    if opened.annotations is None:
        notes.append(f"{name}: no 'annotations' are given: the detector alone decides")
    else:
        annotations = _read_annotations(opened.annotations, photographs, cache, name)
        notes.append(f"{name}: {len(annotations)} of {len(entries)} photographs have an annotation")
    bad = [annotation for annotation in annotations.values() if annotation.problem and annotation.stamp]
    if bad:
        notes.append(
            f"{name}: {len(bad)} annotations cannot be read, such as {bad[0].path} "
            f"({bad[0].problem}): the policy's 'unreadable' says what becomes of those photographs"
        )
    result = []
    for entry in entries:
        annotation = annotations.get(entry.record.path)
        names, problem = (annotation.names, annotation.problem) if annotation else (None, "")
        if annotation and not annotation.stamp:
            refused = replace(entry.record, state="failed", reason=REFUSED, detail=problem)
            result.append(replace(entry, record=refused))
            continue
        result.append(_with(entry, asdict(judge_polygons(names, policy, problem))))
    return result


def _read_annotations(root: Path, photographs: Sequence[str], cache: LocalStorage, name: str) -> dict[str, _Annotation]:
    """Read the annotations of photographs below `root`, by photograph; unchanged ones as they were kept."""
    if not is_folder(root):
        raise UsageError(f"there is no folder {root}{nearest_sibling(root) or '; give SUN2012/Annotations'}")
    kept, columns = f"polygons-{name}.parquet", schema(_Annotation)
    table = kept_table(cache, kept, columns)
    known = {} if table is None else {row.path: row for row in from_table(table, _Annotation)}
    found = files_below(root, f"the annotations of {name}")
    present = {path.lower(): path for path in found if path.lower().endswith(".xml")}
    places = {photograph: place for photograph in photographs if (place := _annotation_of(photograph, present))}
    wanted = sorted(set(places.values()))
    if present and not wanted:
        raise UsageError(
            f"none of the {len(present)} files in {root}, such as {min(present.values())}, belongs to a photograph: "
            "give the folder above the letters a to z, SUN2012/Annotations"
        )
    result = {}
    for path in track(wanted, len(wanted), name, "annotations"):
        before = known.get(path)
        try:
            stamp = f"{root} {state_of(root / path).removeprefix(f'{root / path} ')} {__version__}"
            result[path] = before if before and before.stamp == stamp else _read_annotation(path, root / path, stamp)
        except RefusedError as problem:
            result[path] = _Annotation(path, "", [], problem.why)
    if any(annotation is not known.get(path) for path, annotation in result.items()):
        read = [annotation for annotation in result.values() if annotation.stamp]
        keep_table(cache, kept, to_table(read, _Annotation))
    return {photograph: result[place] for photograph, place in places.items()}


def _annotation_of(photograph: str, present: Mapping[str, str]) -> str | None:
    """Find the annotation that has a photograph's path from the letter on, whatever its name and folders before it."""
    parts = str(PurePosixPath(photograph).with_suffix(".xml")).lower().split("/")
    tails = ("/".join(parts[start:]) for start in range(len(parts) - 1))
    return next((present[tail] for tail in tails if tail in present), None)


def _read_annotation(path: str, file: Path, stamp: str) -> _Annotation:
    data = b""
    try:
        data = read_input(file)
        return _Annotation(path, stamp, standing_names(parse_annotation(data)), "")
    except RejectedInput as problem:
        names = legible_names(data) if problem.reason == "annotation_unreadable" else []
        return _Annotation(path, stamp, names, f"{problem.reason}: {problem.detail}")
