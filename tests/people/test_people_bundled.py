"""The bundled pictures are what their CSV and their README say."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from matting_data.people import SAMPLE_DIR, PersonSpec, PictureSpec, sample_specs
from matting_data.people.bundle import COLUMNS, identities, write_csv

PICTURES = sorted(SAMPLE_DIR.glob("*.png"))


def rows() -> list[dict[str, str]]:
    with (SAMPLE_DIR / "people.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_twelve_pictures_within_six_megabytes() -> None:
    assert len(PICTURES) == 12
    assert sum(path.stat().st_size for path in PICTURES) <= 6_000_000


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_alpha_is_exact_and_soft(path) -> None:
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        pixels = np.asarray(image)
    alpha = pixels[..., 3]
    assert 500 <= max(alpha.shape) <= 1000
    assert (alpha == 0).any()
    assert (alpha == 255).any()
    soft = ((alpha > 0) & (alpha < 255)).mean()
    assert 0.002 < soft < 0.25
    assert len(np.unique(alpha)) > 50
    # No picture is a flat silhouette, and the colour of soft pixels is not that of an unlit background.
    assert pixels[alpha == 255][:, :3].std() > 10
    assert pixels[(alpha > 0) & (alpha < 255)][:, :3].mean() > 3


def test_csv_describes_the_pictures() -> None:
    table = rows()
    assert tuple(table[0]) == COLUMNS
    assert [row["file"] for row in table] == [path.name for path in PICTURES]
    assert {row["license"] for row in table} == {"CC0-1.0"}
    split = {name: {row["person"] for row in table if row["split"] == name} for name in ("train", "test")}
    assert split["test"]
    assert not split["train"] & split["test"]


def test_pictures_of_a_common_person_share_an_id() -> None:
    by_file = {row["file"]: row["person"] for row in rows()}
    assert by_file["11_kaia_ben.png"] == by_file["02_ben.png"]
    assert by_file["12_lou_eli.png"] == by_file["05_eli.png"]
    assert len(set(by_file.values())) == 10
    a, b, c = (PersonSpec(name, 1) for name in "abc")
    chain = [PictureSpec("1", (a,)), PictureSpec("2", (c,)), PictureSpec("3", (b, c)), PictureSpec("4", (a, b))]
    assert identities(chain) == ["a", "a", "a", "a"]


def test_csv_is_the_one_the_specs_write(tmp_path) -> None:
    written = write_csv(tmp_path, sample_specs())
    assert written.read_bytes() == (SAMPLE_DIR / "people.csv").read_bytes()


def test_sizes_are_the_specs_sizes() -> None:
    for spec in sample_specs():
        with Image.open(SAMPLE_DIR / f"{spec.name}.png") as image:
            assert image.size == (spec.width, spec.height)


def test_readme_names_licence_and_command() -> None:
    text = (SAMPLE_DIR / "README.md").read_text(encoding="utf-8")
    assert "CC0" in text
    assert "foregrounds render" in text
