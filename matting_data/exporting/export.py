"""Exporting: a finished dataset into a new folder of another layout, all of it or nothing."""

from __future__ import annotations

import importlib
import logging
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from matting_data.errors import StorageError, UsageError, nearest
from matting_data.exporting.source import Source
from matting_data.exporting.staging import Staging
from matting_data.publishing.attribution import FILE_NAME as ATTRIBUTION
from matting_data.publishing.card import FILE_NAME as CARD
from matting_data.publishing.card import export_card
from matting_data.running.progress import bar
from matting_data.storage.atomic import atomic_folder, storage_errors

_LOG = logging.getLogger(__package__)

FORMATS = MappingProxyType({"hf-webdataset": "hub_webdataset", "hf-imagefolder": "hub_imagefolder",
                            "composition-1k": "composition_1k", "coco": "coco", "mds": "mds"})  # fmt: skip
"""Formats, and the module of this package that writes each.

A module has `estimate`, which says about how many bytes the export takes; `write`, which writes the files of all splits
and counts samples on the progress bar; and `layout`, which says in Markdown what lies where and how to read it.
"""


@dataclass(frozen=True)
class Options:
    """What an exporter may be told.

    Attributes
    ----------
    link : bool
        Hard links instead of copies where bytes are the same.
    sources : bool
        Also write what only the recipe's sources hold (``composition-1k``: foregrounds and backgrounds).
    """

    link: bool = False
    sources: bool = True


_DEFAULTS = Options()


@dataclass(frozen=True)
class ExportResult:
    """A finished export; `bytes` counts what was written, `linked` the files that took no space."""

    out: Path
    format: str
    splits: tuple[str, ...]
    samples: int
    files: int
    bytes: int
    linked: int


def export(
    dataset: Path,
    form: str,
    out: Path,
    splits: Sequence[str] = (),
    options: Options = _DEFAULTS,
    base: Path | None = None,
) -> ExportResult:
    """Write a dataset in another layout.

    A card with the licence terms goes with every export, and ATTRIBUTION.csv where there is one.

    Parameters
    ----------
    dataset : Path
        A finished dataset.
    form : str
        A key of :data:`FORMATS`.
    out : Path
        New or empty; it appears when everything is written.
    splits : sequence of str
        Splits to export; all by default.
    options : Options, optional
        As above.
    base : Path, optional
        Folder where the recipe's relative paths start, where the dataset came without its ``.work``.

    Raises
    ------
    DamageError
        The dataset is unfinished or damaged.
    StorageError
        `out` is taken, or there is too little space.
    UsageError
        No such format or split, `out` lies inside the dataset, ids differ by case only, or sources that are needed are
        not at hand.
    """
    if form not in FORMATS:
        raise UsageError(f"format {form!r} is not one of {', '.join(FORMATS)}{nearest(form, FORMATS)}")
    exporter = importlib.import_module(f"matting_data.exporting.{FORMATS[form]}")
    source = Source.open(dataset, splits, base)
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UsageError(
            f"{out} lies inside the dataset {dataset}, which holds nothing but its own files: name another"
        )
    rows = source.rows()
    samples = len(rows)
    _require_distinct_names({row.foreground for row in rows})
    _LOG.info("exporting %d samples of %s as %s", samples, dataset, form)
    with atomic_folder(out) as folder:
        _require_space(folder, exporter.estimate(source, options), out)
        staging = Staging(folder, options.link)
        with bar(samples, "exporting", "samples") as progress:
            exporter.write(source, staging, options, progress)
        # split → pattern, only in a layout that the hub's loader finds its files by
        data_files = exporter.data_files(source) if hasattr(exporter, "data_files") else {}
        staging.add(CARD, export_card(source.card_inputs, exporter.layout(source, options), data_files))
        with storage_errors(dataset / ATTRIBUTION):
            staging.add(ATTRIBUTION, (dataset / ATTRIBUTION).read_bytes())
    _LOG.info("exported to %s: %d files, %d bytes", out, staging.files, staging.bytes)
    return ExportResult(out, form, source.splits, samples, staging.files, staging.bytes, staging.linked)


def _require_distinct_names(ids: Iterable[str]) -> None:
    """Refuse ids of a dataset of an older version that would be one file on macOS and Windows."""
    known: dict[str, str] = {}
    for identity in sorted(ids):
        other = known.setdefault(identity.lower(), identity)
        if other != identity:
            raise UsageError(
                f"the ids {other!r} and {identity!r} differ by case only, and macOS and Windows take their files for "
                "one: build the dataset again, which tells them apart"
            )


def _require_space(folder: Path, needed: int, out: Path) -> None:
    with storage_errors(folder):
        free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"the export to {out} needs about {needed / 1e9:.2f} GB and {free / 1e9:.2f} GB are free: free some space, "
            "name another place, or export one --split"
        )
