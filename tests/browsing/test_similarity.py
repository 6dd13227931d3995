"""Pictures that are nearly the same are found, by thumbnails and by a local network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, save

from matting_data.browsing.browse import BrowseOptions, open_dataset
from matting_data.browsing.features import OnnxFeatures, nearest_distances, thumbnail_features
from matting_data.errors import UsageError
from tests.support.projects import Project
from tests.support.synthetic import photo


def network(path: Path, output: list[int | str], operator: str = "Identity", channels: int = 3) -> Path:
    """Write a network whose features are the picture itself, or its mean colour."""
    shape = ["batch", channels, 4, 4]
    nodes = [helper.make_node(operator, ["pixels"], ["features"])]
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, output)]
    graph = helper.make_graph(nodes, "features", inputs, outputs)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    return path


def test_thumbnails_of_copies_are_near_and_of_other_pictures_are_not() -> None:
    first, other = photo(160, 120, 1), photo(160, 120, 2)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", first, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    copies = [
        np.asarray(jpeg, np.uint8),
        np.asarray(cv2.resize(first, (80, 60), interpolation=cv2.INTER_AREA), np.uint8),
        np.clip(first * 1.1, 0, 255).astype(np.uint8),
    ]
    to_copies = [1 - float(thumbnail_features(first) @ thumbnail_features(copy)) for copy in copies]
    to_other = 1 - float(thumbnail_features(first) @ thumbnail_features(other))
    assert max(to_copies) < 0.05 < 0.3 < to_other


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_any_picture_has_features_of_length_one(width: int, height: int, gray: int) -> None:
    found = thumbnail_features(np.full((height, width, 3), gray, np.uint8))
    assert found.shape == (432,) and np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_nearest_distances_are_those_of_a_full_table(count: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = 1 - vectors.astype(float) @ vectors.T.astype(float)
    np.fill_diagonal(table, np.inf)
    np.testing.assert_allclose(nearest_distances(vectors), np.maximum(table.min(axis=1), 0), atol=1e-5)


def test_a_local_network_sees_what_imagenet_s_networks_see(tmp_path: Path) -> None:
    flat = np.full((8, 8, 3), (255, 0, 128), np.uint8)
    features = OnnxFeatures(network(tmp_path / "mean.onnx", ["batch", 3, 1, 1], "GlobalAveragePool"))(flat)
    expected = (np.asarray([1, 0, 128 / 255]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(features, expected / np.linalg.norm(expected), atol=1e-5)


def test_what_is_no_feature_network_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    gray = network(tmp_path / "gray.onnx", ["batch", 1, 4, 4], channels=1)
    picture = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(UsageError, match=r"missing\.onnx is no file"):
        OnnxFeatures(tmp_path / "missing.onnx")
    with pytest.raises(UsageError, match="not an ONNX file that onnxruntime can open"):
        OnnxFeatures(tmp_path / "text.onnx")
    with pytest.raises(UsageError, match=r"batch×3×height×width"):
        OnnxFeatures(gray)
    three = network(tmp_path / "three.onnx", [3, 4, 4], "Squeeze")
    with pytest.raises(UsageError, match=r"puts out an array of \(3, 4, 4\)"):
        OnnxFeatures(three)(picture)


@pytest.mark.timeout(600)
def test_near_duplicates_lead_their_view(fiftyone: Any, project: Project, cache: Path) -> None:
    from matting_data.browsing.similarity import add_similarity

    original = cv2.imread(str(project.root / "photos" / "b01.jpg"))
    cv2.imwrite(str(project.root / "photos" / "copy.jpg"), original, [cv2.IMWRITE_JPEG_QUALITY, 70])
    project.recipe["backgrounds"]["duplicate_distance"] = -1
    project.build()
    dataset = open_dataset(project.out, BrowseOptions(shows="backgrounds", cache=cache)).dataset
    assert add_similarity(fiftyone, dataset, None, 1)
    assert not add_similarity(fiftyone, dataset, None, 1)
    closest = dataset.load_saved_view("nearly the same")
    assert {Path(name).name for name in closest.values("path")[:2]} == {"b01.jpg", "copy.jpg"}
    assert closest.values("nearest")[0] < 0.02 < closest.values("nearest")[2]
    assert dataset.load_saved_view("most unusual").count() == dataset.exists("nearest").count() == dataset.count()
    assert {"similar", "map"} <= set(dataset.list_brain_runs())
    copy = dataset.match(fiftyone.ViewField("path") == closest.values("path")[0]).first()
    like = dataset.sort_by_similarity(copy.id, k=2, brain_key="similar").values("path")
    assert {Path(name).name for name in like} == {"b01.jpg", "copy.jpg"}
