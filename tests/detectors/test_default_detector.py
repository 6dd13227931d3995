"""The default detector on odd inputs, across processes, and on the photographs scikit-image ships."""

import multiprocessing
import pickle

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from matting_data.detectors import pose, ssdlite
from matting_data.detectors.bundled_network import Network
from matting_data.detectors.default import DefaultDetector, Readings, joined
from matting_data.detectors.detector import Detection
from matting_data.errors import UsageError
from matting_data.humans.policy import HumanPolicy, verdict

CLEAN = ["brick", "chelsea", "coffee", "grass", "gravel", "hubble_deep_field", "moon", "rocket"]


@pytest.fixture(scope="module")
def detector() -> DefaultDetector:
    return DefaultDetector()


def photo(name: str) -> NDArray[np.uint8]:
    image = np.asarray(getattr(data, name)(), dtype=np.uint8)
    return np.repeat(image[:, :, np.newaxis], 3, axis=2) if image.ndim == 2 else np.ascontiguousarray(image[:, :, :3])


@pytest.mark.parametrize("name", ["astronaut", "camera"])
def test_a_photograph_of_a_person_is_rejected(detector: DefaultDetector, name: str) -> None:
    found = detector.detect(photo(name))
    judged = verdict(found, HumanPolicy(), detector.thresholds)
    assert (judged.verdict, judged.reason) == ("reject", "person_detected")
    assert found.score > 0.9 and found.boxes


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_photograph_is_kept(detector: DefaultDetector, name: str) -> None:
    judged = verdict(detector.detect(photo(name)), HumanPolicy(), detector.thresholds)
    assert (judged.verdict, judged.reason) == ("keep", "no_person_found")


def test_the_box_lies_on_the_person(detector: DefaultDetector) -> None:
    box = detector.detect(photo("astronaut")).boxes[0]
    assert box.x0 < 224 < box.x1 and box.y0 < 110 < box.y1  # her face
    assert box.label == "person" and 0.0 <= box.score <= 1.0


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (7, 13), (299, 301), (50, 3000)])
def test_any_size_is_scored_within_bounds(detector: DefaultDetector, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = detector.detect(image)
    assert 0.0 <= found.score <= 1.0
    for box in found.boxes:
        assert 0 <= box.x0 <= box.x1 <= size[1] and 0 <= box.y0 <= box.y1 <= size[0]


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_images_show_nobody(detector: DefaultDetector, value: int) -> None:
    assert detector.detect(np.full((480, 640, 3), value, np.uint8)).score < detector.thresholds.review


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        [[1, 2, 3]],
    ],
)
def test_other_layouts_are_refused_in_one_sentence(detector: DefaultDetector, image: NDArray[np.uint8]) -> None:
    with pytest.raises(UsageError, match="give"):
        detector.detect(image)


def test_the_same_image_gives_the_same_detection(detector: DefaultDetector) -> None:
    image = photo("astronaut")
    before = image.copy()
    first = detector.detect(image)
    detector.detect(photo("coffee"))
    assert detector.detect(image) == first == DefaultDetector().detect(image[:, ::-1][:, ::-1])
    assert (image == before).all()


def test_pickling_leaves_the_session_behind(detector: DefaultDetector) -> None:
    image = photo("chelsea")
    expected = detector.detect(image)
    payload = pickle.dumps(detector)
    assert len(payload) < 2000
    copy = pickle.loads(payload)
    assert copy.detect(image) == expected and copy.version == detector.version


def _score_in_child(
    detector: DefaultDetector, image: NDArray[np.uint8], queue: "multiprocessing.Queue[Detection]"
) -> None:
    queue.put(detector.detect(image))


def test_a_forked_worker_opens_its_own_session(detector: DefaultDetector) -> None:
    image = photo("rocket")
    expected = detector.detect(image)
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[Detection] = context.Queue()
    child = context.Process(target=_score_in_child, args=(detector, image, queue))
    child.start()
    try:
        assert queue.get(timeout=60) == expected
    finally:
        child.join(10)


def test_the_version_follows_the_numbers(detector: DefaultDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    before = detector.version
    monkeypatch.setattr("matting_data.detectors.default.POSE_WEIGHT", 0.123)
    assert detector.version != before


def test_more_certain_readings_never_lower_the_score() -> None:
    base = Readings(whole=-1.0, dense=-2.0, pose=-1.0)
    assert joined(base) <= joined(Readings(0.0, -2.0, -1.0))
    assert joined(base) <= joined(Readings(-1.0, 0.0, -1.0))
    assert joined(base) <= joined(Readings(-1.0, -2.0, 0.0))
    assert joined(Readings(1e9, 1e9, 1e9)) == pytest.approx(1.0)


def test_anchors_match_what_the_networks_put_out() -> None:
    assert ssdlite.anchors(300, 300).shape == (1917, 4)
    assert pose.anchor_centres().shape == (2254, 2)
    network = Network(ssdlite.WEIGHTS)
    for height, width in [(300, 300), (600, 811), (601, 633)]:
        encodings, logits = network(np.zeros((1, height, width, 3), np.float32))
        assert len(encodings) == len(logits) == len(ssdlite.anchors(height, width))


def test_a_zero_code_is_the_anchor_itself() -> None:
    anchor = ssdlite.anchors(300, 300)
    inside = ((anchor[:, :2] - anchor[:, 2:] / 2 >= 0) & (anchor[:, :2] + anchor[:, 2:] / 2 <= 300)).all(axis=1)
    boxes = ssdlite.decoded(np.zeros((len(anchor), 4), np.float32), anchor, 300, 300)[inside] * 300
    centre, half = anchor[:, 1::-1], anchor[:, :1:-1] / 2
    expected = np.concatenate([centre - half, centre + half], axis=1)
    np.testing.assert_allclose(boxes, expected[inside], atol=1e-3)
