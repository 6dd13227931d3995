# ruff: noqa: E402 - without torch there is nothing to import
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.support import network_reference as reference

torch = pytest.importorskip("torch")

from matting_data.errors import UsageError
from matting_data.networks.safenet.flaw_detector import FlawDetector
from matting_data.networks.safenet.flaw_map import flaw_map, gaussian_kernel
from matting_data.networks.safenet.losses import alpha_loss, detector_loss, flaw_loss, matting_loss
from matting_data.networks.safenet.network import SafeNetOutput
from matting_data.networks.safenet.options import FlawTarget, LossWeights
from matting_data.networks.safenet.unknown_area import draw_windows, unknown_area, unknown_of_trimap
from matting_data.seeds import generator


def planes(seed: int, count: int = 2, height: int = 40, width: int = 36) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    p, g = rng.random((count, 1, height, width)), rng.random((count, 1, height, width))
    g[0, 0, :5] = p[0, 0, :5]
    return torch.from_numpy(p), torch.from_numpy(g), torch.from_numpy(rng.random((count, 1, height, width)) > 0.5)


def test_equation_4() -> None:
    p, g, unknown = planes(0)
    for weight, epsilon in ((4.0, 1e-6), (2.5, 0.05)):
        found = float(alpha_loss(p, g, unknown, LossWeights(unknown=weight, epsilon=epsilon)))
        assert found == pytest.approx(reference.alpha_loss(p.numpy(), g.numpy(), unknown.numpy(), weight, epsilon))


def test_equation_5_and_the_attention() -> None:
    p, g, unknown = planes(1)
    output = SafeNetOutput(p, (g * 0.5, p * 0.5), (), p * 0.25)
    terms = [float(alpha_loss(each, g, unknown)) for each in (p, g * 0.5, p * 0.5, p * 0.25)]
    loss = matting_loss(output, g, unknown)
    assert float(loss.total) == pytest.approx(sum(terms))
    assert [float(loss.initial), *map(float, loss.refined), float(loss.attention)] == pytest.approx(terms)
    mean = matting_loss(output, g, unknown, LossWeights(steps="mean", attention=0.5))
    assert float(mean.total) == pytest.approx(terms[0] + (terms[1] + terms[2]) / 2 + terms[3] / 2)
    assert float(matting_loss(output._replace(mattes=(), attention=None), g, unknown).total) == pytest.approx(terms[0])


def test_equation_6() -> None:
    p, g, _ = planes(2)
    assert float(flaw_loss(p, g)) == pytest.approx(float(((p - g) ** 2).numpy().mean() / 2))


def test_gradients_of_the_losses_are_those_of_their_values() -> None:
    p, g, unknown = planes(3, count=1, height=3, width=4)
    p = (p + (p - g).sign() * 0.05).requires_grad_()  # away from the kink at 0
    assert torch.autograd.gradcheck(lambda x: alpha_loss(x, g, unknown), p)
    assert torch.autograd.gradcheck(lambda x: flaw_loss(x, g), p)


def test_a_perfect_matte_in_float16_has_a_finite_gradient() -> None:
    g = torch.rand(1, 1, 8, 8).half()
    p = g.clone().requires_grad_()
    loss = alpha_loss(p, g, torch.ones_like(g, dtype=torch.bool))
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(p.grad).all()


def test_an_unknown_area_that_is_no_mask_is_refused() -> None:
    p, g, unknown = planes(4)
    with pytest.raises(UsageError, match=r"torch.uint8: give bool, for instance trimap == 128"):
        alpha_loss(p, g, unknown.to(torch.uint8) * 128)
    with pytest.raises(UsageError, match="give three alike"):
        alpha_loss(p, g[:1], unknown)


@pytest.mark.parametrize(("size", "dilations"), [(64, 1), (128, 0), (128, 2)])
def test_flaw_map_equals_the_two_dimensional_definition(size: int, dilations: int) -> None:
    p, g, _ = planes(5)
    expected = reference.flaw_map(p.numpy(), g.numpy(), size, dilations)
    assert np.allclose(flaw_map(p, g, size, dilations).numpy(), expected, atol=1e-10)
    single = flaw_map(p.float(), g.float(), size, dilations)
    assert single.dtype == torch.float32
    assert np.allclose(single.numpy(), expected, atol=1e-4)


def test_mu_of_the_definition_changes_nothing() -> None:
    p, g, _ = planes(5)
    assert np.allclose(reference.flaw_map(p.numpy(), g.numpy(), 64, mu=0.5), flaw_map(p, g, 64).numpy(), atol=1e-7)


@pytest.mark.parametrize("side", [3, 5, 9, 17, 33, 65, 129])
def test_the_kernel_is_separable_and_sums_to_one(side: int) -> None:
    kernel = gaussian_kernel(side)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert np.allclose(np.outer(kernel, kernel), reference.gaussian_plane(side), atol=1e-15)


@given(seed=st.integers(0, 1000), factor=st.sampled_from([0.5, 0.1, 0.01]))
@settings(max_examples=10, deadline=None)
def test_flaw_maps_span_zero_to_one_whatever_the_scale_of_the_error(seed: int, factor: float) -> None:
    p, g, _ = planes(seed)
    found = flaw_map(p, g, 64)
    assert float(found.min()) == 0
    assert float(found.amax((1, 2, 3)).min()) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(flaw_map(g + (p - g) * factor, g, 64), found, atol=1e-5)


def test_a_perfect_matte_has_no_flaw_and_a_spot_has_one_at_its_place() -> None:
    _, g, _ = planes(6, height=64, width=64)
    assert not flaw_map(g, g, 128).any()
    spotted = g.clone()
    spotted[1, 0, 40, 20] = 1 - spotted[1, 0, 40, 20]
    found = flaw_map(spotted, g, 128)
    assert not found[0].any()
    row, column = divmod(int(found[1, 0].argmax()), 64)
    assert abs(row - 40) <= 1
    assert abs(column - 20) <= 1


def test_flaw_maps_have_no_gradient_and_survive_autocast() -> None:
    p, g, _ = planes(7)
    with torch.autocast("cpu", torch.bfloat16):
        found = flaw_map(p.float().requires_grad_(), g.float(), 64)
    assert not found.requires_grad
    assert torch.allclose(found, flaw_map(p.float(), g.float(), 64))


def test_images_smaller_than_the_kernel_are_refused() -> None:
    p, g, _ = planes(8)
    with pytest.raises(UsageError, match="crops of 512 pixels need images of more than 64 pixels, not 36"):
        flaw_map(p, g, 512)


def test_detector_loss_judges_all_mattes_by_their_own_flaws() -> None:
    detector = FlawDetector(2).eval()
    image, truth = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
    mattes = [torch.rand(2, 1, 64, 64, requires_grad=True), torch.rand(2, 1, 64, 64)]
    loss = detector_loss(detector, image, mattes, truth, FlawTarget(size=64))
    each = [flaw_loss(detector(image, matte), flaw_map(matte, truth, 64)) for matte in mattes]
    assert loss.item() == pytest.approx(sum(each).item() / 2, rel=1e-5)
    loss.backward()
    assert mattes[0].grad is None
    assert all(parameter.grad is not None for parameter in detector.parameters())


def soft_square() -> np.ndarray:
    alpha = ndimage.gaussian_filter(np.pad(np.ones((1, 1, 20, 16)), ((0, 0), (0, 0), (14, 3), (9, 9))), 1.5)
    return np.where(alpha < 0.01, 0, np.clip(alpha, 0, 1))


@pytest.mark.parametrize(("dilate", "erode"), [(5, 9), (11, 3), (1, 1)])
def test_unknown_area_is_dilation_minus_erosion(dilate: int, erode: int) -> None:
    alpha = soft_square()
    grown = ndimage.grey_dilation((alpha[0, 0] > 0).astype(float), (dilate, dilate))
    shrunk = ndimage.grey_erosion((alpha[0, 0] >= 0.9).astype(float), (erode, erode))
    found = unknown_area(torch.from_numpy(alpha), dilate, erode)[0, 0].numpy()
    assert np.array_equal(found, grown - shrunk != 0)
    assert found[(alpha[0, 0] > 0) & (alpha[0, 0] < 0.9)].all()


def test_even_windows_lie_between_the_odd_ones() -> None:
    alpha = torch.from_numpy(soft_square())
    smaller, even, larger = (unknown_area(alpha, side, side + 2) for side in (5, 6, 7))
    assert not (smaller & ~even).any()
    assert not (even & ~larger).any()
    assert smaller.sum() < even.sum() < larger.sum()


def test_windows_are_20_to_40_pixels_at_512() -> None:
    drawn = {side for index in range(300) for side in draw_windows(512, generator("windows", index))}
    assert drawn == set(range(20, 41, 2))
    assert draw_windows(512, generator("windows", 1)) == draw_windows(512, generator("windows", 1))


def test_a_trimap_of_other_values_is_refused() -> None:
    trimap = torch.tensor([[0, 128, 255]], dtype=torch.uint8)
    assert unknown_of_trimap(trimap).tolist() == [[False, True, False]]
    with pytest.raises(UsageError, match="holds the value 127"):
        unknown_of_trimap(torch.tensor([[0, 127, 255]], dtype=torch.uint8))
    with pytest.raises(UsageError, match=r"torch\.float32: give uint8"):
        unknown_of_trimap(trimap / 255)
