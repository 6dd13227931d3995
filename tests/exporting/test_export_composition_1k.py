from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from matting_data.errors import UsageError
from matting_data.exporting.export import Options, export
from matting_data.imaging.composite import over, premultiply
from tests.support.projects import Project


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture
def exported(project: Project, tmp_path: Path) -> Path:
    project.build("store.image=png")
    export(project.out, "composition-1k", tmp_path / "comp1k")
    return tmp_path / "comp1k"


def test_the_lists_lead_to_files_that_compose_to_the_merged_one(exported: Path) -> None:
    # the annotation files of mmagic: every path below the data root, the rule of Deep Image Matting
    for prefix, count in (("training", 12), ("test", 6)):
        described = json.loads((exported / f"{prefix}_list.json").read_text())
        assert len(described) == count
        for sample in described:
            planes = {name: pixels(exported / path) for name, path in sample.items()}
            alpha = planes["alpha_path"]
            composed = over(premultiply(planes["fg_path"], alpha), planes["bg_path"].copy())
            np.testing.assert_array_equal(composed, planes["merged_path"])
            exact = planes["fg_path"] * (alpha[..., None] / 255) + planes["bg_path"] * (1 - alpha[..., None] / 255)
            assert np.abs(exact - planes["merged_path"]).max() <= 0.5 + 1e-9
            assert set(np.unique(planes["trimap_path"])) <= {0, 128, 255}


def test_folders_and_names_are_those_that_scripts_look_for(exported: Path) -> None:
    for folder, prefix, inner in (
        ("Training_set", "training", "Other"),
        ("Test_set", "test", "Adobe-licensed images"),
    ):
        names = (exported / folder / f"{prefix}_fg_names.txt").read_text().split()
        backgrounds = (exported / folder / f"{prefix}_bg_names.txt").read_text().split()
        assert len(names) * 3 == len(backgrounds) and all(name.startswith("b") for name in backgrounds)
        for name in names:
            assert (exported / folder / inner / "fg" / name).is_file()
            assert (exported / folder / inner / "alpha" / name).is_file()
            for number in range(3):  # mmagic: name[:-4] + '_' + number + name[-4:]
                file = f"{name[:-4]}_{number}{name[-4:]}"
                assert (exported / folder / "merged" / file).is_file()
                assert (exported / folder / "bg" / file).is_file()
                assert (exported / folder / inner / "trimaps" / file).is_file()


def test_gca_and_matteformer_find_the_same_names_in_three_folders(exported: Path) -> None:
    # dataloader/image_file.py: stems that are in all of alpha, merged and trimap, with .png put behind them
    folders = [exported / "Test_set" / name for name in ("alpha_copy", "merged", "Adobe-licensed images/trimaps")]
    stems = [{path.stem for path in folder.glob("*")} for folder in folders]
    assert stems[0] == stems[1] == stems[2] and len(stems[0]) == 6
    for stem in stems[0]:
        planes = [pixels(folder / f"{stem}.png") for folder in folders]
        assert planes[0].shape == planes[1].shape[:2] == planes[2].shape
        assert (planes[0][planes[2] == 255] == 255).all()


def test_jpeg_composites_are_stored_as_they_decode(built: Path, tmp_path: Path) -> None:
    export(built, "composition-1k", tmp_path / "comp1k", ["test"], Options(link=True, sources=False))
    merged = sorted((tmp_path / "comp1k" / "Test_set" / "merged").glob("*.png"))
    export(built, "coco", tmp_path / "coco", ["test"])
    jpegs = sorted((tmp_path / "coco" / "test").glob("*.jpg"))
    assert len(merged) == len(jpegs) == 6
    for one, other in zip(merged, jpegs, strict=True):
        np.testing.assert_array_equal(pixels(one), pixels(other))
    assert not (tmp_path / "comp1k" / "Test_set" / "bg").exists()
    assert not (tmp_path / "comp1k" / "Training_set").exists()


def test_alphas_of_one_foreground_are_linked(built: Path, tmp_path: Path) -> None:
    result = export(built, "composition-1k", tmp_path / "comp1k", ["test"], Options(link=True, sources=False))
    assert result.linked == 6
    alphas = list((tmp_path / "comp1k/Test_set/Adobe-licensed images/alpha").glob("*.png"))
    assert len(alphas) == 2 and all(path.stat().st_nlink == 4 for path in alphas)


def test_sources_that_are_gone_are_named_with_the_remedy(project: Project, tmp_path: Path) -> None:
    project.build()
    project.root.joinpath("photos").rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="--no-sources"):
        export(project.out, "composition-1k", tmp_path / "comp1k")
    assert list(tmp_path.glob("comp1k*")) == []
    export(project.out, "composition-1k", tmp_path / "comp1k", options=Options(sources=False))
    (tmp_path / "moved").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "moved" / "photos")
    project.root.joinpath("people").rename(tmp_path / "moved" / "people")
    export(project.out, "composition-1k", tmp_path / "whole", base=tmp_path / "moved")
