"""A tiny RT-DETR and a tiny YOLOS with random weights, from a local folder and as an ONNX export."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from matting_data.detectors import registry
from matting_data.detectors.detector import detect_all
from matting_data.detectors.spec import DetectorSpec
from matting_data.errors import UsageError
from tests.support.projects import draw_photo

torch = pytest.importorskip("torch", reason="torch of the extra 'detectors' is not installed")
transformers = pytest.importorskip("transformers", reason="transformers of the extra 'detectors' is not installed")

SIDE = 96
COCO = {0: "person", **{number: f"thing {number}" for number in range(1, 80)}}


def scatter(model: Any) -> None:
    """Draw weights large enough that what the model says depends on the image, not on rounding."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim > 1:
                spread = 3.0 if "class" in name or "score" in name else 1.0
                weights.normal_(0, spread / weights[0].numel() ** 0.5)
            elif "class" in name or "score" in name:
                weights.zero_()


def tiny_rtdetr(folder: Path, seed: int = 0, labels: dict[int, str] = COCO) -> Any:
    torch.manual_seed(seed)
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_in_channels=[8, 16, 16],
        encoder_hidden_dim=16,
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        d_model=16,
        num_queries=12 * 12 + 6 * 6 + 3 * 3,  # every place: near-ties for the last one would be decided by rounding
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        decoder_layers=2,
        decoder_attention_heads=2,
        num_denoising=0,
        hidden_expansion=0.5,
        id2label=labels,
        label2id={name: number for number, name in labels.items()},
    )
    model = transformers.RTDetrForObjectDetection(config).eval()
    scatter(model)
    model.save_pretrained(folder)
    preprocessor("RTDetrImageProcessor", folder, {"height": SIDE, "width": SIDE}, do_normalize=False)
    return model


def tiny_yolos(folder: Path, classes: int = 3) -> Any:
    torch.manual_seed(1)
    names = {0: "N/A", 1: "person", **{number: f"thing {number}" for number in range(2, classes)}}
    config = transformers.YolosConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[64, 96],
        num_detection_tokens=10,
        id2label=names,
        label2id={name: number for number, name in names.items()},
    )
    model = transformers.YolosForObjectDetection(config).eval()
    scatter(model)
    model.save_pretrained(folder)
    preprocessor("YolosImageProcessor", folder, {"shortest_edge": 64, "longest_edge": 160}, do_normalize=True)
    return model


def preprocessor(kind: str, folder: Path, size: dict[str, int], do_normalize: bool) -> None:
    settings = {
        "image_processor_type": kind,
        "do_resize": True,
        "size": size,
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": do_normalize,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "do_pad": False,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


@pytest.fixture(scope="module")
def rtdetr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-rtdetr"
    tiny_rtdetr(folder)
    return folder


@pytest.fixture(scope="module")
def yolos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-yolos"
    tiny_yolos(folder)
    return folder


def load(folder: Path, **keys: Any) -> Any:
    return registry.load(DetectorSpec(kind="transformers", weights=str(folder), **keys))


def noise(*sizes: tuple[int, int]) -> list[NDArray[np.uint8]]:
    return [draw_photo(seed, (width, height)) for seed, (height, width) in enumerate(sizes)]


def test_scores_and_boxes_are_those_of_the_librarys_own_postprocessing(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    tiny_rtdetr(folder, seed=2, labels={0: "cat", 1: "person", 2: "dog"})
    image = noise((120, 150))[0]
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    model = transformers.AutoModelForObjectDetection.from_pretrained(folder)
    with torch.no_grad():
        output = model(**processor(images=image, return_tensors="pt"))
    wanted = processor.post_process_object_detection(output, threshold=0.1, target_sizes=[(120, 150)])[0]
    people = [
        (float(score), box.tolist())
        for score, label, box in zip(wanted["scores"], wanted["labels"], wanted["boxes"], strict=True)
        if label == 1
    ]
    assert people, "the random model must see somebody, or this test shows nothing"
    found = load(folder).detect(image)
    score, (x0, y0, x1, y1) = max(people)
    assert found.score == pytest.approx(score, abs=1e-5)
    box = found.boxes[0]
    inside = (max(0, x0), max(0, y0), min(150, x1), min(120, y1))
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx(inside, abs=0.01)


def test_a_softmax_with_no_object_is_read_as_one(yolos: Path) -> None:
    image = noise((64, 96))[0]
    processor = transformers.AutoImageProcessor.from_pretrained(yolos)
    model = transformers.AutoModelForObjectDetection.from_pretrained(yolos)
    with torch.no_grad():
        logits = model(processor(images=image, return_tensors="pt")["pixel_values"]).logits
    assert logits.shape[-1] == 4
    assert load(yolos).detect(image).score == pytest.approx(float(logits.softmax(-1)[..., 1].max()), abs=1e-5)


@pytest.mark.parametrize("model", ["rtdetr", "yolos"])
def test_company_of_other_sizes_changes_nothing(model: str, request: pytest.FixtureRequest) -> None:
    detector = load(request.getfixturevalue(model), batch_size=4)
    images = noise((120, 150), (64, 96), (40, 200), (64, 96), (96, 64), (50, 50))
    alone = [detector.detect(image) for image in images]
    together = list(detect_all(detector, images))
    assert len({found.score for found in alone}) > 3
    assert [found.score for found in together] == pytest.approx([found.score for found in alone], abs=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (5, 3), (3, 3), (1, 700), (700, 1)])
@pytest.mark.parametrize("model", ["rtdetr", "yolos"])
def test_any_size_is_scored_within_bounds(model: str, size: tuple[int, int], request: pytest.FixtureRequest) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = load(request.getfixturevalue(model)).detect(image)
    assert 0.0 <= found.score <= 1.0
    for box in found.boxes:
        assert 0 <= box.x0 <= box.x1 <= size[1] and 0 <= box.y0 <= box.y1 <= size[0]


def test_a_version_follows_weights_and_classes(rtdetr: Path, tmp_path: Path) -> None:
    tiny_rtdetr(tmp_path / "tiny-rtdetr", seed=0)
    tiny_rtdetr(tmp_path / "other", seed=7)
    same, other = load(tmp_path / "tiny-rtdetr"), load(tmp_path / "other")
    assert load(rtdetr).version == same.version != other.version
    assert load(rtdetr, person_classes=["thing 4"]).version != same.version
    assert load(rtdetr, batch_size=2).version == same.version
    assert same.name == "transformers:tiny-rtdetr" and same.input_side == SIDE


def test_classes_are_chosen_by_name(rtdetr: Path, tmp_path: Path) -> None:
    image = noise((96, 96))[0]
    assert load(rtdetr, person_classes=["PERSON"]).detect(image) == load(rtdetr).detect(image)
    assert load(rtdetr, person_classes=["thing 3"]).detect(image) != load(rtdetr).detect(image)
    nobody = tmp_path / "nobody"
    tiny_rtdetr(nobody, labels={number: f"animal {number}" for number in range(5)})
    with pytest.raises(UsageError, match=r"nobody has no class 'person' \(its classes are 'animal 0'.*person_classes"):
        load(nobody).detect(image)


def test_a_pickled_detector_leaves_the_model_behind(rtdetr: Path) -> None:
    image = noise((96, 96))[0]
    detector = load(rtdetr)
    expected = detector.detect(image)
    payload = pickle.dumps(detector)
    assert len(payload) < 4000
    assert pickle.loads(payload).detect(image) == expected


def test_a_folder_without_safetensors_or_with_code_is_refused(rtdetr: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (folder / name).write_bytes((rtdetr / name).read_bytes())
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UsageError, match=r"pickled has no \*\.safetensors: convert"):
        load(folder).detect(noise((50, 50))[0])
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(UsageError, match="pickled is no object-detection model") as caught:
        load(folder).detect(noise((50, 50))[0])
    assert "\n" not in str(caught.value)
    (folder / "model.safetensors").write_bytes((rtdetr / "model.safetensors").read_bytes())
    marker = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "evil",
        "auto_map": {"AutoConfig": "evil.Evil", "AutoModelForObjectDetection": "evil.Evil"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="is no object-detection model"):
        load(folder).detect(noise((50, 50))[0])
    assert not marker.exists()


def test_the_hub_is_asked_once_and_its_absence_is_one_sentence(rtdetr: Path, tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "models--owner--tiny-rtdetr"
    (cached / "snapshots").mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    (cached / "snapshots" / commit).symlink_to(rtdetr, target_is_directory=True)
    code = (
        "from matting_data.detectors import registry\n"
        "from matting_data.detectors.spec import DetectorSpec\n"
        "load = lambda weights: registry.load(DetectorSpec(kind='transformers', weights=weights))\n"
        "print(load('owner/tiny-rtdetr').version)\n"
        "try:\n    load('owner/unknown').version\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    version, problem = done.stdout.strip().splitlines()
    assert version == load(rtdetr).version
    assert problem.startswith("MattingDataError the model 'owner/unknown' could not be fetched from the hub")
    assert "name a local folder" in problem


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rtdetr", "yolos"])
def test_an_onnx_export_of_a_real_architecture_agrees_with_the_library(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="torch.onnx.export needs the package onnx")
    if kind == "rtdetr":
        tiny_rtdetr(tmp_path)
        size, people = (SIDE, SIDE), None
    else:
        tiny_yolos(tmp_path, classes=91)
        size, people = (64, 96), tuple(range(91))  # random weights are sure of some class, seldom of a person
    model = transformers.AutoModelForObjectDetection.from_pretrained(tmp_path).eval()

    module: Any = torch.nn.Module

    class Export(module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: Any) -> Any:
            output = self.model(pixel_values=pixels)
            return output.logits, output.pred_boxes

    path = tmp_path / "net.onnx"
    names = ["pixel_values"], ["logits", "pred_boxes"]
    torch.onnx.export(
        Export(),
        (torch.rand(2, 3, *size),),
        str(path),
        input_names=names[0],
        output_names=names[1],
        dynamic_axes={name: {0: "batch"} for name in (*names[0], *names[1])},
        opset_version=17,
        dynamo=False,
    )
    images = noise(size, size, size)  # of the network's size: the two resize differently
    exported = registry.load(DetectorSpec(kind="onnx", weights=str(path), person_classes=people))
    original = load(tmp_path, person_classes=people)
    for one, other in zip(detect_all(exported, images), detect_all(original, images), strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4) and one.score > 0.1
        assert len(one.boxes) == len(other.boxes) > 0
        for a, b in zip(one.boxes, other.boxes, strict=True):
            assert (a.x0, a.y0, a.x1, a.y1) == pytest.approx((b.x0, b.y0, b.x1, b.y1), abs=0.05)
