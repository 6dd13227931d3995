"""Everything a card may say of a dataset: read from what its run left behind, and from nowhere else."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from matting_data.errors import DamageError
from matting_data.json_text import parse_json
from matting_data.publishing.attribution import FILE_NAME as ATTRIBUTION
from matting_data.publishing.license_terms import LicenseTerms, license_terms
from matting_data.publishing.statistics import Statistics
from matting_data.recipes.recipe import Recipe
from matting_data.records.checked import CheckedForeground
from matting_data.records.judged import JudgedBackground
from matting_data.records.stored import Sample
from matting_data.records.tables import read_stored
from matting_data.shards.manifests import read_manifest
from matting_data.shards.reader import shard_entries
from matting_data.storage import Location, MissingFileError, Storage, open_storage
from matting_data.workspace.work_folder import stored_recipe

AUDIT = "audit.json"
"""What ``mattingdata audit`` leaves beside a dataset."""


_MOST_AUDIT = 16 << 20
_MOST_ATTRIBUTION = 4 << 30
"""Bytes; ATTRIBUTION.csv has some 300 a photograph, so ten million of them."""

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=10**10)]


class _Rate(TypedDict):
    """What ``audit.json`` says of a stratum; a share only where somebody looked."""

    stratum: Annotated[str, Field(max_length=1000)]
    kept: _Count
    labelled: _Count
    persons: _Count
    share: _Share | None
    low: _Share
    high: _Share


_RATES: TypeAdapter[list[_Rate]] = TypeAdapter(Annotated[list[_Rate], Field(max_length=10_000)])


@dataclass(frozen=True)
class Publication:
    """What only the publisher knows; empty where it was not said.

    Attributes
    ----------
    url : str
        Where the dataset can be had.
    creator : str
        Who publishes it: a person or an organisation.
    date : str
        Day of publication, ``YYYY-MM-DD``.
    """

    url: str = ""
    creator: str = ""
    date: str = ""


@dataclass(frozen=True)
class CardInputs:
    """A dataset as its tables show it.

    Attributes
    ----------
    index : mapping
        Of ``dataset.json``; needs no ``files`` and no hash of its own.
    recipe : Recipe
        What was built.
    foregrounds, backgrounds : sequence
        Every input found, used or not.
    samples : sequence of Sample
        The rows of all manifests.
    audit : sequence of mapping
        The rates of ``audit.json``; empty where nobody audited.
    attributed : int
        Rows of ATTRIBUTION.csv that name an author.
    publication : Publication
        What the publisher said.
    """

    index: Mapping[str, Any]
    recipe: Recipe
    foregrounds: Sequence[CheckedForeground]
    backgrounds: Sequence[JudgedBackground]
    samples: Sequence[Sample]
    audit: Sequence[Mapping[str, Any]] = ()
    attributed: int = 0
    publication: Publication = field(default_factory=Publication)

    @cached_property
    def statistics(self) -> Statistics:
        """Counts by split and subset."""
        return Statistics(str(self.index["name"]), self.index, self.samples)

    @cached_property
    def used_foregrounds(self) -> list[CheckedForeground]:
        """Those that a sample shows."""
        used = {row.foreground for row in self.samples}
        return [record for record in self.foregrounds if record.id in used]

    @cached_property
    def used_backgrounds(self) -> list[JudgedBackground]:
        """Those that a sample shows."""
        used = {row.background for row in self.samples}
        return [record for record in self.backgrounds if record.id in used]

    @cached_property
    def terms(self) -> LicenseTerms:
        """What the licences of everything used add up to."""
        foregrounds = {record.id: record.license or "" for record in self.used_foregrounds}
        backgrounds = {record.id: record.license or "" for record in self.used_backgrounds}
        pairs = Counter((foregrounds[row.foreground], backgrounds[row.background]) for row in self.samples)
        return license_terms(Counter(foregrounds.values()), Counter(backgrounds.values()), pairs)

    @property
    def layers(self) -> bool:
        """Whether foregrounds and backgrounds are stored apart, and composed when read."""
        return bool(self.index["store"] == "layers")

    @property
    def image_suffix(self) -> str:
        """``jpg`` or ``png``: what the composites are stored as."""
        return "png" if self.recipe.store.image == "png" else "jpg"


def read_card_inputs(out: Location, index: Mapping[str, Any], publication: Publication) -> CardInputs:
    """Read what a finished run left in `out`.

    Parameters
    ----------
    out : Path, str or Storage
        With tables, recipe and manifests; ``dataset.json`` itself is not read.
    index : mapping
        What ``dataset.json`` holds, or is about to.

    Raises
    ------
    DamageError
        A table is missing or damaged, or holds no record of something that a sample shows.
    """
    out = open_storage(out)
    samples = [row for _, entry in shard_entries(index) for row in read_manifest(out, entry)]
    inputs = CardInputs(
        index,
        stored_recipe(out),
        read_stored(out, "foregrounds.parquet", CheckedForeground),
        read_stored(out, "backgrounds.parquet", JudgedBackground),
        samples,
        _audit(out),
        _count_authors(out),
        publication,
    )
    for kind, shown, known in (
        ("foregrounds", {row.foreground for row in samples}, inputs.used_foregrounds),
        ("backgrounds", {row.background for row in samples}, inputs.used_backgrounds),
    ):
        if len(shown) != len(known):
            raise DamageError(
                f"{out.label(kind)}.parquet lacks records that samples name: run 'mattingdata build' again"
            )
    return inputs


def _audit(out: Storage) -> list[Mapping[str, Any]]:
    again = "run 'mattingdata audit' again, or remove it"
    try:
        rates = parse_json(out.read_whole(AUDIT, _MOST_AUDIT), out.label(AUDIT), again)
        return [dict(rate) for rate in _RATES.validate_python(rates, strict=True)]
    except MissingFileError:
        return []
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise DamageError(
            f"{out.label(AUDIT)} cannot be read ({where or 'it'} is no rate of an audit): {again}"
        ) from None


def _count_authors(out: Storage) -> int:
    try:
        text = io.StringIO(out.read_whole(ATTRIBUTION, _MOST_ATTRIBUTION).decode(), newline="")
        return sum(bool(row["author"]) for row in csv.DictReader(text))
    except (MissingFileError, ValueError, KeyError, csv.Error) as error:
        raise DamageError(f"{out.label(ATTRIBUTION)} cannot be read ({error}): run 'mattingdata build' again") from None
