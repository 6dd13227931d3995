"""Specs refuse what cannot be rendered and random ones depend on nothing but their seed and index."""

from __future__ import annotations

from typing import Any

import pytest

from matting_data.errors import UsageError
from matting_data.people import Clothing, Hair, PersonSpec, Phenotype, PictureSpec, random_specs, sample_specs
from matting_data.people.specs import BOTTOMS, HAIR_STYLES, SPLITS, SUBSETS


@pytest.mark.parametrize(
    ("make", "values", "word"),
    [
        (Hair, {"style": "mohawk"}, "mohawk"),
        (Hair, {"color": (1.2, 0, 0)}, "colour"),
        (Clothing, {"bottom": "none"}, "none"),
        (Clothing, {"pattern": "paisley"}, "paisley"),
        (Phenotype, {"age": 0.3}, "age"),
        (Phenotype, {"skin": -0.1}, "skin"),
        (Phenotype, {"african": 0.0, "asian": 0.0, "caucasian": 0.0}, "positive"),
        (PersonSpec, {"person": "", "seed": 1}, "empty"),
        (PersonSpec, {"person": "a", "seed": -1}, "seed"),
        (PersonSpec, {"person": "a", "seed": 1, "pose": "flying"}, "flying"),
        (PictureSpec, {"name": "a/b", "people": (PersonSpec("a", 1),)}, "a/b"),
        (PictureSpec, {"name": "a", "people": ()}, "no people"),
        (PictureSpec, {"name": "a", "people": (PersonSpec("a", 1),), "width": 4}, "width"),
        (PictureSpec, {"name": "a", "people": (PersonSpec("a", 1),), "lighting": "disco"}, "disco"),
    ],
)
def test_refusals_name_the_value(make: Any, values: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        make(**values)


def test_random_specs_do_not_depend_on_count() -> None:
    assert random_specs(5, 7) == random_specs(40, 7)[:5]
    assert random_specs(5, 7) != random_specs(5, 8)


def test_random_specs_vary() -> None:
    many = random_specs(120, 3)
    people = [person for picture in many for person in picture.people]
    assert len({picture.name for picture in many}) == 120
    assert {picture.subset for picture in many} == set(SUBSETS)
    assert {person.hair.style for person in people} == set(HAIR_STYLES)
    assert {person.clothing.bottom for person in people} == set(BOTTOMS)
    assert len({person.person for person in people}) == len(people)


def test_random_specs_refuse_negative_numbers() -> None:
    with pytest.raises(UsageError, match="negative"):
        random_specs(-1, 0)


def test_sample_is_twelve_pictures_split_by_person() -> None:
    specs = sample_specs()
    assert len(specs) == 12
    assert specs == sample_specs()
    assert {spec.subset for spec in specs} == set(SUBSETS)
    people = {split: {p.person for s in specs if s.split == split for p in s.people} for split in SPLITS}
    assert sum(spec.split == "test" for spec in specs) == 2
    assert not people["train"] & people["test"]
