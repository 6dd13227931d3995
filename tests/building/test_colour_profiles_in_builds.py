"""Colour profiles through a build: converted once, recorded, the same from layers, and left alone where asked."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

import matting_data
from matting_data.building.materialize import materialize
from matting_data.records.stored import Sample
from matting_data.upkeep.verify import verify
from tests.support.icc import ADOBE_RGB, DISPLAY_P3, SRGB_CURVE, in_srgb, rgb_profile
from tests.support.projects import Project, draw_person, draw_photo
from tests.support.synthetic import encoded

P3 = rgb_profile("Display P3", DISPLAY_P3, SRGB_CURVE)
ADOBE = rgb_profile("Adobe RGB (1998)", ADOBE_RGB, 563 / 256)
SIZE = (160, 140)
Colours = NDArray[np.float64]


@pytest.fixture
def wide(tmp_path: Path) -> Project:
    """People in Adobe RGB, photographs in Display P3; one of each says nothing."""
    project = Project(tmp_path / "wide", people=4, photos=0)
    for number in range(3):
        (project.root / "people" / f"p{number:02d}.png").write_bytes(
            encoded(draw_person(number), "PNG", icc_profile=ADOBE)
        )
    for number in range(6):
        options = {"icc_profile": P3} if number else {}
        (project.root / "photos" / f"b{number:02d}.png").write_bytes(
            encoded(draw_photo(number, SIZE), "PNG", **options)
        )
    project.recipe["store"]["image"] = "png"
    return project


def profiles(out: Path, table: str) -> dict[str, str | None]:
    return dict(pl.read_parquet(out / f"{table}.parquet", glob=False).select("id", "profile").iter_rows())


def expected(project: Project, row: Sample, converted: bool) -> tuple[Colours, Colours]:
    """Return the colours of the person and of the photograph behind, H×W×3, by the formulas of their profiles."""
    name, photo_name = row.foreground.removeprefix("people-"), row.background.removeprefix("photos-")
    person: Colours = stored(project.root / "people" / f"{name}.png")[..., :3]
    photo: Colours = stored(project.root / "photos" / f"{photo_name}.png")[: row.height, : row.width]
    if converted and name != "p03":
        person = in_srgb(person.astype(np.uint8), ADOBE_RGB, 563 / 256)
    if converted and photo_name != "b00":
        photo = in_srgb(photo.astype(np.uint8), DISPLAY_P3, SRGB_CURVE)
    return person, photo


def stored(path: Path) -> Colours:
    with Image.open(path) as image:
        return np.asarray(image).astype(np.float64)


@pytest.mark.parametrize("converted", [True, False])
def test_composites_hold_srgb_unless_the_recipe_says_otherwise(wide: Project, converted: bool) -> None:
    if not converted:
        for side in ("foregrounds", "backgrounds"):
            wide.recipe[side]["sources"][0]["profile"] = "ignore"
    wide.build()
    named = {"Adobe RGB (1998)", None} if converted else {None}
    assert set(profiles(wide.out, "foregrounds").values()) == named
    assert set(profiles(wide.out, "backgrounds").values()) == ({"Display P3", None} if converted else {None})
    assert profiles(wide.out, "foregrounds")["people-p03"] is None
    dataset = matting_data.open(wide.out)
    for split in dataset.splits:
        for row, sample in zip(dataset[split].rows, dataset[split], strict=True):
            person, photo = expected(wide, row, converted)
            assert np.abs(sample.image - person)[sample.alpha == 255].max() <= 1.5
            assert np.abs(sample.image - photo)[sample.alpha == 0].max() <= 1.5
    assert verify(wide.out, deep=True, recompose=12, base=None, workers=1).problems == []


def test_layers_give_the_composites_of_a_direct_build_without_knowing_of_profiles(wide: Project) -> None:
    direct = wide.build().index["content_sha256"]
    layers = wide.root / "layers"
    wide.build("store.kind=layers", out=layers)
    assert verify(layers, deep=True, recompose=12, base=None, workers=1).problems == []
    assert materialize(layers, wide.root / "made", 1).index["content_sha256"] == direct


def test_estimated_colours_are_those_of_the_converted_photograph(wide: Project) -> None:
    wide.recipe["foregrounds"]["sources"][0]["colour"] = "estimate"
    first = wide.build().index["content_sha256"]
    wide.recipe["foregrounds"]["sources"][0]["profile"] = "ignore"
    second = wide.build(out=wide.root / "ignored").index["content_sha256"]
    assert first != second
    assert verify(wide.out, deep=True, recompose=12, base=None, workers=1).problems == []


def test_heic_photographs_are_read_with_their_extra_and_stored_for_all_readers(wide: Project) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    for photo in (wide.root / "photos").iterdir():
        photo.unlink()
    for number in range(4):
        stream = io.BytesIO()
        Image.fromarray(draw_photo(number, SIZE)).save(stream, "HEIF", quality=95)
        (wide.root / "photos" / f"b{number:02d}.heic").write_bytes(stream.getvalue())
    wide.recipe["composites"]["per_foreground"] = 1
    wide.build("store.kind=layers")
    table = pl.read_parquet(wide.out / "backgrounds.parquet", glob=False)
    assert set(table["format"]) == {"HEIF"} and set(table["state"]) == {"ok"}
    assert verify(wide.out, deep=True, recompose=4, base=None, workers=1).problems == []
    for tar in (wide.out / "backgrounds").glob("*.tar"):
        assert b".background.webp" in tar.read_bytes()
