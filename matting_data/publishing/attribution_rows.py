"""Who took the backgrounds that a dataset uses, put together from the tables of their sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from matting_data.fetching.fetch_ledger import Fetched, read_ledger
from matting_data.publishing.attribution import AttributionRow, UsedBackground, attribute
from matting_data.recipes.recipe import source_name
from matting_data.recipes.recipe_backgrounds import BackgroundSource
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.columns import schema
from matting_data.records.judged import JudgedBackground
from matting_data.sources.find_backgrounds import openimages_id
from matting_data.sources.openimages import image_rows, recognise
from matting_data.sources.source_paths import source_path


def attribution_of(recipe: LoadedRecipe, used: Sequence[JudgedBackground]) -> tuple[list[AttributionRow], list[str]]:
    """Return a row for each background used, and a note for each source whose rows lack something.

    Parameters
    ----------
    recipe : LoadedRecipe
        Names the sources with their tables; the ledger of ``mattingdata fetch`` is looked for beside the images.
    used : sequence of JudgedBackground
        Those of the composites.
    """
    rows: list[AttributionRow] = []
    notes = []
    for source in recipe.recipe.backgrounds.sources:
        name = source_name(source)
        own = [record for record in used if record.source == name]
        if source.layout != "openimages":
            rows += attribute((_used(record, record.path) for record in own), ()).rows
            continue
        rows_of_source, lacking = _openimages(recipe, source, own)
        rows += rows_of_source
        if lacking:
            notes.append(
                f"{name}: of {lacking} of the {len(own)} photographs used, author, page or licence is not known: "
                "find out, or leave them out, before you publish (fetch openimages-metadata --group images)"
            )
    return sorted(rows, key=lambda row: (row.source, row.id)), notes


def _openimages(
    recipe: LoadedRecipe, source: BackgroundSource, own: Sequence[JudgedBackground]
) -> tuple[list[AttributionRow], int]:
    ids = {record.id: openimages_id(record.path) or record.path for record in own}
    listed = image_rows(recognise(recipe.resolve(source.metadata)), ids.values()) if source.metadata else None
    folder = source_path(recipe, source.images or "")
    # 'fetch openimages' writes into folders: there is no ledger below a URL
    ledger = read_ledger(folder) if isinstance(folder, Path) else pl.DataFrame(schema=schema(Fetched))
    retrieved = dict(ledger.filter(outcome="written").select("id", "retrieved").iter_rows())
    used = [_used(record, ids[record.id], retrieved.get(ids[record.id], "")) for record in own]
    found = attribute(used, listed.iter_rows(named=True) if listed is not None else ())
    return found.rows, len(found.missing)


def _used(record: JudgedBackground, identity: str, retrieved: str = "") -> UsedBackground:
    return UsedBackground(identity, record.sha256 or "", retrieved, record.license or "", record.id, record.source)
