"""A network that was trained, ready for use: from the folder of a run, or a file of weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matting_data.errors import UsageError
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.weights import load_network, state_sha256
from matting_data.training.checkpoint import AVERAGE, NETWORK, checkpoints
from matting_data.training.parallel import pick_device
from matting_data.training.run_folder import CONFIG, FINAL, RESULT, read_json


@dataclass(frozen=True)
class Trained:
    """A network and how to use it.

    Attributes
    ----------
    network : SafeNet
        In evaluation mode, on its device.
    path : Path
        The file it is from.
    refinements : int
        How many to take: what the run's held-out people chose, or else those of training.
    chosen : bool
        Whether held-out people chose.
    short_side : int
        To which images are scaled: the side of the training crops.
    sha256 : str
        Of the weights.
    """

    network: SafeNet
    path: Path
    refinements: int
    chosen: bool
    short_side: int
    sha256: str


def open_trained(
    path: Path, device: str = "auto", refinements: int | None = None, short_side: int | None = None
) -> Trained:
    """Load a network.

    Parameters
    ----------
    path : Path
        The folder of a run (its final weights, or those of its last checkpoint while it lasts), a checkpoint's folder,
        or a ``.safetensors`` or ``.pt`` file.
    device : str
        As for :func:`matting_data.training.parallel.pick_device`.
    refinements, short_side : int, optional
        Instead of the run's own.

    Raises
    ------
    UsageError
        There is no network, or it cannot be read.
    """
    where = pick_device(device)
    file = _file(path)
    network = load_network(file).to(where)
    result = read_json(path / RESULT) if (path / RESULT).is_file() else {}
    chosen = result.get("refinements")
    usual = network.config.iterations if chosen is None else int(chosen)
    count = usual if refinements is None else refinements
    side = network.config.flaw_target.size if short_side is None else short_side
    return Trained(network, file, count, chosen is not None, side, state_sha256(network.state_dict()))


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(f"there is no checkpoint {path}: name the folder of a run, or a file of weights")
    if (path / FINAL).is_file():
        return path / FINAL
    for folder in [*reversed(checkpoints(path)), path]:
        for name in (AVERAGE, NETWORK):
            if (folder / name).is_file():
                return folder / name
    what = "has saved no checkpoint yet" if (path / CONFIG).is_file() else "is no run"
    raise UsageError(f"{path} {what}: name the --out folder of 'mattingdata train', or a file of weights")
