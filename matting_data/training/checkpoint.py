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
from matting_data.networks.weights import load_state, read_checkpoint, save_network
from matting_data.storage.atomic import atomic_file, atomic_folder
from matting_data.training.ema import Average
from matting_data.training.steps import Stepper

FORMAT = "mattingdata-training/1"
FOLDER, NETWORK, AVERAGE, STATE = "checkpoints", "network.safetensors", "average.safetensors", "state.pt"
_NAME = re.compile(r"\d{8}")


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
                **asdict(progress),
                "optimisers": {name: each.state_dict() for name, each in stepper.optimisers.items()},
                "generator": torch.get_rng_state(),
            }
            if average is not None:
                save_network(average.network, folder / AVERAGE)
                state["averaged"] = average.count
            with atomic_file(folder / STATE) as file:
                torch.save(state, file)
    for old in checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    return path


def load_checkpoint(path: Path, stepper: Stepper, average: Average | None) -> Progress:
    """Continue from a checkpoint.

    Raises
    ------
    UsageError
        It is of another network or another kind of run.
    DamageError
        It cannot be read.
    """
    _load_network(path / NETWORK, stepper.network)
    state = _read_state(path / STATE)
    if set(state["optimisers"]) != set(stepper.optimisers):
        raise UsageError(f"{path} was trained with other optimisers: continue with the config in the run's folder")
    for name, optimiser in stepper.optimisers.items():
        try:
            optimiser.load_state_dict(state["optimisers"][name])
        except (ValueError, KeyError):
            raise UsageError(f"the {name} optimiser in {path} is of another network or kind") from None
    if average is not None:
        _load_network(path / AVERAGE, average.network)
        average.count = int(state["averaged"])
    torch.set_rng_state(state["generator"])
    return Progress(**{each.name: state[each.name] for each in fields(Progress)})


def _load_network(path: Path, network: SafeNet) -> None:
    state, config = read_checkpoint(path)
    if config != network.config:
        raise UsageError(f"{path} is the checkpoint of another network: continue with the config in the run's folder")
    load_state(network, state, str(path))


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = dict(torch.load(path, map_location="cpu", weights_only=True))
        kind = state["format"]
    except Exception as error:  # torch reports damage by a dozen types
        reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
        raise DamageError(f"{path} is damaged ({reason}): delete its folder to continue from the one before") from None
    if kind != FORMAT:
        raise UsageError(f"{path} is of the kind {kind!r}, not {FORMAT!r}: use the version that wrote it")
    return state
