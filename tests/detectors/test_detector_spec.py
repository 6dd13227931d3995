"""Specifications: what is accepted, what is refused and in which words, and how paths are resolved."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from matting_data.configuration import validated
from matting_data.detectors import registry
from matting_data.detectors.spec import DetectorSpec, Limits, WrittenSpec, resolved
from matting_data.errors import UsageError


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{weights: a.onnx}", "d: the key 'kind' is missing: choose 'default', 'onnx' or 'transformers'"),
        ("{kind: onnx}", "needs the key 'weights': name an ONNX file"),
        ("{kind: transformers}", "needs the key 'weights': name a folder or a hub id"),
        ("{kind: onx, weights: a}", "d: kind is 'onx': input should be 'default', 'onnx' or 'transformers'"),
        ("{kind: onnx, weigths: a.onnx}", "d: unknown key 'weigths'; did you mean 'weights'"),
        (
            "{kind: onnx, weights: a, thresholds: {rejct: 1}}",
            "d: unknown key 'thresholds.rejct'; did you mean 'reject'",
        ),
        ("{kind: onnx, weights: a, device: cuda}", "kind 'onnx' has no key 'device'"),
        ("{kind: transformers, weights: a, format: yolo}", "kind 'transformers' has no key 'format'"),
        ("{kind: default, weights: a}", "kind 'default' has no key 'weights'"),
        (
            "{kind: onnx, weights: a, format: yolo9}",
            "d: format is 'yolo9': input should be 'auto', 'yolox', 'yolo', 'rtdetr' or 'detr'",
        ),
        ("{kind: onnx, weights: a, tiles: 0}", "tiles"),
        ("{kind: onnx, weights: a, tiles: many}", "tiles"),
        ("{kind: onnx, weights: a, batch_size: 0}", "d: batch_size is 0"),
        ("{kind: onnx, weights: a, person_classes: []}", "person_classes"),
        ("{kind: onnx, weights: a, person_classes: [-1]}", "person_classes"),
        ("{kind: onnx, weights: a, input_size: 8}", "input_size"),
        ("{kind: transformers, weights: a, device: gpu}", "d: device is 'gpu'"),
        ("{kind: onnx, weights: a, thresholds: {reject: 0.2, review: 0.4}}", "review 0.4 is above reject 0.2"),
        ("{kind: onnx, weights: a, thresholds: {reject: 2}}", "d: thresholds.reject is 2"),
        ("[]", r"d: it is \[\]: give a name, keys such as 'kind: onnx', or a list of these"),
        ("3", "d: it is 3: give a name"),
        ("[[default]]", r"d: it is \[\['default'\]\]: give a name"),
        ("[default, {kind: onnx}]", r"d: \[1\]: a detector of kind 'onnx' needs the key 'weights'"),
    ],
)
def test_mistakes_are_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        validated(WrittenSpec, yaml.safe_load(text), "d")
    assert "\n" not in str(caught.value)


def test_a_whole_specification_is_read() -> None:
    text = """
    - default
    - {kind: onnx, weights: yolox_s.onnx, format: yolox, person_classes: [0, rider], input_size: [480, 640],
       tiles: auto, thresholds: {reject: 0.4, review: 0.2}, batch_size: 4}
    - {kind: transformers, weights: owner/model, revision: 0a1b2c, device: "cuda:1"}
    """
    name, onnx, hub = validated(WrittenSpec, yaml.safe_load(text), "d")
    assert name == "default"
    assert onnx.person_classes == (0, "rider") and onnx.input_size == (480, 640)
    assert onnx.thresholds == Limits(0.4, 0.2) and onnx.tiles == "auto"
    assert hub.device == "cuda:1"
    with pytest.raises(dataclasses.FrozenInstanceError):
        onnx.batch_size = 1


def test_paths_are_resolved_and_hub_ids_left_alone(tmp_path: Path) -> None:
    def resolve(path: str) -> Path:
        return tmp_path / path

    def spec(**keys: Any) -> DetectorSpec:
        return DetectorSpec(**keys)

    (tmp_path / "net.onnx").touch()
    (tmp_path / "owner" / "local").mkdir(parents=True)
    onnx, local = spec(kind="onnx", weights="net.onnx"), spec(kind="transformers", weights="owner/local")
    hub = spec(kind="transformers", weights="owner/far")
    assert resolved("default", resolve) == "default"
    assert resolved(spec(kind="default", tiles=2), resolve) == spec(kind="default", tiles=2)
    assert resolved(["default", onnx, local, hub], resolve) == (
        "default",
        spec(kind="onnx", weights=str(tmp_path / "net.onnx")),
        spec(kind="transformers", weights=str(tmp_path / "owner" / "local")),
        hub,
    )
    with pytest.raises(UsageError, match=r"weights 'gone\.onnx' of the detector is not a file"):
        resolved(spec(kind="onnx", weights="gone.onnx"), resolve)
    for path in ("./gone", "/gone", "a/b/c", "~/gone"):
        with pytest.raises(UsageError, match="is not a folder: name one, or a hub id"):
            resolved(spec(kind="transformers", weights=path), resolve)


def test_lists_must_name_something_and_nothing_twice() -> None:
    with pytest.raises(UsageError, match="is empty"):
        registry.load([])
    with pytest.raises(UsageError, match="'default' twice"):
        registry.load(["default", "default"])
    with pytest.raises(UsageError, match="unknown human detector 'yolox'"):
        registry.load(["default", "yolox"])
