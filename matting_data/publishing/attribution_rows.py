"""Who took the backgrounds that a dataset uses, put together from the tables of their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from matting_data.fetching.fetch_ledger import Fetched, read_ledger
from matting_data.publishing.attribution import Attribution, AttributionRow, attribute
from matting_data.records.columns import schema
from matting_data.records.judged import JudgedBackground
from matting_data.sources.find_backgrounds import openimages_id
from matting_data.sources.opened import OpenedBackgrounds
from matting_data.sources.openimages.image_lists import image_rows
from matting_data.sources.openimages.recognise import recognise


def attribution_of(
    sources: Mapping[str, OpenedBackgrounds], used: Sequence[JudgedBackground]
) -> tuple[list[AttributionRow], list[str]]:
    """List a row for each background used, and a note for each source whose rows lack something.

    Parameters
    ----------
    sources : mapping
        Of :func:`matting_data.sources.opened.open_backgrounds`; beside the images, the ledger of ``mattingdata fetch``
        is looked for.
    used : sequence of JudgedBackground
        Those of the composites.
    """
    rows: list[AttributionRow] = []
    notes = []
    for name, opened in sources.items():
        own = [record for record in used if record.source == name]
        listed = opened.source.layout == "openimages"
        found = _openimages(opened, own) if listed else attribute((_used(record, record.path) for record in own), ())
        rows += found.rows
        if listed and found.missing:
            notes.append(
                f"{name}: of {len(found.missing)} of the {len(own)} photographs used, author, page or licence is not "
                "known: find out, or leave them out, before you publish (fetch openimages-metadata --group images)"
            )
    return sorted(rows, key=lambda row: (row.source, row.id)), notes


def _openimages(opened: OpenedBackgrounds, own: Sequence[JudgedBackground]) -> Attribution:
    ids = {record.id: openimages_id(record.path) or record.path for record in own}
    metadata = image_rows(recognise(opened.metadata), ids.values()).iter_rows(named=True) if opened.metadata else ()
    folder = opened.images
    # 'fetch openimages' writes into folders: there is no ledger below a URL
    ledger = read_ledger(folder) if isinstance(folder, Path) else pl.DataFrame(schema=schema(Fetched))
    retrieved = dict(ledger.filter(outcome="written").select("id", "retrieved").iter_rows())
    return attribute([_used(record, ids[record.id], retrieved.get(ids[record.id], "")) for record in own], metadata)


def _used(record: JudgedBackground, identity: str, retrieved: str = "") -> AttributionRow:
    said = {"sha256": record.sha256 or "", "license": record.license or "", "retrieved": retrieved}
    return AttributionRow(identity, **said, background=record.id, source=record.source)
