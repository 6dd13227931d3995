"""Weights in and out of files, safely: safetensors, or torch's own format without any code in it."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from matting_data.errors import DamageError, UsageError
from matting_data.fetching.client import Client, Throttle
from matting_data.fetching.download import download
from matting_data.fetching.wanted import Wanted
from matting_data.networks.safenet.initial_weights import build_network
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.safenet.options import SafeNetConfig
from matting_data.networks.safenet.presets import as_mapping, config_from
from matting_data.networks.tensor_files import (
    HASH,
    Unreadable,
    parse_safetensors,
    parse_torch,
    require_hash,
    safetensors_bytes,
    torch_bytes,
)
from matting_data.storage.atomic import storage_errors, write_bytes
from matting_data.storage.regular_files import read_regular

FORMAT = "mattingdata-network/1"
"""Value of ``format`` in every checkpoint of a network."""

IMAGENET = "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"
"""torchvision's MobileNetV2 (71.9 % top-1), 13.6 MB; the name holds the first digits of its SHA-256."""

RESTORE = "take it from a copy, or train again"
"""What to do about a damaged network of which nobody knows more."""

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")
_HASH_OF_ADDRESS = re.compile(r"sha256=([0-9a-fA-F]{8,64})")
_SHOWN = 3

_LOG = logging.getLogger(__package__)


def save_network(network: SafeNet, path: Path) -> None:
    """Write weights, config and a hash of both to `path`, whole or not at all.

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
        write_bytes(path, safetensors_bytes(state, {"format": FORMAT, "config": json.dumps(config)}))
    elif path.suffix == ".pt":
        write_bytes(path, torch_bytes({"format": FORMAT, "config": config, "network": state}))
    else:
        raise UsageError(f"{path}: a network is written as .safetensors or .pt, choose one of them")


def load_network(path: Path, config: SafeNetConfig | None = None, remedy: str = RESTORE) -> SafeNet:
    """Load the network of a checkpoint, in evaluation mode, on the CPU.

    Parameters
    ----------
    path : Path
        From :func:`save_network`, or any file with its three entries.
    config : SafeNetConfig, optional
        What it is expected to be: another one in the file is refused. Needed where the file holds weights alone.
    remedy : str
        What to do where it is damaged.

    Raises
    ------
    UsageError
        The file is unreadable, holds code, another network, or weights that do not fit; in one sentence.
    DamageError
        It is of ours, and not what was written. Files from before there were hashes load with a note in the log.
    """
    state, stored = read_checkpoint(path, remedy)
    expected = config or stored
    if expected is None:
        raise UsageError(f"{path} holds weights without a config: name the config they belong to")
    if stored is not None and stored != expected:
        raise UsageError(f"{path} is the checkpoint of another network: {_differences(stored, expected)}")
    network = build_network(expected)
    load_state(network, state, str(path))
    network.eval()
    return network


def read_checkpoint(path: Path, remedy: str = RESTORE) -> tuple[dict[str, Tensor], SafeNetConfig | None]:
    """Read a file's weights, on the CPU, and the config stored with them.

    Errors are as for :func:`load_network`; `remedy` is what to do about damage.
    """
    return _parsed(_content(path), path, remedy)


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
        ``random`` (leave it as it is), ``imagenet`` (:data:`IMAGENET`), an http(s) address, which may end with
        ``#sha256=`` and the digits, or a local file; with torchvision's names ``features.N...``, alone or within a
        classifier or a checkpoint of a SafeNet.
    folder : Path, optional
        Where downloads are kept; torch hub's folder without, which torchvision uses, too.
    sha256 : str
        What the file has to hash to, or the first 8 digits or more. Without, the digits in the address or in the file's
        name count where there are any; for an address without any, the log notes that nothing was checked.

    Raises
    ------
    UsageError
        The file cannot be had, is another one, or does not fit; in one sentence.
    DamageError
        It is a checkpoint of ours, and damaged.
    """
    if source == "random":
        return
    address, _, fragment = (IMAGENET if source == "imagenet" else source).partition("#")
    distant = re.match(r"https?://", address) is not None
    if not distant:
        address, fragment = source, ""
    stated = _HASH_OF_ADDRESS.fullmatch(fragment)
    if fragment and stated is None:
        raise UsageError(f"{source} does not end with #sha256= and 8 to 64 hexadecimal digits: correct it, or drop '#'")
    name = address.partition("?")[0] if distant else address
    expected = (sha256 or (stated[1] if stated else "") or (_HASH_IN_NAME.findall(name) or [""])[0]).lower()
    path = _downloaded(address, folder, expected) if distant else Path(address).expanduser()
    content = _content(path)
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(expected):
        raise UsageError(f"{path} hashes to {found[:16]}..., not to {expected}: delete it and try again")
    if distant and not expected:
        _LOG.warning("note: nobody says the hash of %s: write %s#sha256=%s to have it checked", path, address, found)
    state, _ = _parsed(content, path, RESTORE)
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


def _downloaded(url: str, folder: Path | None, sha256: str) -> Path:
    folder = folder or Path(torch.hub.get_dir()) / "checkpoints"
    name = url.partition("?")[0].rpartition("/")[2]
    if not name:
        raise UsageError(f"{url} names no file: give the address of the weights themselves")
    path = folder / name
    if path.is_file():
        return path
    with storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
    whole = sha256 if len(sha256) == 64 else ""
    fetched = download(Wanted(name, name, url, sha256=whole, image=False), folder, Client(Throttle(), connections=1))
    if fetched.outcome != "written":
        raise UsageError(
            f"cannot fetch {url} ({fetched.detail}): download it elsewhere and name the file, "
            f"put it at {path}, or start from 'random'"
        )
    return path


def _content(path: Path) -> bytes:
    try:
        return read_regular(path)
    except FileNotFoundError:
        raise UsageError(f"no checkpoint {path}: check the path") from None
    except OSError as error:
        raise UsageError(f"the checkpoint {path} cannot be read ({error.strerror}): name another") from None


def _parsed(content: bytes, path: Path, remedy: str) -> tuple[dict[str, Tensor], SafeNetConfig | None]:
    """Read weights and config from the content of a file, and check what is of ours against its hash."""
    try:
        if path.suffix == ".safetensors":
            state, metadata = parse_safetensors(content)
            document: Any = {**metadata, "tensors": state}
        else:
            document = parse_torch(content)
    except Unreadable as error:
        if FORMAT.encode() in content:
            raise DamageError(f"{path} is damaged ({error}): {remedy}") from None
        if error.code:
            raise UsageError(f"{path} holds code, which is not run: save its weights alone, as safetensors") from None
        kind = "safetensors file" if path.suffix == ".safetensors" else "checkpoint"
        raise UsageError(f"{path} is no readable {kind} ({error}): name another") from None
    if not isinstance(document, Mapping):
        raise UsageError(f"{path} holds no weights by name: name a state dict or a checkpoint of mattingdata")
    if not _is_ours(document, content):
        return _weights_in(document, path), None
    checked = require_hash(document, str(path), remedy, ("format", "config", "network", "tensors"))
    config = checked.get("config")
    if checked.get("format") != FORMAT or config is None:
        raise DamageError(f"{path} is damaged (its format is {checked.get('format')!r}, not {FORMAT!r}): {remedy}")
    try:
        config = json.loads(config) if isinstance(config, str) else config
    except (ValueError, RecursionError):
        raise DamageError(f"{path} is damaged (its config is not JSON): {remedy}") from None
    return _weights_in(checked, path), config_from(config, f"the config in {path}")


def _is_ours(document: Mapping[str, Any], content: bytes) -> bool:
    """Tell a checkpoint written here, even if its first key is damaged, from one of another program."""
    return document.get("format") == FORMAT or {HASH, "config"} <= set(document) or FORMAT.encode() in content


def _weights_in(document: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    for entry in ("tensors", "network", "state_dict", "model"):
        if isinstance(document.get(entry), Mapping):
            document = document[entry]
            break
    if not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in document.items()):
        raise UsageError(f"{path} holds no weights by name: name a state dict or a checkpoint of mattingdata")
    return dict(document)


def _differences(stored: SafeNetConfig, expected: SafeNetConfig) -> str:
    ours, theirs = as_mapping(expected), as_mapping(stored)
    return _listed([f"{key} is {theirs[key]!r}, not {ours[key]!r}" for key in ours if ours[key] != theirs[key]])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
