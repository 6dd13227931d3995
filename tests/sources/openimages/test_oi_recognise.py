"""Names of files, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from matting_data.errors import UsageError
from matting_data.sources.openimages.recognise import recognise


@pytest.mark.parametrize(
    ("name", "kind", "split"),
    [
        ("image_ids_and_rotation.csv", "images", "all"),
        ("train-images-boxable-with-rotation.csv", "images", "train"),
        ("validation-images-with-rotation.csv", "images", "validation"),
        ("test-images.csv", "images", "test"),
        ("oidv6-train-images-with-labels-with-rotation.csv", "images", "train"),
        ("oidv6-train-annotations-bbox.csv", "boxes", "train"),
        ("test-annotations-bbox.csv.gz", "boxes", "test"),
        ("validation-annotations-bbox-blank-rows.csv", "boxes", "validation"),
        ("open_images_extended_miap_boxes_val.csv", "boxes", "validation"),
        ("oidv7-train-annotations-human-imagelabels.csv", "verified", "train"),
        ("oidv7-val-annotations-human-imagelabels.parquet", "verified", "validation"),
        ("validation-annotations-human-imagelabels-boxable.csv", "verified", "validation"),
        ("oidv7-test-annotations-machine-imagelabels.csv", "machine", "test"),
        ("train-annotations-machine-imagelabels.csv", "machine", "train"),
        ("class-descriptions-boxable.csv", "classes", "all"),
        ("oidv7-class-descriptions.csv", "classes", "all"),
        ("bbox_labels_600_hierarchy.json", "hierarchy", "all"),
    ],
)
def test_names_of_all_releases(tmp_path: Path, name: str, kind: str, split: str) -> None:
    (tmp_path / "v5").mkdir()
    (tmp_path / "v5" / name).touch()
    (tmp_path / "train-images.csv").touch()
    files = {file.path.name: file for file in recognise(tmp_path).files}
    assert (files[name].kind, files[name].split) == (kind, split)


@pytest.mark.parametrize(
    "name",
    [
        "train-annotations-object-segmentation.csv", "oidv6-train-annotations-vrd.csv", "validation-image-sizes.csv",
        "classes-segmentation.txt", "ROWS.md", ".hidden-train-images.csv", "test-annotations-bbox.csv.part",
    ],
)  # fmt: skip
def test_other_files_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / "train-images.csv").touch()
    assert [file.path.name for file in recognise(tmp_path).files] == ["train-images.csv"]


def test_the_real_folder(shared_data: Path) -> None:
    metadata = recognise(shared_data / "openimages" / "metadata")
    assert sorted(file.kind for file in metadata.files) == ["boxes"] * 3 + ["classes"] * 2 + ["hierarchy"]
    assert metadata.ignored == ("ROWS.md", "validation-image-sizes.csv")
    assert [sentence.split(" (")[0] for sentence in metadata.missing()] == [
        "no list of images", "no labels verified by people", "no labels of classifiers",
    ]  # fmt: skip


def test_what_is_missing_for_a_split_is_said(tmp_path: Path) -> None:
    for name in ("train-images.csv", "train-annotations-bbox.csv", "test-annotations-bbox.csv"):
        (tmp_path / name).touch()
    missing = recognise(tmp_path).missing()
    assert any(sentence.startswith("for test no list of images") for sentence in missing)
    assert any(sentence.startswith("no labels of classifiers") and "weaker" in sentence for sentence in missing)
    assert not any("no boxes" in sentence for sentence in missing)


def test_unusable_folders(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    with pytest.raises(UsageError, match="did you mean 'metadata'"):
        recognise(tmp_path / "metdata")
    (tmp_path / "metadata" / "class-descriptions.csv").touch()
    with pytest.raises(UsageError, match="holds no table of OpenImages"):
        recognise(tmp_path / "metadata")
    for name in ("test-images.csv", "test-images.csv.gz"):
        (tmp_path / "metadata" / name).touch()
    with pytest.raises(UsageError, match="same table in two formats"):
        recognise(tmp_path / "metadata")
