"""Checking all inputs, each once: results are kept between runs and used again while the file is unchanged."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import chain, count
from pathlib import Path
from typing import Generic

import polars as pl

from matting_data.detectors import registry
from matting_data.detectors.detector import BatchDetector, Detector, Thresholds
from matting_data.detectors.spec import resolved
from matting_data.errors import RefusedError
from matting_data.planning.selection import refusals
from matting_data.recipes.decisions import Decision, effective
from matting_data.recipes.recipe import Foregrounds
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.checked import CheckedBackground, CheckedForeground
from matting_data.records.columns import schema
from matting_data.records.fields import field_names, values, widened
from matting_data.records.found import FoundBackground, FoundForeground
from matting_data.records.kept_tables import keep_table, kept_table
from matting_data.records.tables import from_table, to_table
from matting_data.running.executor import Workers, run
from matting_data.running.progress import track
from matting_data.scanning.check_tasks import CheckBackgrounds, CheckForegrounds, CheckTask, Found, Input, Item
from matting_data.scanning.label_evidence import add_label_evidence
from matting_data.scanning.refusals import Refusals
from matting_data.shards.index import FORMAT
from matting_data.sources.find_backgrounds import BackgroundInput, find_backgrounds
from matting_data.sources.find_foregrounds import ForegroundInput, find_foregrounds
from matting_data.sources.inputs import state_of
from matting_data.sources.opened import OpenedBackgrounds, OpenedForegrounds
from matting_data.storage import LocalStorage, Storage, open_folder
from matting_data.storage.atomic import storage_errors
from matting_data.storage.refused import refusals as storage_refusals
from matting_data.version import __version__
from matting_data.workspace.colour_cache import ColourCache

_LOG = logging.getLogger(__package__)

_CHECKS = f"checks of {__version__}, {FORMAT}"
"""What a check finds, and how it is kept, may change with the code that checks."""

_NUMBERED = re.compile(r"([0-9]{6,})\.parquet\Z")
"""Files of results: of two that know the same input, the higher number knows it better."""

_SAVE_EVERY = 20.0
"""Seconds between saves: what a killed scan loses at most."""


@dataclass(frozen=True)
class ScannedBackgrounds:
    """All backgrounds of a recipe with their evidence.

    Attributes
    ----------
    records : list of CheckedBackground
        In the order they were found; those that :func:`refusals` refuses are as found.
    thresholds : Thresholds or None
        Those that the detector recommends.
    notes : list of str
        What a user should know of the files and the evidence: those left out, tables that are missing, malformed rows,
        and the like.
    """

    records: list[CheckedBackground]
    thresholds: Thresholds | None
    notes: list[str]


@dataclass(frozen=True)
class ScannedForegrounds:
    """All foregrounds of a recipe, in the order they were found, and what a user should know of files and tables."""

    records: list[CheckedForeground]
    notes: list[str]


def scan_backgrounds(
    recipe: LoadedRecipe,
    sources: Mapping[str, OpenedBackgrounds],
    cache: LocalStorage | Path,
    workers: Workers,
    decisions: Sequence[Decision] = (),
    skip_refused: bool = False,
) -> ScannedBackgrounds:
    """Find, check and score the backgrounds of a recipe; those that licence or labels reject are not looked at.

    Parameters
    ----------
    recipe : LoadedRecipe
        Says how they are judged.
    sources : mapping
        Of :func:`matting_data.sources.opened.open_backgrounds`.
    cache : LocalStorage or Path
        Folder for check results.
    workers : int or Executor
        Processes, or where else to run.
    decisions : sequence of Decision
        Backgrounds that people called clean are looked at, whatever their labels say.
    skip_refused : bool
        Go on without inputs that the system refused to read; they are ``failed`` then.

    Raises
    ------
    RefusedError
        The system refused to read some; what the others came to is kept.
    """
    cache = open_folder(cache)
    detector = load_detector(recipe)
    options = recipe.recipe.backgrounds
    max_pixels = round(options.max_megapixels * 1e6)
    check = CheckBackgrounds(options.min_side, max_pixels, detector)
    identity = f"{detector.name} {detector.version}" if detector else "none"
    notes: list[str] = []
    listed = find_backgrounds(sources, cache, notes)
    labelled, said = add_label_evidence(options.humans, sources, listed, cache)
    settings = f"{options.min_side} {max_pixels} {identity}"
    ruled_out = refusals([found.record for found in labelled], options)
    clean = {row.id for row in effective(decisions) if row.kind == "background" and row.tag == "clean"}
    items = [
        Item(
            found,
            _stamp(found, f"{found.record.rotation} {settings} {found.to_srgb}"),
            found.record.state != "failed"
            and ((found.record.state == "ok" and why is None) or found.record.id in clean),
        )
        for found, why in zip(labelled, ruled_out, strict=True)
    ]
    size = detector.batch_size if isinstance(detector, BatchDetector) else 1
    watch = Refusals("backgrounds", skip_refused)
    scan = _Scan(CheckedBackground, cache.below("backgrounds"), check, "checking backgrounds", workers, watch, size)
    records = scan.checked(items)
    return ScannedBackgrounds(records, detector.thresholds if detector else None, [*notes, *said])


def scan_foregrounds(
    rules: Foregrounds,
    sources: Mapping[str, OpenedForegrounds],
    cache: LocalStorage | Path,
    workers: Workers,
    colours: Storage | None = None,
    skip_refused: bool = False,
) -> ScannedForegrounds:
    """Find and check foregrounds; estimate clean colours where their source asks for that.

    Parameters
    ----------
    rules : Foregrounds
        A recipe's section.
    sources : mapping
        Of :func:`matting_data.sources.opened.open_foregrounds`.
    cache : LocalStorage or Path
        Folder for check results.
    colours : Storage, optional
        Where to keep the estimates, by default in `cache`.
    skip_refused : bool
        As of :func:`scan_backgrounds`; so are errors.
    """
    cache = open_folder(cache)
    notes: list[str] = []
    found = find_foregrounds(sources, rules.split.from_metadata, notes)
    if any(opened.source.estimates_colour for opened in sources.values()):
        import_module("pymatting")  # its first import compiles for a minute: before several workers do
    items = [
        Item(f, _stamp(f, f"{rules.min_side} {f.record.colour} {f.record.opaque_from} {f.to_srgb}")) for f in found
    ]
    check = CheckForegrounds(rules.min_side, ColourCache(colours or cache.below("colours")))
    watch = Refusals("foregrounds", skip_refused)
    scan = _Scan(CheckedForeground, cache.below("foregrounds"), check, "checking foregrounds", workers, watch)
    return ScannedForegrounds(scan.checked(items), notes)


def load_detector(recipe: LoadedRecipe) -> Detector | None:
    """Load the recipe's human detector; None where the recipe says ``none``."""
    spec = recipe.recipe.backgrounds.humans.detector
    return None if spec == "none" else registry.load(resolved(spec, recipe.resolve))


@dataclass
class _Scan(Generic[Found, Input]):
    """One kind of input: known results are read, the others computed and saved as they come."""

    record: type[Input]
    folder: LocalStorage
    check: CheckTask[Found, Input]
    label: str
    workers: Workers
    refusals: Refusals
    batch_size: int = 1
    _next: int = 0

    def checked(self, items: Sequence[Item[Found]]) -> list[Input]:
        with storage_refusals(self.folder.path):
            known = self._read()
        examined = [item for item in items if item.examined]
        missing = [
            item for item in examined if not item.stamp or known.get(item.found.record.id, ("",))[0] != item.stamp
        ]
        batch: list[tuple[str, Input]] = []
        saved = time.monotonic()
        batches = [missing[at : at + self.batch_size] for at in range(0, len(missing), self.batch_size)]
        results = chain.from_iterable(run(self.check, batches, self.workers))
        try:
            done = len(examined) - len(missing)
            _LOG.info("%s: %d found, %d of them checked before", self.label, len(items), done)
            for stamp, result in track(results, len(examined), self.label, "images", done):
                known[result.id] = (stamp or "", result)
                self.refusals.meet(result)
                if stamp and result.state != "failed":  # nothing is known of what was not read
                    batch.append((stamp, result))
                if time.monotonic() - saved > _SAVE_EVERY:
                    with storage_refusals(self.folder.path):
                        self._save(batch)
                    batch, saved = [], time.monotonic()
        finally:
            with storage_refusals(self.folder.path):
                self._save(batch)
        records = [
            _as_found(item.found.record, known[item.found.record.id][1])
            if item.examined
            else widened(item.found.record, self.record)
            for item in items
        ]
        self.refusals.settle(records)
        return records

    def _read(self) -> dict[str, tuple[str, Input]]:
        known: dict[str, tuple[str, Input]] = {}
        columns = {**schema(self.record), "stamp": pl.String}
        for number, name in sorted((int(found[1]), name) for name in self._names() if (found := _NUMBERED.match(name))):
            table = kept_table(self.folder, name, columns)
            if table is not None:  # else foreign, damaged or of another version: checking again replaces what it held
                rows = zip(table["stamp"].to_list(), from_table(table, self.record), strict=True)
                known.update((row.id, (stamp, row)) for stamp, row in rows)
                self._next = number + 1
        return known

    def _save(self, batch: Sequence[tuple[str, Input]]) -> None:
        if not batch:
            return
        table = to_table([row for _, row in batch], self.record)
        table = table.with_columns(pl.Series("stamp", [stamp for stamp, _ in batch], pl.String))
        taken = self._names()
        self._next = next(n for n in count(self._next) if f"{n:06d}.parquet" not in taken)
        keep_table(self.folder, f"{self._next:06d}.parquet", table)

    def _names(self) -> set[str]:
        """List what lies in the folder of results, which may be anything."""
        with storage_errors(self.folder.path):
            return self.folder.names()


def _as_found(found: FoundForeground | FoundBackground, result: Input) -> Input:
    """Give a result that was kept what its source says today, which may have changed without the file."""
    said = dict(zip(field_names(type(found)), values(found), strict=True))
    return replace(result, **said | {"state": result.state, "reason": result.reason, "detail": result.detail})


def _stamp(found: ForegroundInput | BackgroundInput, settings: str) -> str | None:
    """Say which state of an input's files, and which settings, a check result belongs to; None if that is refused."""
    try:
        return " ".join([*map(state_of, found.files), settings, _CHECKS])
    except RefusedError:
        return None
