"""ONNX files in every layout that is read: the boxes that went in come out, in pixels of the image.

The graphs have the outputs that the exporters of YOLOX (``tools/export_onnx.py``) and YOLOv8 publish, and those of a
DETR; files that torch exports from real DETRs are in ``test_transformers_detector.py``.
"""

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="the package onnx of the test extra writes the files of these tests")

from matting_data.detectors import registry
from matting_data.detectors.detector import BatchDetector, Detection, detect_all
from matting_data.detectors.output_layouts import LAYOUTS
from matting_data.detectors.spec import DetectorSpec
from matting_data.errors import UsageError
from tests.support.onnx_graphs import cells, row_of_box, write_graph

SIDE = 96
HEIGHT, WIDTH = 200, 400
BOX = (100.0, 50.0, 300.0, 150.0)  # x0, y0, x1, y1 in the image
GRAY = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)


def centred(box: tuple[float, ...]) -> NDArray[np.float32]:
    x0, y0, x1, y1 = box
    return np.asarray([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], np.float32)


def in_input(box: tuple[float, ...], layout: str) -> tuple[float, ...]:
    """Where the box lies in the 96×96 picture, by the rules of the export's own preprocessing."""
    if layout in ("rtdetr", "detr"):  # squeezed
        sx, sy, left, top = SIDE / WIDTH, SIDE / HEIGHT, 0, 0
    else:  # 400×200 becomes 96×48, in the middle or, for YOLOX, at the top
        sx = sy = SIDE / WIDTH
        left, top = 0, 0 if layout == "yolox" else 24
    return box[0] * sx + left, box[1] * sy + top, box[2] * sx + left, box[3] * sy + top


def write_layout(path: Path, layout: str, score: float = 0.0, slope: float = 0.002, **options: Any) -> Path:
    """One person at BOX whose score is `score` + `slope` · level (on the logits of DETRs), and a certain car nearby.

    Everything else scores 0.
    """
    size = (SIDE, SIDE)
    at = in_input(BOX, layout)
    c = centred(at)
    elsewhere = np.asarray([80.0, 80.0, 10.0, 10.0], np.float32)
    n = cells(size)
    if layout == "yolox":
        fixed, slopes = np.zeros((n, 85), np.float32), np.zeros((n, 85), np.float32)
        fixed[:, :2] = 0.5
        row, gx, gy = row_of_box(size, (c[0], c[1]))
        car, cx, cy = row_of_box(size, (80.0, 80.0))
        fixed[row, :4] = [c[0] / 32 - gx, c[1] / 32 - gy, np.log(c[2] / 32), np.log(c[3] / 32)]
        fixed[car, :4] = [80 / 32 - cx, 80 / 32 - cy, np.log(10 / 32), np.log(10 / 32)]
        fixed[row, 4], fixed[row, 5], slopes[row, 5] = 0.5, 2 * score, 2 * slope  # objectness times class
        fixed[car, 4], fixed[car, 7] = 1.0, 1.0
        outputs = {"output": (fixed, slopes)}
    elif layout == "yolo":
        fixed, slopes = np.zeros((84, n), np.float32), np.zeros((84, n), np.float32)
        fixed[:4, 7], fixed[4, 7], slopes[4, 7] = c, score, slope
        fixed[:4, 9], fixed[6, 9] = elsewhere, 1.0
        outputs = {"output0": (fixed, slopes)}
    else:
        classes, person = {"rtdetr": (80, 0), "detr": (92, 1)}[layout]
        logits, slopes = np.full((20, classes), -20.0, np.float32), np.zeros((20, classes), np.float32)
        boxes = np.full((20, 4), 0.5, np.float32)
        if layout == "detr":
            logits[:, -1] = 0.0  # no object
        logits[3, person], slopes[3, person], boxes[3] = score, slope, c / SIDE
        logits[4, 2 + person], boxes[4] = 20.0, elsewhere / SIDE
        outputs = {"logits": (logits, slopes), "pred_boxes": (boxes, np.zeros_like(boxes))}
    return write_graph(path, outputs, **options)


def level(layout: str, value: int = 100) -> float:
    """The mean value that a network of this layout is given for a gray image."""
    padded = (value * 48 + 114 * 48) / 96 if layout.startswith("yolo") else value
    if layout == "yolox":
        return padded
    if layout == "detr":
        shares = np.asarray([padded / 255] * 3)
        return float(((shares - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).mean())
    return padded / 255


def expected_score(layout: str, score: float, slope: float) -> float:
    raw = score + slope * level(layout)
    if layout == "rtdetr":
        return float(1 / (1 + np.exp(-raw)))
    if layout == "detr":  # against "no object" at 0 and 90 classes at −20
        return float(np.exp(raw) / (np.exp(raw) + 1 + 90 * np.exp(-20)))
    return raw


def load(path: Path, **keys: Any) -> Any:
    return registry.load(DetectorSpec(kind="onnx", weights=str(path), **keys))


@pytest.mark.parametrize("named", [False, True], ids=["auto", "named"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_box_that_went_in_comes_out(tmp_path: Path, layout: str, named: bool) -> None:
    slope = 0.001 if layout == "yolox" else 0.2
    detector = load(write_layout(tmp_path / "net.onnx", layout, 0.3, slope), format=layout if named else "auto")
    found = detector.detect(GRAY)
    assert found.score == pytest.approx(expected_score(layout, 0.3, slope), abs=2e-4)
    assert len(found.boxes) == 1  # not the car
    box = found.boxes[0]
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx(BOX, abs=0.01)
    assert box.label == "person" and box.score == pytest.approx(found.score)


@pytest.mark.parametrize(("layout", "red"), [("yolox", 2), ("yolo", 0), ("rtdetr", 0), ("detr", 0)])
def test_channels_arrive_in_the_order_of_the_layout(tmp_path: Path, layout: str, red: int) -> None:
    weights = [1.0 if channel == red else 0.0 for channel in range(3)]
    slope = 0.001 if layout == "yolox" else 0.3
    detector = load(write_layout(tmp_path / "net.onnx", layout, 0.3, slope, weights=weights))
    red_image, blue_image = GRAY.copy(), GRAY.copy()
    red_image[:, :, 0], blue_image[:, :, 2] = 250, 250
    gray, red_, blue = (detector.detect(image).score for image in (GRAY, red_image, blue_image))
    assert red_ > gray + 0.02 and blue == pytest.approx(gray, abs=1e-5)


def test_options_go_before_the_layouts_own(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "net.onnx", "yolox", 0.3, 0.001, weights=(1, 0, 0))
    image = GRAY.copy()
    image[:, :, 0] = 200
    assert load(path, channels="rgb").detect(image).score == pytest.approx(0.3 + 0.001 * (200 + 114) / 2, abs=1e-4)
    assert load(path, pixels="unit").detect(image).score == pytest.approx(0.3 + 0.001 * 107 / 255, abs=1e-4)
    assert load(path, resize="squeeze").detect(image).score == pytest.approx(0.3 + 0.001 * 100, abs=1e-4)


def test_a_version_follows_the_file_and_the_options_but_not_the_batch(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "net.onnx", "yolo", 0.3)
    (tmp_path / "other").mkdir()
    other = write_layout(tmp_path / "other" / "net.onnx", "yolo", 0.4)
    moved = Path(shutil.copy(path, tmp_path / "other" / "copy.onnx")).rename(tmp_path / "other" / "moved.onnx")
    shutil.copy(moved, tmp_path / "elsewhere.onnx")
    base = load(path)
    assert base.name == "onnx:net"
    assert base.version == load(path, batch_size=3, thresholds={"reject": 0.4, "review": 0.1}).version
    versions = [base, load(other), load(path, person_classes=[2]), load(path, pixels="raw"), load(path, input_size=96)]
    assert len({detector.version for detector in versions}) == len(versions)
    before = base.version
    (tmp_path / "net.onnx.data").write_bytes(b"weights kept outside")
    assert load(path).version != before


@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_company_in_a_batch_changes_nothing(tmp_path: Path, layout: str, batch: int | str) -> None:
    detector = load(write_layout(tmp_path / "net.onnx", layout, 0.1, 0.0008, batch=batch), batch_size=3)
    assert isinstance(detector, BatchDetector) and detector.batch_size == 3
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (int(h), int(w), 3), dtype=np.uint8) for h, w in rng.integers(1, 300, (7, 2))]
    alone = [detector.detect(image) for image in images]
    together = list(detect_all(detector, iter(images)))
    assert len({found.score for found in alone}) > 3 or layout != "yolox"
    for one, other in zip(alone, together, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        for a, b in zip(one.boxes, other.boxes, strict=True):
            assert (a.x0, a.y0, a.x1, a.y1) == pytest.approx((b.x0, b.y0, b.x1, b.y1), abs=1e-2)


def test_names_in_the_file_tell_who_is_a_person(tmp_path: Path) -> None:
    names = str({0: "bicycle", 1: "Person", 2: "rider", **{n: f"thing {n}" for n in range(3, 80)}})
    path = write_layout(tmp_path / "net.onnx", "yolo", 0.9, 0.0, names=names)
    assert load(path).detect(GRAY).score == 0.0  # class 1 never scores
    assert load(path, person_classes=["bicycle"]).detect(GRAY).score == pytest.approx(0.9)
    assert load(path, person_classes=["rider", 0]).detect(GRAY).score == pytest.approx(1.0)
    with pytest.raises(UsageError, match=r"'ridre'.*did you mean 'rider'"):
        load(path, person_classes=["ridre"]).detect(GRAY)
    with pytest.raises(UsageError, match=r"class 80.*0 to 79"):
        load(path, person_classes=[80]).detect(GRAY)


def test_classes_without_names_must_be_given(tmp_path: Path) -> None:
    n = cells((SIDE, SIDE))
    table = np.zeros((4 + 7, n), np.float32)
    path = write_graph(tmp_path / "seven.onnx", {"output0": (table, table)})
    with pytest.raises(UsageError, match=r"7 classes without names.*person_classes"):
        load(path).detect(GRAY)
    assert load(path, person_classes=[5]).detect(GRAY) == Detection(0.0)


def test_an_open_input_takes_the_size_asked_for(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "net.onnx", "yolo", 0.7, 0.0, size=("height", "width"))
    assert load(path, input_size=96).input_side == 96
    found = load(path, input_size=[96, 96]).detect(GRAY)
    assert found.boxes[0].x1 == pytest.approx(BOX[2], abs=0.01)
    with pytest.raises(UsageError, match=r"input_size is 128, but .* was exported for 96×96"):
        load(write_layout(tmp_path / "fixed.onnx", "yolo"), input_size=128).detect(GRAY)


def test_unknown_outputs_are_named_with_the_formats(tmp_path: Path) -> None:
    table = np.zeros((17, 3), np.float32)
    path = write_graph(tmp_path / "odd.onnx", {"features": (table, table)})
    with pytest.raises(
        UsageError, match=r"features 1×17×3.*no known layout: name one of the formats yolox, yolo, rtdetr, detr, or"
    ):
        load(path).detect(GRAY)
    queries = np.zeros((20, 5), np.float32), np.zeros((20, 4), np.float32)
    path = write_graph(tmp_path / "five.onnx", {"logits": (queries[0],) * 2, "pred_boxes": (queries[1],) * 2})
    with pytest.raises(UsageError, match=r"logits 1×20×5, pred_boxes 1×20×4"):
        load(path).detect(GRAY)
    assert load(path, format="detr", person_classes=[0]).detect(GRAY).score == pytest.approx(0.2)
    with pytest.raises(UsageError, match=r"logits 1×20×5, .*\) too narrow for format 'yolox'"):
        load(path, format="yolox").detect(GRAY)


@pytest.mark.parametrize(
    "shapes",
    [
        {"output": (3 * cells((SIDE, SIDE)), 85)},  # YOLOv5
        {"output0": (300, 6)},  # YOLOv10, YOLO26
        {"output0": (300, 84)},  # RT-DETR of Ultralytics
        {"dets": (300, 4), "labels": (300, 91)},  # RF-DETR
        {"labels": (300,), "boxes": (300, 4), "scores": (300,)},  # RT-DETR's own tools
        {"logits": (1,), "pred_boxes": (300, 4)},
    ],
    ids=str,
)
def test_layouts_that_are_not_read_are_refused(tmp_path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    path = write_graph(tmp_path / "other.onnx", {name: (np.zeros(s, np.float32),) * 2 for name, s in shapes.items()})
    with pytest.raises(UsageError, match="have no known layout: name one of the formats"):
        load(path).detect(GRAY)


def test_a_yolox_with_boxes_in_pixels_is_refused_though_its_shape_fits(tmp_path: Path) -> None:
    table = np.zeros((cells((SIDE, SIDE)), 85), np.float32)
    table[:, :4] = [48, 48, 20, 20]
    path = write_graph(tmp_path / "decoded.onnx", {"output": (table, np.zeros_like(table))})
    with pytest.raises(UsageError, match="have no known layout"):
        load(path).detect(GRAY)


def test_an_rf_detr_is_read_as_rtdetr_with_imagenets_pixels(tmp_path: Path) -> None:
    logits, boxes = np.full((20, 91), -20, np.float32), np.full((20, 4), 0.5, np.float32)
    logits[3, 1] = 2.0
    path = write_graph(tmp_path / "rf.onnx", {"dets": (boxes, boxes * 0), "labels": (logits, logits * 0)})
    found = load(path, format="rtdetr", pixels="imagenet").detect(GRAY)
    assert found.score == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-5)


def test_scores_beyond_one_show_a_misread_file(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "net.onnx", "yolo", 7.0, 0.0)
    with pytest.raises(UsageError, match=r"to 7, not from 0 to 1: set another 'format'"):
        load(path).detect(GRAY)
    path = write_layout(tmp_path / "nan.onnx", "yolo", float("nan"), 0.0)
    with pytest.raises(UsageError, match="not numbers"):
        load(path).detect(GRAY)


def test_damaged_and_missing_files_are_one_sentence(tmp_path: Path) -> None:
    whole = write_layout(tmp_path / "net.onnx", "yolo").read_bytes()
    for name, content in [("cut", whole[: len(whole) // 2]), ("text", b"<html>404</html>"), ("empty", b"")]:
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(UsageError, match=f"{name}.onnx is not an ONNX file") as caught:
            load(path).detect(GRAY)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=r"gone.onnx' of the detector is not a file"):
        load(tmp_path / "gone.onnx")
    with pytest.raises(UsageError, match=r"no provider 'FastProvider' \(it has .*CPUExecutionProvider"):
        load(tmp_path / "net.onnx", providers=["FastProvider"]).detect(GRAY)


def test_other_inputs_are_refused_by_name(tmp_path: Path) -> None:
    table = np.zeros((84, cells((SIDE, SIDE))), np.float32)
    path = write_graph(tmp_path / "net.onnx", {"o": (table, table)}, extra_inputs={"scale_factor": ["batch", 2]})
    with pytest.raises(UsageError, match=r"has the inputs images .*scale_factor"):
        load(path).detect(GRAY)


def test_other_images_are_refused(tmp_path: Path) -> None:
    detector = load(write_layout(tmp_path / "net.onnx", "yolo"))
    for image in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(UsageError, match="give"):
            detector.detect(image)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 13)])
@pytest.mark.parametrize("layout", ["yolox", "yolo", "rtdetr"])
def test_any_size_is_scored_within_bounds(tmp_path: Path, layout: str, size: tuple[int, int]) -> None:
    found = load(write_layout(tmp_path / "net.onnx", layout, 0.4, 0.0)).detect(np.full((*size, 3), 90, np.uint8))
    assert found.score == pytest.approx(expected_score(layout, 0.4, 0.0), abs=1e-4)
    for box in found.boxes:
        assert 0 <= box.x0 <= box.x1 <= size[1] and 0 <= box.y0 <= box.y1 <= size[0]


def test_a_pickled_detector_opens_its_own_session(tmp_path: Path) -> None:
    detector = load(write_layout(tmp_path / "net.onnx", "yolo", 0.4))
    expected, version = detector.detect(GRAY), detector.version
    payload = pickle.dumps(detector)
    assert len(payload) < 4000
    copy = pickle.loads(payload)
    assert copy.detect(GRAY) == expected and copy.version == version
