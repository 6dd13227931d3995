# ruff: noqa: E402 - without torch there is nothing to import
from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from matting_data.errors import UsageError
from matting_data.networks.safenet.any_size import predict, predict_batch, working_size
from matting_data.networks.safenet.initial_weights import build_network
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.options import SafeNetConfig
from tests.support.synthetic import photo

CONFIG = SafeNetConfig(width=4, flaw_width=2, detector_width=2, reduced_width=8, decoder_widths=(8, 8, 8, 8, 8))


@pytest.fixture(scope="module")
def network() -> SafeNet:
    return build_network(CONFIG, 3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1024, 768), (672, 512)),  # 682 floored
        ((300, 400), (512, 672)),
        ((400, 600), (384, 576)),  # between: only floored
        ((2000, 100), (1984, 96)),
        ((512, 512), (512, 512)),
        ((3, 3), (512, 512)),
        ((5000, 700), (3648, 512)),
        ((600, 20), (576, 64)),
    ],
)
def test_working_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert working_size(size) == expected


@given(st.tuples(st.integers(1, 6000), st.integers(1, 6000)), st.sampled_from([64, 192, 512]))
def test_working_sizes_divide_by_32_and_are_never_too_small(size: tuple[int, int], short: int) -> None:
    height, width = working_size(size, short)
    assert height % 32 == width % 32 == 0
    assert min(height, width) >= 64
    assert min(height, width) <= max(short, 64)
    assert working_size(size[::-1], short) == (width, height)


@pytest.mark.parametrize("size", ["short_side", "native"])
def test_mattes_come_back_in_the_size_of_the_image(network: SafeNet, size: str) -> None:
    result = predict(network, photo(75, 110), size=size, short_side=64)
    assert len(result.mattes) == 4
    assert len(result.flaw_maps) == 3
    for plane in (*result.mattes, *result.flaw_maps):
        assert plane.shape == (110, 75)
        assert plane.dtype == np.float32
        assert 0 <= plane.min() <= plane.max() <= 1


def test_native_is_the_network_itself_and_leaves_its_mode(network: SafeNet) -> None:
    image = photo(80, 64)
    network.train()
    result = predict(network, image, size="native", iterations=2)
    assert network.training
    assert not network.detector.training
    network.eval()
    with torch.no_grad():
        output = network(torch.from_numpy(image.transpose(2, 0, 1)[None] / np.float32(255)), 2)
    for found, expected in zip(result.mattes, (output.initial, *output.mattes), strict=True):
        assert np.allclose(found, expected[0, 0].numpy(), atol=1e-6)


def test_a_tolerance_stops_when_nothing_changes_any_more(network: SafeNet) -> None:
    image = photo(64, 64)
    everything = predict(network, image, size="native", iterations=8).mattes
    changes = [float(np.abs(b - a).mean()) for a, b in itertools.pairwise(everything)]
    tolerance = sorted(changes)[3] * 1.0001
    expected = next(number for number, change in enumerate(changes) if change < tolerance) + 1
    found = predict(network, image, size="native", iterations=8, tolerance=tolerance).mattes
    assert len(found) == expected + 1
    assert np.array_equal(found[-1], everything[expected])


def test_no_refinement_gives_the_first_matte_alone(network: SafeNet) -> None:
    result = predict(network, photo(64, 64), iterations=0, short_side=64)
    assert len(result.mattes) == 1
    assert not result.flaw_maps


def test_the_last_matte_alone_is_the_last_of_all(network: SafeNet) -> None:
    images = [photo(75, 110), photo(75, 110)[::-1].copy()]
    everything = predict_batch(network, images, short_side=64)
    for found, expected in zip(predict_batch(network, images, short_side=64, last_only=True), everything, strict=True):
        assert len(found.mattes) == 1 and not found.flaw_maps
        assert np.array_equal(found.mattes[0], expected.mattes[-1])


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("alloc: can't allocate memory"), MemoryError()]
)
def test_too_little_memory_says_what_to_lower(
    network: SafeNet, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(SafeNet, "prepare", full)
    with pytest.raises(UsageError) as caught:
        predict_batch(network, [photo(75, 110)] * 2, size="native")
    assert str(caught.value) == (
        "cpu ran out of memory at 75×110 pixels: "
        "lower the batch of 2, or predict at a short side instead of native size"
    )
    with pytest.raises(UsageError, match=r"ran out of memory at 64×64 pixels: lower the short side$"):
        predict(network, photo(75, 110), short_side=64)


def test_what_is_no_image_is_refused(network: SafeNet) -> None:
    for wrong in (photo(64, 64)[:, :, 0], photo(64, 64) / 255, np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(UsageError, match="H×W×3 image of uint8"):
            predict(network, wrong)
    with pytest.raises(UsageError, match="-1 refinements"):
        predict(network, photo(64, 64), iterations=-1)
    with pytest.raises(UsageError, match="short side of 32 pixels"):
        predict(network, photo(64, 64), short_side=32)
