"""Checkpoints of a run: weights as safetensors, the rest in torch's format without code; whole or not there at all."""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from matting_data.errors import DamageError, UsageError
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.tensor_files import Unreadable, parse_torch, require_hash, torch_bytes
from matting_data.networks.weights import load_state, read_checkpoint, save_network, state_sha256
from matting_data.storage.atomic import atomic_folder, write_bytes
from matting_data.storage.regular_files import read_regular
from matting_data.training.config_file import as_mapping, config_from, differences
from matting_data.training.ema import Average
from matting_data.training.steps import Stepper

FORMAT = "mattingdata-training/1"
FOLDER, NETWORK, AVERAGE, STATE = "checkpoints", "network.safetensors", "average.safetensors", "state.pt"
_NAME = re.compile(r"\d{8}")
_REMEDY = "delete its folder to continue from the one before"


@dataclass
class Progress:
    """Where a run stands.

    Attributes
    ----------
    step : int
        Steps taken.
    loader : dict
        Position in the order of samples.
    best : float
        Smallest error seen on what is watched; infinite before the first look.
    best_step : int
        When.
    """

    step: int = 0
    loader: dict[str, int | str] | None = None
    best: float = float("inf")
    best_step: int = -1


def checkpoints(run: Path) -> list[Path]:
    """List the checkpoints of a run, oldest first."""
    folder = run / FOLDER
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def save_checkpoint(run: Path, progress: Progress, stepper: Stepper, average: Average | None, keep: int) -> Path:
    """Write where a run stands, and delete all but the latest `keep` checkpoints.

    Everything that the next step depends on is in it: weights, statistics, optimisers, average, position in the data.
    The random numbers of crops and windows are functions of seed, epoch, sample and step.
    """
    path = run / FOLDER / f"{progress.step:08d}"
    if not path.exists():
        with atomic_folder(path) as folder:
            save_network(stepper.network, folder / NETWORK)
            state = {
                "format": FORMAT,
                "config": as_mapping(stepper.config),
                **asdict(progress),
                "optimisers": {name: each.state_dict() for name, each in stepper.optimisers.items()},
                "generator": torch.get_rng_state(),
                "weights": {NETWORK: state_sha256(stepper.network.state_dict())},
            }
            if average is not None:
                save_network(average.network, folder / AVERAGE)
                state["averaged"] = average.count
                state["weights"][AVERAGE] = state_sha256(average.network.state_dict())
            write_bytes(folder / STATE, torch_bytes(state))
    for old in checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    return path


def load_checkpoint(path: Path, stepper: Stepper, average: Average | None) -> Progress:
    """Continue from a checkpoint; nothing of it is believed before its hash was checked.

    Raises
    ------
    UsageError
        It is of another network or another kind of run.
    DamageError
        It cannot be read, or is not what was written.
    """
    state = _read_state(path / STATE)
    _load_network(path / NETWORK, stepper.network, state)
    if "config" in state and (different := differences(config_from(state["config"]), stepper.config)):
        raise UsageError(f"{path} was trained with another config ({different[0]}): continue with that one")
    if set(state["optimisers"]) != set(stepper.optimisers):
        raise UsageError(f"{path} was trained with other optimisers: continue with the config in the run's folder")
    for name, optimiser in stepper.optimisers.items():
        try:
            optimiser.load_state_dict(state["optimisers"][name])
        except (ValueError, KeyError):
            raise UsageError(f"the {name} optimiser in {path} is of another network or kind") from None
    if average is not None:
        _load_network(path / AVERAGE, average.network, state)
        average.count = int(state["averaged"])
    torch.set_rng_state(state["generator"])
    return Progress(**{each.name: state[each.name] for each in fields(Progress)})


def _load_network(path: Path, network: SafeNet, state: dict[str, Any]) -> None:
    weights, config = read_checkpoint(path, _REMEDY)
    if config != network.config:
        raise UsageError(f"{path} is the checkpoint of another network: continue with the config in the run's folder")
    if "weights" in state and state["weights"].get(path.name) != state_sha256(weights):
        raise DamageError(f"{path} holds the weights of another step than {STATE} beside it: {_REMEDY}")
    load_state(network, weights, str(path))


def _read_state(path: Path) -> dict[str, Any]:
    try:
        document = parse_torch(read_regular(path))
    except (OSError, Unreadable) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DamageError(f"{path} is damaged ({reason}): {_REMEDY}") from None
    if not isinstance(document, dict):
        raise DamageError(f"{path} is damaged (it holds no state): {_REMEDY}")
    state = require_hash(document, str(path), _REMEDY, _KEYS_WITHOUT_HASH)
    if (kind := state.get("format")) != FORMAT:
        raise UsageError(f"{path} is of the kind {kind!r}, not {FORMAT!r}: use the version that wrote it")
    if lost := _KEYS_WITHOUT_HASH - {"averaged"} - set(state):  # of a file without a hash
        raise DamageError(f"{path} is damaged (it lacks {', '.join(sorted(lost))}): {_REMEDY}")
    return state


_KEYS_WITHOUT_HASH = {"format", "optimisers", "generator", "averaged", *(each.name for each in fields(Progress))}
"""Keys of a state as it was before it had a hash."""
