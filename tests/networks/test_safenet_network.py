# ruff: noqa: E402 - without torch there is nothing to import
from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from matting_data.errors import UsageError
from matting_data.networks.safenet.initial_weights import build_network, parameter_count
from matting_data.networks.safenet.losses import matting_loss
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.options import SafeNetConfig
from matting_data.networks.safenet.presets import load_config, preset_names
from matting_data.networks.weights import state_sha256

SMALL = SafeNetConfig(
    width=4, flaw_width=2, detector_width=2, reduced_width=8, decoder_widths=(8, 8, 8, 8, 8), iterations=2
)


def small(seed: int = 0, **changes: Any) -> SafeNet:
    return build_network(dataclasses.replace(SMALL, **changes), seed)


def images(count: int = 2, height: int = 64, width: int = 64, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).random((count, 3, height, width), dtype=np.float32))


def truth_for(batch: Any) -> tuple[Any, Any]:
    alpha = (batch.mean(1, keepdim=True) * 3 - 1).clamp(0, 1)
    return alpha, (alpha > 0) & (alpha < 1)


def total_loss(network: SafeNet, batch: Any, iterations: int | None = None) -> Any:
    return matting_loss(network(batch, iterations), *truth_for(batch), network.config.loss).total


# parts of the facts' table: encoder + decoder + first head, SAM with its attention and head, FEM, detector
BACKBONE, SAM, FEM, DETECTOR = 3_513_153, 420_192 + 289 + 19_776 + 289, 92_528, 8_273_537


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("backbone", BACKBONE),
        ("sam", BACKBONE + SAM),
        ("sam_fem_zero", BACKBONE + SAM + FEM),
        *((name, BACKBONE + SAM + FEM + DETECTOR) for name in (
            "sam_fem", "paper", "paper_carry", "unrolled", "control_untrained", "control_end_to_end"
        )),
    ],
)  # fmt: skip
def test_parameter_counts_of_the_presets(preset: str, expected: int) -> None:
    with torch.device("meta"):
        assert parameter_count(SafeNet(load_config(preset))) == expected
    assert BACKBONE + SAM + FEM == 4_046_227  # 4.046 M without the detector


def test_each_preset_is_trained_by_its_losses_where_it_should_be() -> None:
    batch = images()
    for name in preset_names():
        config = dataclasses.replace(load_config(name), **{
            key: getattr(SMALL, key)
            for key in ("width", "flaw_width", "detector_width", "reduced_width", "decoder_widths")
        })  # fmt: skip
        network = build_network(config)
        total_loss(network, batch).backward()
        untouched = {key.split(".")[0] for key, each in network.named_parameters() if each.grad is None}
        assert untouched == ({"detector"} if config.flaw_map in ("detector", "untrained") else set()), name
        groups = network.parameter_groups()
        assert bool(groups["detector"]) == config.trains_detector, name
        assert all(each.requires_grad for group in groups.values() for each in group)
        left_out = parameter_count(network) - sum(each.numel() for group in groups.values() for each in group)
        assert left_out == (parameter_count(network.detector) if config.flaw_map == "untrained" else 0), name


def test_the_ablation_rows_differ_by_what_they_are_called_alone() -> None:
    rows = ["sam", "sam_fem_zero", "control_untrained", "control_end_to_end", "paper"]
    full = dataclasses.asdict(load_config("sam_fem"))
    changed = {
        name: {key for key, value in dataclasses.asdict(load_config(name)).items() if value != full[key]}
        for name in rows
    }
    assert changed == {
        "sam": {"refinement", "flaw_map"},
        "sam_fem_zero": {"flaw_map"},
        "control_untrained": {"flaw_map"},
        "control_end_to_end": {"flaw_map"},
        "paper": set(),
    }


def test_forward_gives_every_matte_and_flaw_map() -> None:
    network = small()
    output = network(images(), 3)
    assert len(output.mattes) == len(output.flaw_maps) == 3
    for plane in (output.initial, *output.mattes, *output.flaw_maps, output.attention):
        assert plane.shape == (2, 1, 64, 64)
        assert plane.dtype == torch.float32
        assert 0 <= plane.min().item() <= plane.max().item() <= 1
    assert output.final is output.mattes[-1]
    assert torch.equal(network(images(), 0).final, network(images(), 0).initial)


@pytest.mark.parametrize("recurrent", ["convlstm", "convgru"])
def test_recurrent_weights_learn_with_two_steps_and_not_with_one(recurrent: str) -> None:
    network = small(recurrent=recurrent)
    width = network.config.width
    gradients = []
    for iterations in (1, 2):
        network.zero_grad()
        total_loss(network, images(), iterations).backward()
        gradients.append({key: each.grad.clone() for key, each in network.fem.recurrent.named_parameters()})
    one, two = gradients
    for name in one:
        if name.endswith("weight"):
            assert not one[name][:, width:].any()
            assert two[name][:, width:].any()
            assert one[name][:, :width].any()
    if recurrent == "convlstm":
        forget = slice(width, 2 * width)
        assert not one["gates.weight"][forget].any()
        assert not one["gates.bias"][forget].any()
        assert two["gates.weight"][forget].any()
        assert two["gates.bias"][forget].any()


def test_the_state_matters_exactly_where_it_is_carried() -> None:
    network = small().eval()
    batch = images()
    with torch.no_grad():
        prepared = network.prepare(batch)
        first, _, state = network.refine(prepared, prepared.initial)
        carried, without = network.refine(prepared, first, state)[0], network.refine(prepared, first)[0]
        assert torch.equal(network(batch).final, carried)
        assert not torch.equal(carried, without)
        resetting = build_network(dataclasses.replace(SMALL, state="reset")).eval()
        assert torch.equal(resetting(batch).final, without)


def test_fem_star_is_fem_with_a_flaw_map_of_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    full, star = small(), small(flaw_map="zeros")
    batch = images()
    assert not torch.equal(full(batch).final, star(batch).final)
    monkeypatch.setattr(full.detector, "forward", lambda image, matte: torch.zeros_like(matte))
    for network in (full, star):
        network.zero_grad()
    found, expected = full(batch), star(batch)
    assert all(map(torch.equal, found.mattes, expected.mattes))
    assert not any(plane.any() for plane in star(batch).flaw_maps)


def test_the_matting_loss_never_reaches_a_detector_that_has_steps_of_its_own() -> None:
    network = small()
    before = state_sha256(network.detector.state_dict())
    total_loss(network, images()).backward()
    assert all(each.grad is None for each in network.detector.parameters())
    assert not network.detector.training  # though the network trains
    assert state_sha256(network.detector.state_dict()) == before
    other = small(flaw_map="end_to_end")
    total_loss(other, images()).backward()
    assert other.detector.training
    assert all(each.grad is not None and each.grad.any() for each in other.detector.classifier.parameters())


def test_the_first_matte_is_trained_through_the_refinement() -> None:
    network = small()
    output = network(images(), 1)
    output.final.sum().backward()
    assert network.head.conv.weight.grad.any()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (63, 65), (64, 97), (100, 33)])
def test_any_size_comes_back_in_its_own_size(height: int, width: int) -> None:
    network = small().eval()
    with torch.no_grad():
        output = network(images(1, height, width))
    assert {plane.shape for plane in (output.initial, *output.mattes, *output.flaw_maps)} == {(1, 1, height, width)}


def test_padding_repeats_the_border() -> None:
    network = small().eval()
    image = images(1, 70, 64)
    by_hand = torch.cat([image, image[:, :, -1:].expand(1, 3, 26, 64)], dim=2)
    with torch.no_grad():
        assert torch.equal(network(image).final, network(by_hand).final[:, :, :70])


def test_a_batch_is_no_more_than_its_images() -> None:
    network = small().eval()
    batch = images(3)
    with torch.no_grad():
        together, turned = network(batch), network(batch.flip(0))
        for number in range(3):
            alone = network(batch[number : number + 1])
            assert torch.allclose(alone.final, together.final[number : number + 1], atol=1e-5)
        assert torch.allclose(turned.final.flip(0), together.final, atol=1e-6)


def test_equal_seeds_give_equal_weights_and_leave_torchs_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    hashes = [state_sha256(small(seed).state_dict()) for seed in (1, 1, 2)]
    assert torch.equal(torch.rand(4), expected)
    assert hashes[0] == hashes[1] != hashes[2]


def test_rows_of_an_ablation_start_alike() -> None:
    full = small().state_dict()
    for changes in ({"flaw_map": "zeros"}, {"refinement": "sam", "flaw_map": "zeros"}):
        other = small(**changes).state_dict()
        shared = [name for name in other if name in full]
        assert len(shared) == len(other)
        assert all(torch.equal(other[name], full[name]) for name in shared)


def test_two_runs_of_three_steps_give_the_same_weights() -> None:
    hashes = []
    for _ in range(2):
        network = small()
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
        for step in range(3):
            optimiser.zero_grad()
            total_loss(network, images(seed=step)).backward()
            optimiser.step()
        hashes.append(state_sha256(network.state_dict()))
    assert hashes[0] == hashes[1]


def test_bfloat16_autocast_stays_near_float32_and_mattes_stay_fine() -> None:
    network = small().eval()
    batch = images()
    expected = network(batch)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(batch)
        loss = matting_loss(found, *truth_for(batch)).total
    assert found.final.dtype == torch.float32
    assert (found.final - expected.final).abs().max().item() < 0.05
    assert found.final.unique().numel() > 1000  # of 8192 pixels; bfloat16 itself has 128 values in [0.5, 1)
    network.train()
    loss.backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters() if each.grad is not None)


def test_a_network_in_bfloat16_throughout_runs() -> None:
    network = small().eval().bfloat16()
    with torch.no_grad():
        final = network(images().bfloat16()).final
    assert final.dtype == torch.float32
    assert torch.isfinite(final).all()


def test_channels_last_changes_the_layout_and_nothing_else() -> None:
    plain, other = small(), small().to(memory_format=torch.channels_last)
    batch = images()
    found = other(batch.contiguous(memory_format=torch.channels_last))
    assert torch.allclose(found.final, plain(batch).final, atol=1e-4)
    features = other.encoder(batch.contiguous(memory_format=torch.channels_last))[1]
    assert features.is_contiguous(memory_format=torch.channels_last)


def test_compiles_into_one_graph() -> None:
    network = small().eval()
    torch._dynamo.reset()
    compiled = torch.compile(network, backend="eager", fullgraph=True)  # a graph break would raise
    with torch.no_grad():
        assert torch.equal(compiled(images()).final, network(images()).final)


def test_recomputed_steps_give_the_same_gradients_and_statistics() -> None:
    networks = [small(), small()]
    networks[1].checkpoint_steps = True
    for network in networks:
        total_loss(network, images()).backward()
    for (name, ours), theirs in zip(networks[0].named_parameters(), networks[1].parameters(), strict=True):
        if ours.grad is not None:
            assert torch.allclose(ours.grad, theirs.grad, atol=1e-6), name
    ours, theirs = (network.state_dict() for network in networks)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if "running" in name)


@pytest.mark.parametrize(
    "changes",
    [
        {"spatial_source": "lowest"},
        {"spatial_attention": "shared"},
        {"stride": 2},
        {"matte": "residual"},
        {"recurrent": "convgru"},
        {"recurrent_init": "zero"},
    ],
)
def test_every_switch_makes_a_network_that_differs_and_learns(changes: dict[str, Any]) -> None:
    network = small(**changes)
    output = network(images())
    assert not torch.equal(output.final, small()(images()).final)
    assert (output.attention is None) == (network.config.spatial_attention == "shared")
    total_loss(network, images()).backward()
    assert all(each.grad is not None for group in ("encoder", "matting") for each in network.parameter_groups()[group])


def test_zero_recurrent_weights_make_the_carried_state_nearly_inert() -> None:
    weight = build_network(load_config("paper_carry")).fem.recurrent.gates.weight
    width = weight.shape[0] // 4
    assert not weight[:, width:].any()
    assert not weight[width : 2 * width].any()
    assert weight[:width, :width].all()


def test_a_refinement_starts_from_the_residual_of_the_last_matte() -> None:
    network = small(matte="residual").eval()
    with torch.no_grad():
        network.refined_head.conv.weight.zero_()
        network.refined_head.conv.bias.zero_()
        output = network(images())
    assert torch.allclose(output.final, output.initial, atol=1e-5)


def test_training_lowers_the_loss() -> None:
    network = small()
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    discs = [((rows - row) ** 2 + (columns - 32) ** 2 < 300).float() for row in (20, 30, 40, 50)]
    truth = torch.stack(discs)[:, None]
    batch = 0.5 * truth + 0.5 * images(4)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = matting_loss(network(batch), truth, torch.zeros_like(truth, dtype=torch.bool)).total
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_what_the_network_cannot_take_is_said() -> None:
    network = small()
    for wrong in (torch.zeros(3, 64, 64), torch.zeros(1, 4, 64, 64), torch.zeros(1, 3, 64, 64, dtype=torch.uint8)):
        with pytest.raises(UsageError, match=r"floats of shape B×3×H×W in \[0, 1\], not"):
            network(wrong)
    backbone = small(refinement="none", flaw_map="zeros", iterations=0)
    with pytest.raises(UsageError, match="2 refinements asked of a network with refinement 'none'"):
        backbone(images(), 2)


def test_mattes_of_ten_refinements_are_finite() -> None:
    network = small().eval()
    with torch.no_grad():
        output = network(images(1), 10)
    changes = [float((b - a).abs().mean()) for a, b in itertools.pairwise(output.mattes)]
    assert np.isfinite(changes).all()
