"""The bundled folder of rendered people and the CSV that describes such a folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from matting_data.people.specs import PictureSpec
from matting_data.storage.atomic import write_bytes

SAMPLE_DIR = Path(__file__).resolve().parent.parent / "sources" / "bundled" / "people"
COLUMNS = ("file", "subset", "person", "split", "license")
LICENSE = "CC0-1.0"


def write_csv(out_dir: Path, specs: Sequence[PictureSpec]) -> Path:
    """Write ``people.csv`` beside the PNG files of `specs`.

    Parameters
    ----------
    out_dir : Path
        The folder `render.render_people` wrote to.
    specs : sequence of PictureSpec

    Returns
    -------
    Path
        The CSV: one row a picture with the columns in `COLUMNS`, people named as `identities` does.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for spec, person in zip(specs, identities(specs), strict=True):
        writer.writerow([f"{spec.name}.png", spec.subset, person, spec.split, LICENSE])
    path = out_dir / "people.csv"
    write_bytes(path, text.getvalue().encode())
    return path


def identities(specs: Sequence[PictureSpec]) -> list[str]:
    """One id a picture such that pictures showing a common person have the same id.

    A picture of Kaia and Ben goes with every other picture of either: splitting by this id can then never put one
    person into both splits. The id is that of the person who comes first in `specs`.

    Returns
    -------
    list of str
        In the order of `specs`.
    """
    leader: dict[str, str] = {}

    def find(person: str) -> str:
        while leader.setdefault(person, person) != person:
            person = leader[person]
        return person

    for spec in specs:
        first = find(spec.people[0].person)
        for person in spec.people[1:]:
            other = find(person.person)
            # Whoever was seen earlier leads, so that an id names a person one can look up.
            early, late = (other, first) if list(leader).index(other) < list(leader).index(first) else (first, other)
            leader[late] = early
            first = early
    return [find(spec.people[0].person) for spec in specs]
