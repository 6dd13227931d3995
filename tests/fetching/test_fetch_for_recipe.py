"""Fetching what a recipe needs: chosen by labels, licences and seed, then downloaded and built with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from matting_data.cli.main import main

from matting_data.building.filter import filter_backgrounds
from matting_data.errors import UsageError
from matting_data.recipes.recipe_file import load
from matting_data.scanning.fetch_list import write_image_list
from tests.support.misbehaving_server import Server, good, photo
from tests.support.oi_files import BOXES, CC_BY, IMAGES, LABELS, box_row, image_row, write

IDS = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(1, 41)]
PEOPLE, LICENSED, DOUBTFUL = set(IDS[:10]), set(IDS[:30]), IDS[10]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    rows = [
        image_row(identity) if identity in LICENSED else image_row(identity).replace(CC_BY, "https://no.example/")
        for identity in IDS
    ]
    write(
        tmp_path / "metadata",
        {
            "image_ids_and_rotation.csv": [IMAGES, *rows],
            "oidv6-train-annotations-bbox.csv": [BOXES, *(box_row(identity) for identity in sorted(PEOPLE))],
            "oidv7-train-annotations-human-imagelabels.csv": [LABELS, f"{DOUBTFUL},verification,/m/013_1c,1"],
        },
    )
    document = {
        "name": "fetched",
        "seed": 3,
        "foregrounds": {"sources": [{"layout": "bundled"}]},
        "backgrounds": {
            "sources": [{"layout": "openimages", "images": "out", "metadata": "metadata"}],
            "humans": {"detector": "none"},
            "min_side": 1,
        },
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def chosen(recipe: Path, count: int, *overrides: str) -> list[str]:
    path, _ = write_image_list(load(recipe, overrides), count, recipe.parent / "out")
    lines = path.read_text().splitlines()
    assert all(line.startswith("train/") for line in lines)
    return [line.removeprefix("train/") for line in lines]


def test_only_what_the_labels_and_licences_keep_is_chosen(recipe: Path) -> None:
    every = chosen(recipe, 29)
    assert set(every) == set(IDS) - PEOPLE - {DOUBTFUL}
    assert set(chosen(recipe, 19, "backgrounds.licenses=[CC BY 2.0]")) == LICENSED - PEOPLE - {DOUBTFUL}
    assert DOUBTFUL in chosen(recipe, 30, "backgrounds.humans.review=keep")
    assert set(chosen(recipe, 40, "backgrounds.humans.labels=false")) == set(IDS)
    with pytest.raises(UsageError, match=r"the labels keep 19 images of a licence that is allowed, 20 are asked for"):
        chosen(recipe, 20, "backgrounds.licenses=[CC BY 2.0]")


def test_a_larger_choice_contains_the_smaller_and_the_seed_decides(recipe: Path) -> None:
    few, many = chosen(recipe, 8), chosen(recipe, 20)
    assert many[:8] == few and few != sorted(few)
    assert set(chosen(recipe, 8, "seed=4")) != set(few)
    assert chosen(recipe, 8) == few


def test_a_recipe_is_fetched_for_and_filtered(
    recipe: Path, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, identity in enumerate(IDS):
        server.at(f"/train/{identity}.jpg", good(photo(number)))
    out = recipe.parent / "out"
    arguments = ["fetch", "openimages", "--recipe", recipe, "--count", 5, "--base-url", server.url, "--out", out]
    monkeypatch.setattr(sys, "argv", ["mattingdata", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "images: 5 = 5 written" in capsys.readouterr().out
    assert {path.stem for path in out.glob("*.jpg")} == set(chosen(recipe, 5)) and len(server.asked) == 5
    result = filter_backgrounds(load(recipe), recipe.parent / "filtered", 1)
    assert result.summary["total"] == 5 and {b.tier for b in result.backgrounds} <= {"no_human_label"}


def test_a_recipe_without_its_count_or_source_is_refused(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["mattingdata", "fetch", "openimages", "--recipe", str(recipe), "--out", "x"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "--recipe and --count go together" in capsys.readouterr().err
    with pytest.raises(UsageError, match="has 0 sources of layout 'openimages' with 'metadata'"):
        chosen(recipe, 1, "backgrounds.sources=[{layout: bundled}]")


def test_a_recipe_brings_its_limit_of_pixels(
    recipe: Path, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = yaml.safe_load(recipe.read_text())
    document["backgrounds"]["max_megapixels"] = 0.003  # photographs have 64×48 = 3,072 pixels
    recipe.write_text(yaml.safe_dump(document))
    for number, identity in enumerate(IDS):
        server.at(f"/train/{identity}.jpg", good(photo(number)))
    options = ["--recipe", str(recipe), "--count", "2", "--out", str(recipe.parent / "out")]
    for more, said in (([], "2 rejected (too_large)"), (["--max-megapixels", "1", "--retry-rejected"], "2 written")):
        command = ["mattingdata", "fetch", "openimages", *options, "--base-url", server.url, *more]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit):
            main()
        assert said in capsys.readouterr().out
