"""Opening a dataset in FiftyOne: import what is new, save the views, serve the app, take tags back."""

from __future__ import annotations

import hashlib
import secrets
import socket
import sys
import webbrowser
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from matting_data.browsing import views
from matting_data.browsing.background_entries import BackgroundEntries
from matting_data.browsing.composite_entries import TRIMAP_TARGETS, CompositeEntries
from matting_data.browsing.database import open_fiftyone
from matting_data.browsing.entries import identity_of
from matting_data.browsing.guard import PARAMETER
from matting_data.browsing.guarded_server import start_session
from matting_data.browsing.importing import Imported, import_entries, is_current
from matting_data.browsing.picture_cache import MediaCache, default_cache
from matting_data.browsing.prediction_entries import PredictionEntries
from matting_data.browsing.tags import collect_tags
from matting_data.errors import UsageError
from matting_data.recipes.decisions import FILE_NAME, Decision, append, decisions_path
from matting_data.records.judged import JudgedBackground
from matting_data.records.tables import read_table
from matting_data.shards.index import INDEX, read_index
from matting_data.storage.atomic import sha256_file
from matting_data.workspace.work_folder import saved_recipe

Shows = Literal["composites", "backgrounds", "predictions"]

_FORMAT = "1"
"""Counts up with what an import writes, so that a newer version imports anew."""

_ACTIVE = {
    "composites": ["alpha", "trimap"],
    "backgrounds": ["humans", "verdict", "reason"],
    "predictions": ["alpha", "error"],
}
"""What is drawn over the grid at first sight."""

_BOOKKEEPING = {"id", "filepath", "created_at", "last_modified_at", "key", "in_cache", "pictures", "identity"}
"""Fields that nobody filters by; they stand in a folded group at the end of the sidebar."""

_INDEXED = ("split", "subset", "foreground", "background", "reason")
"""Fields that people filter by, quick also among many samples."""

_TRIMAP_COLOURS = {128: "#ff2ec4", 255: "#2e86de"}


@dataclass(frozen=True)
class BrowseOptions:
    """What to open, and how.

    Attributes
    ----------
    shows : {"composites", "backgrounds", "predictions"}
    run : Path or None
        Folder of predictions.
    split : str
        Which split they are of.
    base : Path or None
        Folder where the recipe's relative paths start, for a dataset without its ``.work``.
    cache : Path or None
        Folder of pictures; by default that of the user.
    cache_bytes : int
        Limit for all of it.
    side : int
        Longer side of the pictures, in pixels.
    workers : int
        Threads that make pictures.
    """

    shows: Shows = "composites"
    run: Path | None = None
    split: str = "test"
    base: Path | None = None
    cache: Path | None = None
    cache_bytes: int = 20 * 10**9
    side: int = 1024
    workers: int = 4


@dataclass(frozen=True)
class Opened:
    """A FiftyOne dataset that is up to date; `imported` is None where there was nothing to do."""

    dataset: Any
    imported: Imported | None


def open_dataset(root: Path, options: BrowseOptions) -> Opened:
    """Bring the FiftyOne dataset of a folder up to date, or make it.

    Raises
    ------
    MissingExtraError
        FiftyOne or its database is not there.
    UsageError
        `root` holds nothing to browse.
    DamageError
        It is unfinished or damaged.
    """
    index = _index(root, options)
    fo = open_fiftyone()
    name = dataset_name(root, index, options)
    dataset = fo.load_dataset(name) if fo.dataset_exists(name) else fo.Dataset(name, persistent=True)
    cache = MediaCache(options.cache or default_cache(), name, options.cache_bytes)
    signature = _signature(root, index, options)
    if is_current(dataset, signature, cache):
        return Opened(dataset, None)
    dataset.info.update(signature="", shows=options.shows, dataset=str(root.resolve()))
    dataset.save()
    entries = _entries(root, index, options)
    imported = import_entries(fo, dataset, entries, len(entries), cache, options.workers)
    if not dataset.count():
        raise UsageError(f"{root} has nothing to browse: its ledger says where every input ended")
    configure(fo, dataset, options.shows)
    metrics = entries.metrics if isinstance(entries, PredictionEntries) else ()
    wanted = chain(views.prediction_views(dataset, metrics), views.composite_views(fo, dataset))
    views.save_views(dataset, views.background_views(fo, dataset) if options.shows == "backgrounds" else wanted)
    if not imported.without_pictures:
        dataset.info["signature"] = signature
        dataset.save()
    return Opened(dataset, imported)


def imported_dataset(root: Path, options: BrowseOptions) -> Any:
    """Load the FiftyOne dataset of a folder as it was imported last; UsageError where it never was."""
    name = dataset_name(root, _index(root, options), options)
    fo = open_fiftyone()
    if not fo.dataset_exists(name):
        raise UsageError(f"{root} was not opened with 'mattingdata browse' yet: there are no tags to export")
    return fo.load_dataset(name)


def dataset_name(root: Path, index: Mapping[str, Any] | None, options: BrowseOptions) -> str:
    """Name a folder's dataset in FiftyOne: by the folder's name, what is shown, and a hash of where it lies."""
    place = root.resolve()
    parts = [str(index["name"]) if index else place.name]
    if options.shows != "composites":
        parts.append(options.shows)
    about: list[object] = [str(place)]
    if options.run is not None:
        parts.append("".join(c if c.isalnum() else "-" for c in options.run.resolve().name))
        about += [str(options.run.resolve()), options.split]
    return "-".join([*parts, identity_of(*about)[:8]])


def serve(dataset: Any, port: int, remote: bool, address: str | None, cache: Path | None = None) -> tuple[Any, str]:
    """Start the app; return its session, and the address that opens it, with the secret that every request must show.

    Without an `address` it is served to this machine only. FiftyOne by itself asks nobody for a password and hands out
    any file: see :mod:`matting_data.browsing.guard`.

    Parameters
    ----------
    dataset : fiftyone.Dataset
    port : int
    remote : bool
        Open no browser here.
    address : str, optional
    cache : Path, optional
        Folder of pictures, as for :class:`BrowseOptions`; nothing else is served.

    Raises
    ------
    UsageError
        The port is taken: FiftyOne would show what is served there already.
    """
    place = address or "127.0.0.1"
    with socket.socket(socket.AF_INET6 if ":" in place else socket.AF_INET) as probe:
        if sys.platform != "win32":  # where it would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((place, port))
        except OSError as error:
            raise UsageError(f"port {port} cannot be used ({error.strerror}): name another with --port") from None
    secret = secrets.token_urlsafe(24)
    session = start_session(open_fiftyone(), dataset, port, place, secret, (cache or default_cache()).resolve())
    opens = f"http://{address or 'localhost'}:{port}/?{PARAMETER}={secret}"
    if not remote:
        webbrowser.open(opens, new=2)
    return session, opens


def export_tags(dataset: Any, path: Path, who: str, why: str = "") -> tuple[list[Decision], list[str]]:
    """Add the decisions that tags stand for to an ``overrides.csv``; return the new rows, and notes."""
    rows, notes = collect_tags(dataset, who, why)
    return append(path, rows), notes


def default_decisions(root: Path, base: Path | None = None) -> Path:
    """Find the file to which decisions about a dataset are written: where its recipe says, else beside the dataset."""
    named = decisions_path(saved_recipe(root, base))
    place = root.resolve()
    return named or place.with_name(f"{place.name}-{FILE_NAME}")


def _index(root: Path, options: BrowseOptions) -> Mapping[str, Any] | None:
    if options.shows != "backgrounds" or (root / INDEX).is_file():
        return read_index(root)
    if not (root / "backgrounds.parquet").is_file():
        raise UsageError(f"{root} holds no backgrounds: run 'mattingdata filter' or 'build' with --out {root}")
    return None


def _entries(
    root: Path, index: Mapping[str, Any] | None, options: BrowseOptions
) -> CompositeEntries | BackgroundEntries | PredictionEntries:
    if options.shows == "backgrounds":
        uses: Counter[str] = Counter()
        if index is not None:
            from matting_data.workspace.plan_tables import saved_plan

            uses.update(composite.background for composite in saved_plan(root).composites)
        records = read_table(root / "backgrounds.parquet", JudgedBackground)
        return BackgroundEntries(root, saved_recipe(root, options.base), records, uses, options.side, index)
    assert index is not None  # only backgrounds can be looked at before there is a dataset
    if options.run is not None:
        return PredictionEntries(root, index, options.run, options.split, options.side, options.workers)
    return CompositeEntries(root, index, options.side)


def configure(fo: Any, dataset: Any, shows: Shows) -> None:
    """Say what is drawn at first sight, in which colours, and how the sidebar is ordered."""
    dataset.app_config.active_fields = fo.ActiveFields(paths=[p for p in _ACTIVE[shows] if dataset.has_field(p)])
    if dataset.has_field("trimap"):
        dataset.mask_targets = {"trimap": TRIMAP_TARGETS}
        colours = [{"intTarget": target, "color": colour} for target, colour in _TRIMAP_COLOURS.items()]
        fields = [{"path": "trimap", "maskTargetsColors": colours}]
        dataset.app_config.color_scheme = fo.ColorScheme(color_by="value", opacity=0.5, fields=fields)
    dataset.app_config.sidebar_groups = _sidebar(fo, dataset)
    for name in _INDEXED:
        if dataset.has_field(name):
            dataset.create_index(name)
    dataset.save()


def _sidebar(fo: Any, dataset: Any) -> list[Any]:
    """Group the sidebar's fields: planes, then what is known of a sample, then what is rarely asked for."""
    schema = dataset.get_field_schema(flat=False)
    hidden = _BOOKKEEPING | {"tags", "metadata"}
    planes = [
        name for name, field in schema.items() if isinstance(field, fo.EmbeddedDocumentField) and name not in hidden
    ]
    known = [name for name in schema if name not in hidden and name not in planes]
    metadata = [path for path in dataset.get_field_schema(flat=True) if path.startswith("metadata.")]
    shown: dict[str, list[str]] = {"tags": [], "labels": planes, "sample": known}
    folded = {"metadata": metadata, "other": [name for name in schema if name in _BOOKKEEPING]}
    groups = {**shown, **folded}
    return [fo.SidebarGroupDocument(name=name, paths=paths, expanded=name in shown) for name, paths in groups.items()]


def _signature(root: Path, index: Mapping[str, Any] | None, options: BrowseOptions) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {options.shows} {options.side} ".encode())
    if index is not None:
        digest.update(str(index["content_sha256"]).encode())
    table = root / "backgrounds.parquet"
    if table.is_file():
        digest.update(sha256_file(table).encode())
    if options.run is not None:
        for path in sorted(options.run.rglob("*")):
            status = path.stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()
