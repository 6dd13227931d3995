"""Exports, card and Croissant of a store of layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from matting_data.building.materialize import materialize
from matting_data.errors import UsageError
from matting_data.exporting.export import export
from tests.support.projects import Project


@pytest.fixture
def layers(project: Project) -> Path:
    project.build("store.kind=layers")
    return project.out


def content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "README.md"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("form", ["hf-imagefolder", "composition-1k", "coco", "mds"])
def test_an_export_of_layers_is_that_of_their_composites(layers: Path, tmp_path: Path, form: str) -> None:
    materialize(layers, tmp_path / "made", 1)
    export(layers, form, tmp_path / "one")
    export(tmp_path / "made", form, tmp_path / "two")
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert one.keys() == two.keys()
    # colours that no composite shows are not stored
    assert [name for name in one if one[name] != two[name] and "/fg/" not in name] == []


def test_shards_of_layers_are_not_passed_off_as_samples(layers: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run 'mattingdata materialize' and export its result"):
        export(layers, "hf-webdataset", tmp_path / "out")


def test_the_card_of_layers_says_what_is_stored(layers: Path) -> None:
    card = (layers / "README.md").read_text()
    assert "`BACKGROUND.background.*`" in card and "mattingdata materialize" in card
    assert "KEY.image" not in card and "data_files" not in card


def test_croissant_of_layers_validates_and_iterates(
    layers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    monkeypatch.setenv("CROISSANT_CACHE", str(tmp_path / "cache"))
    dataset = mlcroissant.Dataset(layers / "croissant.json")
    samples = list(dataset.records("samples"))
    foregrounds, backgrounds = list(dataset.records("foregrounds")), list(dataset.records("backgrounds"))
    assert (len(samples), len(foregrounds), len(backgrounds)) == (18, 6, 12)
    for kind, stored in (("foreground", foregrounds), ("background", backgrounds)):
        named = {record[f"samples/{kind}"].decode() for record in samples}
        assert named == {record[f"{kind}s/key"].decode() for record in stored}
    named = json.loads((layers / "croissant.json").read_text())["distribution"]
    assert "backgrounds/000000.tar" in {entry["@id"] for entry in named}
