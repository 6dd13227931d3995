"""Specifications: what is accepted, what is refused and in which words, and how paths are resolved."""

import dataclasses
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from matting_data.detectors import registry
from matting_data.detectors.spec import DetectorSpec, Limits, read_spec, resolved
from matting_data.errors import UsageError


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{weights: a.onnx}", "'kind' of a detector is missing"),
        ("{kind: onnx}", "needs the key 'weights': name an ONNX file"),
        ("{kind: transformers}", "needs the key 'weights': name a folder or a hub id"),
        ("{kind: onx, weights: a}", "kind of a detector is 'onx'"),
        ("{kind: onnx, weigths: a.onnx}", "unknown key 'weigths' of a detector; did you mean 'weights'"),
        ("{kind: onnx, weights: a, thresholds: {rejct: 1}}", "unknown key 'rejct'.*did you mean 'reject'"),
        ("{kind: onnx, weights: a, device: cuda}", "kind 'onnx' has no key 'device'"),
        ("{kind: transformers, weights: a, format: yolo}", "kind 'transformers' has no key 'format'"),
        ("{kind: default, weights: a}", "kind 'default' has no key 'weights'"),
        ("{kind: onnx, weights: a, format: yolo9}", "format of a detector is 'yolo9'"),
        ("{kind: onnx, weights: a, tiles: 0}", "tiles"),
        ("{kind: onnx, weights: a, tiles: many}", "tiles"),
        ("{kind: onnx, weights: a, batch_size: 0}", "batch_size of a detector is 0"),
        ("{kind: onnx, weights: a, person_classes: []}", "person_classes"),
        ("{kind: onnx, weights: a, person_classes: [-1]}", "person_classes"),
        ("{kind: onnx, weights: a, input_size: 8}", "input_size"),
        ("{kind: transformers, weights: a, device: gpu}", "device of a detector is 'gpu'"),
        ("{kind: onnx, weights: a, thresholds: {reject: 0.2, review: 0.4}}", "review 0.4 is above reject 0.2"),
        ("{kind: onnx, weights: a, thresholds: {reject: 2}}", "reject of a detector is 2"),
        ("[]", "is no detector"),
        ("3", "is no detector"),
        ("[[default]]", "is no detector"),
        ("[default, {kind: onnx}]", "needs the key 'weights'"),
    ],
)
def test_mistakes_are_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        read_spec(yaml.safe_load(text))
    assert "\n" not in str(caught.value)


def test_a_whole_specification_is_read() -> None:
    text = """
    - default
    - {kind: onnx, weights: yolox_s.onnx, format: yolox, person_classes: [0, rider], input_size: [480, 640],
       tiles: auto, thresholds: {reject: 0.4, review: 0.2}, batch_size: 4}
    - {kind: transformers, weights: owner/model, revision: 0a1b2c, device: "cuda:1"}
    """
    name, onnx, hub = cast(tuple[Any, ...], read_spec(yaml.safe_load(text)))
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
    with pytest.raises(UsageError, match=r"weights 'gone\.onnx' of the detector are no file"):
        resolved(spec(kind="onnx", weights="gone.onnx"), resolve)
    for path in ("./gone", "/gone", "a/b/c", "~/gone"):
        with pytest.raises(UsageError, match="are no folder: name one, or a hub id"):
            resolved(spec(kind="transformers", weights=path), resolve)


def test_lists_must_name_something_and_nothing_twice() -> None:
    with pytest.raises(UsageError, match="is empty"):
        registry.load([])
    with pytest.raises(UsageError, match="'default' twice"):
        registry.load(["default", "default"])
    with pytest.raises(UsageError, match="unknown human detector 'yolox'"):
        registry.load(["default", "yolox"])
