# ruff: noqa: E402 - without torch there is nothing to import
from __future__ import annotations

import dataclasses
import hashlib
import io
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from matting_data.errors import DamageError, MissingExtraError, UsageError
from matting_data.networks.safenet.initial_weights import build_network
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.options import SafeNetConfig
from matting_data.networks.weights import load_encoder, load_network, read_checkpoint, save_network, state_sha256
from tests.support.misbehaving_server import Server, good, running, status
from tests.support.mobilenet_v2 import MobileNetV2

CONFIG = SafeNetConfig(width=4, flaw_width=2, detector_width=2, reduced_width=8, decoder_widths=(8, 8, 8, 8, 8))


@pytest.fixture(scope="module")
def network() -> SafeNet:
    return build_network(CONFIG, 7)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


def as_bytes(document: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(document, stream)
    return stream.getvalue()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_network_comes_back_with_its_config(network: SafeNet, tmp_path: Path, suffix: str) -> None:
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / f"network{suffix}"
    save_network(network.to(memory_format=torch.channels_last), path)
    for config in (None, CONFIG):
        loaded = load_network(path, config)
        assert loaded.config == CONFIG
        assert not loaded.training
        assert state_sha256(loaded.state_dict()) == state_sha256(network.state_dict())
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_another_config_is_refused_by_name(network: SafeNet, tmp_path: Path, suffix: str) -> None:
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / f"network{suffix}"
    save_network(network, path)
    other = dataclasses.replace(CONFIG, width=5, iterations=2)
    with pytest.raises(UsageError, match=r"another network: iterations is 3, not 2, width is 4, not 5$"):
        load_network(path, other)


def test_weights_alone_need_a_config_and_have_to_fit_it(network: SafeNet, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    state = network.state_dict()
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, path)
    with pytest.raises(UsageError, match="weights without a config"):
        load_network(path)
    assert state_sha256(load_network(path, CONFIG).state_dict()) == state_sha256(state)
    with pytest.raises(
        UsageError, match=r"channel_attention.excite.weight has the shape \(4, 320, 1, 1\), not \(5, 320, 1, 1\)"
    ):
        load_network(path, dataclasses.replace(CONFIG, width=5))
    with pytest.raises(UsageError, match=r"it has detector\..*, detector\..* and \d+ more too many"):
        load_network(path, dataclasses.replace(CONFIG, flaw_map="zeros"))
    del state["head.conv.weight"]
    torch.save(state, path)
    with pytest.raises(UsageError, match=r"it lacks head.conv.weight; name the config it was trained with"):
        load_network(path, CONFIG)


class _Planted:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(PLANTED),))


PLANTED = "/nonexistent"


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PLANTED", str(tmp_path / "planted"))
    old = pickle.dumps(_Planted(), protocol=2)
    for name, data in {"zip.pt": as_bytes({"network": _Planted()}), "old.pt": old}.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UsageError, match="holds code, which is not run") as caught:
            load_network(path, CONFIG)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_files_that_are_no_checkpoint(tmp_path: Path, suffix: str) -> None:
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / f"bad{suffix}"
    with pytest.raises(UsageError, match=r"no checkpoint .*: check the path"):
        load_network(path)
    for data in (b"", b"PK\x03\x04 no zip", bytes(100)):
        path.write_bytes(data)
        with pytest.raises(UsageError, match="is no readable") as caught:
            load_network(path)
        assert "\n" not in str(caught.value)


def test_a_document_without_weights(tmp_path: Path) -> None:
    path = tmp_path / "odd.pt"
    for document in ([1, 2], {"epoch": 3}):
        torch.save(document, path)
        with pytest.raises(UsageError, match="holds no weights by name"):
            load_network(path, CONFIG)


def test_a_truncated_checkpoint_is_damaged(network: SafeNet, tmp_path: Path) -> None:
    path = tmp_path / "network.pt"
    save_network(network, path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DamageError, match=r"is damaged \(.*\): take it from a copy, or train again$"):
        load_network(path)


def test_other_suffixes_are_refused(network: SafeNet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"written as .safetensors or .pt"):
        save_network(network, tmp_path / "network.bin")


def test_without_safetensors_the_extra_is_named(
    network: SafeNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtraError, match="safetensors is not installed"):
        save_network(network, tmp_path / "network.safetensors")


def classifier() -> Any:
    torch.manual_seed(0)
    return MobileNetV2()


def test_a_published_classifier_gives_the_encoder_its_weights(tmp_path: Path) -> None:
    network, source = build_network(CONFIG), classifier()
    path = tmp_path / "mobilenet.pth"
    torch.save({name: each for name, each in source.state_dict().items() if "num_batches" not in name}, path)
    rest = state_sha256(network.decoder.state_dict())
    load_encoder(network, str(path))
    assert state_sha256(network.encoder.features.state_dict()) == state_sha256(source.features.state_dict())
    assert state_sha256(network.decoder.state_dict()) == rest


def test_an_encoder_can_come_from_another_safenet(network: SafeNet, tmp_path: Path) -> None:
    path = tmp_path / "network.pt"
    save_network(network, path)
    other = build_network(dataclasses.replace(CONFIG, width=8), 1)
    load_encoder(other, "random")
    assert state_sha256(other.encoder.state_dict()) != state_sha256(network.encoder.state_dict())
    load_encoder(other, str(path))
    assert state_sha256(other.encoder.state_dict()) == state_sha256(network.encoder.state_dict())


def test_encoder_weights_that_do_not_fit(tmp_path: Path) -> None:
    path, network = tmp_path / "weights.pth", build_network(CONFIG)
    torch.save({"layer1.weight": torch.zeros(3)}, path)
    with pytest.raises(UsageError, match=r"holds no weights called features.N"):
        load_encoder(network, str(path))
    state = classifier().features.state_dict()
    torch.save({f"features.{name}": each for name, each in state.items() if not name.startswith("18.")}, path)
    with pytest.raises(UsageError, match=r"it lacks features.18.0.weight, features.18.1.weight, .* and \d+ more"):
        load_encoder(network, str(path))


def test_encoder_weights_by_address_are_checked_and_kept(server: Server, tmp_path: Path) -> None:
    source = classifier()
    body = as_bytes(source.state_dict())
    digest = hashlib.sha256(body).hexdigest()
    url = server.at(f"/mobilenet-{digest[:8]}.pth", good(body, kind="application/octet-stream"))
    network = build_network(CONFIG)
    for _ in range(2):
        load_encoder(network, url, tmp_path)
    assert server.count(f"/mobilenet-{digest[:8]}.pth") == 1
    assert state_sha256(network.encoder.features.state_dict()) == state_sha256(source.features.state_dict())
    with pytest.raises(UsageError, match=r"hashes to .* not to 12345678: delete it and try again"):
        load_encoder(network, url, tmp_path, sha256="12345678")


def test_a_file_whose_name_promises_another_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet-00000000.pth"
    torch.save(classifier().state_dict(), path)
    with pytest.raises(UsageError, match="hashes to"):
        load_encoder(build_network(CONFIG), str(path))


def test_an_address_without_an_answer_says_what_to_do(server: Server, tmp_path: Path) -> None:
    url = server.at("/gone.pth", status(404))
    with pytest.raises(UsageError, match=r"cannot fetch .*gone.pth .*answers 404.* or start from 'random'"):
        load_encoder(build_network(CONFIG), url, tmp_path)
    assert not list(tmp_path.iterdir())


def test_read_checkpoint_keeps_values_on_the_processor(network: SafeNet, tmp_path: Path) -> None:
    path = tmp_path / "network.pt"
    save_network(network, path)
    state, config = read_checkpoint(path)
    assert config == CONFIG
    assert {str(each.device) for each in state.values()} == {"cpu"}
