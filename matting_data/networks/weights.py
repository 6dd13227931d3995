"""Weights in and out of files, safely: safetensors, or torch's own format without any code in it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from matting_data.errors import MissingExtraError, UsageError
from matting_data.fetching.client import Client, Throttle
from matting_data.fetching.download import download
from matting_data.fetching.wanted import Wanted
from matting_data.networks.safenet.initial_weights import build_network
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.options import SafeNetConfig
from matting_data.networks.safenet.presets import as_mapping, config_from
from matting_data.storage.atomic import atomic_file, sha256_file, storage_errors, write_bytes

FORMAT = "mattingdata-network/1"
"""Value of ``format`` in every checkpoint of a network."""

IMAGENET = "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"
"""torchvision's MobileNetV2 (71.9 % top-1), 13.6 MB; the name holds the first digits of its SHA-256."""

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")
_SHOWN = 3


def save_network(network: SafeNet, path: Path) -> None:
    """Write weights and config to `path`, whole or not at all.

    Parameters
    ----------
    network : SafeNet
    path : Path
        ``.safetensors``, or ``.pt`` for torch's format.

    Raises
    ------
    UsageError
        Another suffix.
    MissingExtraError
        safetensors is not installed.
    StorageError
        The disk refuses.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    config = as_mapping(network.config)
    if path.suffix == ".safetensors":
        save = safetensors_torch().save
        write_bytes(path, save(state, {"format": FORMAT, "config": json.dumps(config)}))
    elif path.suffix == ".pt":
        with atomic_file(path) as file:
            torch.save({"format": FORMAT, "config": config, "network": state}, file)
    else:
        raise UsageError(f"{path}: a network is written as .safetensors or .pt, choose one of them")


def load_network(path: Path, config: SafeNetConfig | None = None) -> SafeNet:
    """Load the network of a checkpoint, in evaluation mode, on the CPU.

    Parameters
    ----------
    path : Path
        From :func:`save_network`, or any file with its three entries.
    config : SafeNetConfig, optional
        What it is expected to be: another one in the file is refused. Needed where the file holds weights alone.

    Raises
    ------
    UsageError
        The file is unreadable, holds code, another network, or weights that do not fit; in one sentence.
    """
    state, stored = read_checkpoint(path)
    expected = config or stored
    if expected is None:
        raise UsageError(f"{path} holds weights without a config: name the config they belong to")
    if stored is not None and stored != expected:
        raise UsageError(f"{path} is the checkpoint of another network: {_differences(stored, expected)}")
    network = build_network(expected)
    load_state(network, state, str(path))
    network.eval()
    return network


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], SafeNetConfig | None]:
    """Read a file's weights, on the CPU, and the config stored with them; errors as for :func:`load_network`."""
    if not path.is_file():
        raise UsageError(f"no checkpoint {path}: check the path")
    if path.suffix == ".safetensors":
        state, config = _read_safetensors(path)
    else:
        state, config = _read_torch(path)
    return state, None if config is None else config_from(config, f"the config in {path}")


def load_state(module: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Give a module all its parameters and buffers.

    Parameters
    ----------
    module : Module
    state : mapping
        By parameter name; a prefix ``module.`` of a parallel wrapper, or ``_orig_mod.`` of a compiled one, is ignored.
    name : str
        Of the file, for errors.

    Raises
    ------
    UsageError
        Names are missing or unknown, or a shape differs; nothing was loaded.
    """
    given = {key.removeprefix("_orig_mod.").removeprefix("module."): tensor for key, tensor in state.items()}
    wanted = module.state_dict()
    # files from before torch 0.4.1 count no batches, and nothing here reads the count
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    unknown = [key for key in given if key not in wanted]
    if missing or unknown:
        parts = [f"lacks {_listed(missing)}"] if missing else []
        parts += [f"has {_listed(unknown)} too many"] if unknown else []
        raise UsageError(
            f"{name} does not fit the network: it {' and '.join(parts)}; name the config it was trained with"
        )
    for key, tensor in given.items():
        if tensor.shape != wanted[key].shape:
            raise UsageError(
                f"{name} does not fit the network: {key} has the shape {tuple(tensor.shape)}, "
                f"not {tuple(wanted[key].shape)}; name the config it was trained with"
            )
    module.load_state_dict(given, strict=False)


def load_encoder(network: SafeNet, source: str, folder: Path | None = None, sha256: str = "") -> None:
    """Give the encoder its starting weights.

    Parameters
    ----------
    network : SafeNet
    source : str
        ``random`` (leave it as it is), ``imagenet`` (:data:`IMAGENET`), an http(s) address, or a local file; with
        torchvision's names ``features.N...``, alone or within a classifier or a checkpoint of a SafeNet.
    folder : Path, optional
        Where downloads are kept; torch hub's folder without, which torchvision uses, too.
    sha256 : str
        What the file has to hash to, or the first 8 digits or more. Without, the digits in the file's name count where
        there are any.

    Raises
    ------
    UsageError
        The file cannot be had, is another one, or does not fit; in one sentence.
    """
    if source == "random":
        return
    address = IMAGENET if source == "imagenet" else source
    path = _downloaded(address, folder) if re.match(r"https?://", address) else Path(address).expanduser()
    expected = sha256.lower() or (_HASH_IN_NAME.findall(path.name) or [""])[0]
    if expected and path.is_file() and not (found := sha256_file(path)).startswith(expected):
        raise UsageError(f"{path} hashes to {found[:16]}..., not to {expected}: delete it and try again")
    state, _ = read_checkpoint(path)
    encoder = {f"features.{key.partition('features.')[2]}": value for key, value in state.items() if "features." in key}
    if not encoder:
        raise UsageError(f"{path} holds no weights called features.N: name a MobileNetV2 with torchvision's names")
    load_state(network.encoder, encoder, str(path))


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Hash names, types, shapes and values: equal exactly when two sets of weights are."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _downloaded(url: str, folder: Path | None) -> Path:
    folder = folder or Path(torch.hub.get_dir()) / "checkpoints"
    name = url.partition("?")[0].rpartition("/")[2]
    if not name:
        raise UsageError(f"{url} names no file: give the address of the weights themselves")
    path = folder / name
    if path.is_file():
        return path
    with storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
    fetched = download(Wanted(name, name, url, image=False), folder, Client(Throttle(), connections=1))
    if fetched.outcome != "written":
        raise UsageError(
            f"cannot fetch {url} ({fetched.detail}): download it elsewhere and name the file, "
            f"put it at {path}, or start from 'random'"
        )
    return path


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    safetensors = safetensors_torch()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        state = safetensors.load_file(path)
        return state, json.loads(metadata["config"]) if metadata.get("format") == FORMAT else None
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path} is no readable safetensors file ({_first_line(error)}): name another") from None


def _read_torch(path: Path) -> tuple[dict[str, Tensor], Any]:
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch reports damage and refused code by a dozen types
        if "Unsupported global" in str(error):
            raise UsageError(f"{path} holds code, which is not run: save its weights alone, as safetensors") from None
        reason = "no weights" if isinstance(error, UnpicklingError) else _first_line(error)
        raise UsageError(f"{path} is no readable checkpoint ({reason}): name another") from None
    config = None
    if isinstance(document, Mapping) and document.get("format") == FORMAT:
        config = document.get("config")
    for entry in ("network", "state_dict", "model"):
        if isinstance(document, Mapping) and isinstance(document.get(entry), Mapping):
            document = document[entry]
            break
    if not isinstance(document, Mapping) or not all(isinstance(value, Tensor) for value in document.values()):
        raise UsageError(f"{path} holds no weights by name: name a state dict or a checkpoint of mattingdata")
    return dict(document), config


def safetensors_torch() -> Any:
    """Import the module ``safetensors.torch``, or raise the MissingExtraError that names its extra."""
    try:
        import safetensors.torch
    except ImportError:
        raise MissingExtraError("torch", "safetensors is") from None
    return safetensors.torch


def _differences(stored: SafeNetConfig, expected: SafeNetConfig) -> str:
    ours, theirs = as_mapping(expected), as_mapping(stored)
    return _listed([f"{key} is {theirs[key]!r}, not {ours[key]!r}" for key in ours if ours[key] != theirs[key]])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
