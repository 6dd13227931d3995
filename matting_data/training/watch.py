"""Looking at a network while it trains: errors in evaluation mode, on crops that stay the same."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from matting_data.evaluation.torch_metrics import MattingMetrics
from matting_data.networks.safenet.network import SafeNet, SafeNetOutput, evaluating
from matting_data.readers import Split
from matting_data.training.config import TrainConfig
from matting_data.training.parallel import World
from matting_data.training.training_data import watched_crops

METRICS = ("mad", "mse")

Errors = dict[str, float | None]
"""Metric → mean error, None where it is not finite."""


@dataclass(frozen=True)
class Look:
    """Errors of one look.

    Attributes
    ----------
    errors : tuple of dict
        For refinements 0, 1, ...: ``mad`` and ``mse``, means over the watched samples; None where any matte holds a
        value that is not finite.
    """

    errors: tuple[Errors, ...]

    @property
    def best(self) -> float:
        """The smallest MAD of any number of refinements; infinite where none is finite."""
        return min((each["mad"] for each in self.errors if each["mad"] is not None), default=float("inf"))


class Watch:
    """Scores a network on watched samples, divided among all processes.

    Parameters
    ----------
    split : Split
    config : TrainConfig
    world : World
    """

    def __init__(self, split: Split, config: TrainConfig, world: World) -> None:
        self._data = watched_crops(split, config.data.crop)
        self._world, self._half = world, config.precision == "bfloat16"
        self._compiled = config.compile
        self._batch = max(1, config.batch // (world.size * config.accumulate))
        self._count = config.validation.iterations if config.network.iterations else 0

    def look(self, network: SafeNet) -> Look:
        """Measure the errors; the network is left in the mode it was in.

        Raises
        ------
        DamageError
            A shard is damaged.
        """
        mine = range(self._world.rank, len(self._data), self._world.size)
        scores = [MattingMetrics(METRICS) for _ in range(self._count + 1)]
        broken = [False] * len(scores)
        for batch in DataLoader(Subset(self._data, mine), self._batch):
            output = self._forward(network, batch["image"])
            for place, matte in enumerate((output.initial, *output.mattes)):
                broken[place] |= not bool(torch.isfinite(matte).all())
                scores[place].update(matte.nan_to_num().clamp(0, 1), batch["alpha"])
        errors: list[Errors] = [{name: float(value) for name, value in each.compute().items()} for each in scores]
        lost = [self._world.any(each) for each in broken]
        nothing: Errors = dict.fromkeys(METRICS)
        return Look(tuple(nothing if gone else each for gone, each in zip(lost, errors, strict=True)))

    def pictures(self, network: SafeNet, count: int = 4) -> dict[str, Tensor]:
        """Compute image, truth, mattes and flaw maps of the first samples, each N×C×H×W in [0, 1], on the CPU."""
        batch = next(iter(DataLoader(Subset(self._data, range(min(count, len(self._data)))), count)))
        output = self._forward(network, batch["image"])
        pictures = {"image": batch["image"].float() / 255, "truth": batch["alpha"].float() / 255}
        pictures |= {f"matte {t}": matte.float().cpu() for t, matte in enumerate((output.initial, *output.mattes))}
        pictures |= {f"flaws of {t}": flaws.float().cpu() for t, flaws in enumerate(output.flaw_maps)}
        return pictures

    def _forward(self, network: SafeNet, image: Any) -> SafeNetOutput:
        device = self._world.device
        # compiling evaluation mode and other numbers of refinements, too, takes longer than the few looks
        eager = torch.compiler.set_stance("force_eager") if self._compiled else nullcontext()
        with (
            evaluating(network),
            eager,
            torch.inference_mode(),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=self._half),
        ):
            return network(image.to(device).float() / 255, self._count)
