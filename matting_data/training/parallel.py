"""The processes of a distributed run, as torchrun starts them; everything works alike in a single one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as distributed
from torch import Tensor

from matting_data.errors import UsageError


@dataclass(frozen=True)
class World:
    """One process among all.

    Attributes
    ----------
    rank, size : int
    device : torch.device
        Of this process.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def mean(self, tensor: Tensor) -> Tensor:
        """Average a tensor over processes, in place."""
        if self.size > 1:
            distributed.all_reduce(tensor)
            tensor /= self.size
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if self.size == 1:
            return flag
        tensor = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(tensor)
        return bool(tensor > 0)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def world(device: str = "auto") -> Iterator[World]:
    """Join the other processes, if torchrun started any, for the duration of the block.

    Parameters
    ----------
    device : str
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``, ...

    Raises
    ------
    UsageError
        The device is not there.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    chosen = pick_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if size == 1:
        yield World(0, 1, chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield World(rank, size, chosen)
    finally:
        distributed.destroy_process_group()


def pick_device(name: str = "auto", place: int = 0) -> torch.device:
    """Pick a device by name; ``auto`` and ``cuda`` take the GPU number `place`.

    Raises
    ------
    UsageError
        No such kind, or no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device {name!r}: give auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda":
        count = torch.cuda.device_count()
        number = place if device.index is None else device.index
        if number >= count:
            raise UsageError(f"the device {name!r} is not here, torch sees {count} GPUs: give another, or cpu")
        return torch.device("cuda", number)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("the device 'mps' is not here: give cpu")
    return device
