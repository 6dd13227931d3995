"""Files of weights with bits flipped, cut or spliced: refused in a sentence, or equal to what was written."""

# ruff: noqa: E402 - without torch there is nothing to import
from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from matting_data.errors import DamageError, UsageError
from matting_data.networks import tensor_files
from matting_data.networks.safenet.initial_weights import build_network
from matting_data.networks.safenet.options import SafeNetConfig
from matting_data.networks.tensor_files import document_sha256, parse_torch
from matting_data.networks.weights import FORMAT, load_encoder, load_network, read_checkpoint, save_network
from tests.support.mutations import mutated
from tests.support.older_networks import without_hash

CONFIG = SafeNetConfig(width=4, flaw_width=2, detector_width=2, reduced_width=8, decoder_widths=(8, 8, 8, 8, 8))
SUFFIXES = pytest.mark.parametrize("suffix", [".safetensors", ".pt"])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A network in each format; not to be changed."""
    folder, network = tmp_path_factory.mktemp("networks"), build_network(CONFIG, 7)
    paths = {suffix: folder / f"network{suffix}" for suffix in (".safetensors", ".pt")}
    for path in paths.values():
        save_network(network, path)
    return paths


def regions(path: Path) -> dict[str, range]:
    """Return where which bytes of a file lie, every byte in one region."""
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        start = 8 + int.from_bytes(content[:8], "little")
        metadata = range(content.index(b"__metadata__"), content.index(b"}", content.index(b'"sha256"')))
        return {"length": range(8), "metadata": metadata, "header": range(8, start), "data": range(start, len(content))}
    with zipfile.ZipFile(path) as archive:
        data = [each for each in archive.infolist() if "/data/" in each.filename]
        start, end = archive.filelist[0].header_offset, data[0].header_offset
    tensors = range(end, data[-1].header_offset + data[-1].file_size)
    return {"pickle": range(start, end), "data": tensors, "directory": range(tensors.stop, len(content))}


def loaded(path: Path) -> str | None:
    """Return what a file holds, as a hash; None where it is refused in one sentence."""
    try:
        state, config = read_checkpoint(path)
        assert config is not None
        return document_sha256([state, repr(config)])
    except (DamageError, UsageError) as error:
        assert "\n" not in str(error) and str(path) in str(error)
        return None


@SUFFIXES
def test_nothing_that_was_changed_loads_as_something_else(files: dict[str, Path], tmp_path: Path, suffix: str) -> None:
    whole, path = files[suffix].read_bytes(), tmp_path / f"network{suffix}"
    expected = loaded(files[suffix])
    assert expected is not None
    counts = {"refused": 0, "equal": 0}
    for name, region in regions(files[suffix]).items():
        for seed in range(30):
            path.write_bytes(mutated(whole, region, seed))
            found = loaded(path)
            assert found in (None, expected), (name, seed)
            counts["equal" if found else "refused"] += 1
    assert counts["refused"] > 70


@SUFFIXES
def test_bits_of_the_metadata_count(files: dict[str, Path], tmp_path: Path, suffix: str) -> None:
    whole, path = files[suffix].read_bytes(), tmp_path / f"network{suffix}"
    expected = loaded(files[suffix])
    start = whole.index(FORMAT.encode()) - 40
    for place in range(start, start + 700, 9):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        assert loaded(path) in (None, expected), place


@SUFFIXES
def test_a_flipped_weight_is_damage_with_its_remedy(files: dict[str, Path], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"network{suffix}"
    damaged = bytearray(files[suffix].read_bytes())
    region = regions(files[suffix])["data"]
    damaged[region[len(region) // 2]] ^= 4
    path.write_bytes(damaged)
    with pytest.raises(DamageError, match=r"is damaged \(its content does not have the SHA-256 .*\): take it"):
        load_network(path)
    with pytest.raises(DamageError, match="is damaged"):
        load_encoder(build_network(CONFIG), str(path))


@SUFFIXES
def test_files_from_before_hashes_load_with_one_note(
    files: dict[str, Path], tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"old{suffix}"
    without_hash(files[suffix], path)
    with caplog.at_level(logging.WARNING):
        assert loaded(path) == loaded(path) == loaded(files[suffix])
    notes = [record.getMessage() for record in caplog.records]
    assert notes == [f"note: {path} is of an earlier version and holds no hash: whether it is damaged cannot be told"]


def test_foreign_weights_have_no_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = build_network(CONFIG, 7).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    safetensors.save_file(state, tmp_path / "weights.safetensors", {"format": "pt"})
    for name in ("weights.pth", "weights.safetensors"):
        assert read_checkpoint(tmp_path / name)[1] is None
    assert not caplog.records


def nested() -> Any:
    inner: list[Any] = []
    for _ in range(40):
        inner = [inner, inner]
    return inner


def itself() -> Any:
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize(
    "document",
    [nested, itself, lambda: {"x": torch.zeros(1).expand(10**6, 10**6)}, lambda: {"x": torch.zeros(9).to_sparse()}],
)
def test_documents_that_stand_for_more_than_their_bytes_are_refused(
    document: Callable[[], Any], tmp_path: Path
) -> None:
    path = tmp_path / "bomb.pt"
    torch.save(document(), path)
    with pytest.raises(UsageError, match="is no readable checkpoint"):
        read_checkpoint(path)


def test_compressed_archives_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save({"x": torch.zeros(1 << 20)}, stream)
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.infolist():
            new.writestr(each.filename, old.read(each))
    with pytest.raises(UsageError, match="its records are compressed"):
        read_checkpoint(path)


def test_the_hash_follows_names_types_shapes_bytes_and_values() -> None:
    tensor = torch.arange(6, dtype=torch.int32)
    base: dict[Any, Any] = {"a": tensor, "b": [1, 2.5, None, True, "x"], 3: {"t": torch.tensor(1.0)}}
    same = {3: {"t": torch.tensor(1.0)}, "b": (1, 2.5, None, True, "x"), "a": torch.arange(6, dtype=torch.int32)}
    assert document_sha256(base) == document_sha256(same)
    others = [
        {**base, "a": tensor.to(torch.int64)}, {**base, "a": tensor.reshape(2, 3)}, {**base, "a": tensor.flip(0)},
        {**base, "b": [1, 2.5, None, 1, "x"]}, {**base, "b": [1, 2.5, None, True]},
        {"c": tensor, "b": base["b"], 3: base[3]},
        {**base, 3: {"t": torch.tensor([1.0])}}, {**base, 3: {"t": torch.tensor(1.0, dtype=torch.bfloat16)}},
        {**base, "3": base[3]},
    ]  # fmt: skip
    assert len({document_sha256(each) for each in [base, *others]}) == len(others) + 1


def test_a_document_comes_back_from_torch_with_the_same_hash() -> None:
    document = {"state": {0: {"step": torch.tensor(3.0), "m": torch.rand(3, 4)}}, "betas": (0.9, 0.99), "best": np.inf}
    document["best"] = float("inf")
    found = parse_torch(tensor_files.torch_bytes(document))
    assert found.pop("sha256") == document_sha256(document) == document_sha256(found)
    assert json.dumps(found["betas"]) == "[0.9, 0.99]"
