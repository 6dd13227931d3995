"""One step of training: the network's on the matting losses, then the flaw detector's on what it was shown.

Both read the mattes of one forward pass, as GCT's released loop does: the detector learns the flaws of the mattes that
the network just made. In parts (gradient accumulation) every part takes each ``accumulate``-th sample; processes take
each ``world``-th. A step is the same, then, for any number of processes times parts of equal product.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from matting_data.errors import MattingDataError, UsageError
from matting_data.networks.cuda_memory import is_out_of_memory
from matting_data.networks.safenet.losses import detector_loss, matting_loss
from matting_data.networks.safenet.network import SafeNet
from matting_data.training.config import TrainConfig
from matting_data.training.optimisers import make_optimiser, rate_at, set_rate
from matting_data.training.parallel import World
from matting_data.training.running_statistics import RunningStatistics
from matting_data.training.training_data import unknown_of


@dataclass
class StepReport:
    """What came of a step.

    Attributes
    ----------
    values : dict
        Losses and norms of gradients, means over the samples of all processes; learning rates.
    seconds : dict
        ``forward`` (with the losses), ``backward``, ``detector`` (its forward and backward), ``optimiser``.
    """

    values: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class NotFinite(MattingDataError):
    """A loss or gradient is NaN or infinite, and the weights stay as before the step; or all mattes in the end are."""

    exit_code = 1


class Stepper:
    """Steps a network; holds the optimisers and the config.

    Parameters
    ----------
    network : SafeNet
        On its device.
    config : TrainConfig
    steps : int
        Of the whole run, for the rates.
    world : World
    synchronise : bool
        Wait for the GPU where time is measured; for benchmarks.
    """

    def __init__(
        self, network: SafeNet, config: TrainConfig, steps: int, world: World, synchronise: bool = False
    ) -> None:
        self.network, self.config, self._steps, self._world = network, config, steps, world
        self._synchronise = synchronise and world.device.type == "cuda"
        groups = network.parameter_groups()
        self._weights, self._detector_weights = groups["encoder"] + groups["matting"], groups["detector"]
        self.optimisers = {"matting": make_optimiser(config.matting, groups["matting"], groups["encoder"])}
        if self._detector_weights:
            self.optimisers["detector"] = make_optimiser(config.detector, self._detector_weights, [])
        self._statistics = RunningStatistics(network, world, config.accumulate)
        self._matting, self._detector = _parallel(network, bool(self._detector_weights), config.compile, world)

    def step(self, batch: dict[str, Any], number: int) -> StepReport:
        """Take step `number`, from 0, with this process's samples of it.

        Raises
        ------
        NotFinite
            Naming the step and what is not finite; no weight has changed, in any process.
        UsageError
            The device's memory is too small, and which setting to lower; or ``torch.compile`` fails.
        """
        try:
            return self._step(batch, number)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise UsageError(self._out_of_memory(number)) from None
            if self.config.compile and (reason := _compiler_failure(error)):
                raise UsageError(
                    f"torch.compile fails here ({reason}): set compile to false, or install what it lacks"
                ) from None
            raise

    def _step(self, batch: dict[str, Any], number: int) -> StepReport:
        report, parts = StepReport(), self.config.accumulate
        self.set_mode()
        for optimiser in self.optimisers.values():
            optimiser.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        for part in range(parts):
            self._statistics.begin_part()
            last = part == parts - 1
            for name, value in self._part(self._on_device(batch, part, number), last, report).items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value / parts
        with self._timed(report, "optimiser"):
            values = {**sums, **self._norms()}
            means = self._world.mean(torch.stack([value.detach().double() for value in values.values()]))
            report.values = dict(zip(values, means.tolist(), strict=True))
            if wrong := [name for name, value in report.values.items() if not math.isfinite(value)]:
                raise NotFinite(f"{', '.join(wrong)} of step {number} {'is' if len(wrong) == 1 else 'are'} not finite")
            for name, optimiser in self.optimisers.items():
                rate = rate_at(getattr(self.config, name), number, self._steps)
                set_rate(optimiser, rate)
                optimiser.step()
                report.values[f"rate_{name}"] = rate
            self._statistics.end_step()
        return report

    def set_mode(self) -> None:
        """Put the network into training mode, what is frozen excepted."""
        self.network.train()
        if self.config.batch_norm == "freeze_encoder":
            for layer in self.network.encoder.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()

    def _part(self, batch: dict[str, Tensor], last: bool, report: StepReport) -> dict[str, Tensor]:
        config, parts = self.config.network, self.config.accumulate
        image, alpha = batch["image"], batch["alpha"]
        values: dict[str, Tensor] = {}
        with self._together(self._matting, last):
            with self._timed(report, "forward"):
                with self._precision():
                    output = self._matting(image)
                loss = matting_loss(output, alpha, batch["unknown"], config.loss)
            with self._timed(report, "backward"):
                (loss.total / parts).backward()
        values["loss"], values["loss_0"] = loss.total.detach(), loss.initial.detach()
        values |= {f"loss_{place}": each.detach() for place, each in enumerate(loss.refined, 1)}
        if loss.attention is not None:
            values["loss_attention"] = loss.attention.detach()
        if self._detector is not None and self.network.detector is not None:
            with self._timed(report, "detector"), self._together(self._detector, last):
                self.network.detector.train()
                with self._precision():
                    mattes = (output.initial, *output.mattes[:-1])
                    flaws = detector_loss(self._detector, image, mattes, alpha, config.flaw_target)
                (flaws / parts).backward()
                self.network.detector.eval()
            values["loss_detector"] = flaws.detach()
        return values

    def _on_device(self, batch: dict[str, Any], part: int, number: int) -> dict[str, Tensor]:
        """Move a part of a batch to the device as floats in [0, 1], with the unknown area."""
        mine = {
            name: tensor[part :: self.config.accumulate].to(self._world.device, non_blocking=True)
            for name, tensor in batch.items()
            if isinstance(tensor, Tensor)
        }
        image = mine["image"].float() / 255
        if self.config.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        return {"image": image, "alpha": mine["alpha"].float() / 255, "unknown": unknown_of(mine, self.config, number)}

    def _norms(self) -> dict[str, Tensor]:
        """Clip the gradients and measure their norms before clipping."""
        norms = {}
        for name, weights in (("matting", self._weights), ("detector", self._detector_weights)):
            if weights:
                clip = getattr(self.config, name).clip
                norms[f"gradient_{name}"] = nn.utils.clip_grad_norm_(weights, clip or math.inf)
        return norms

    def _precision(self) -> AbstractContextManager[Any]:
        half = self.config.precision == "bfloat16"
        return torch.autocast(self._world.device.type, dtype=torch.bfloat16, enabled=half)

    def _together(self, module: nn.Module, last: bool) -> AbstractContextManager[Any]:
        """Exchange gradients after the last part only."""
        if isinstance(module, DistributedDataParallel) and not last:
            return module.no_sync()
        return nullcontext()

    @contextmanager
    def _timed(self, report: StepReport, name: str) -> Iterator[None]:
        started = self._now()
        yield
        report.seconds[name] = report.seconds.get(name, 0.0) + self._now() - started

    def _now(self) -> float:
        if self._synchronise:
            torch.cuda.synchronize(self._world.device)
        return time.perf_counter()

    def _out_of_memory(self, number: int) -> str:
        config = self.config
        own = config.batch // self._world.size
        ways = []
        if config.accumulate < own:
            ways.append(f"raise accumulate from {config.accumulate} (up to {own}; the batch stays {config.batch})")
        if config.precision == "float32" and self._world.device.type == "cuda":
            ways.append("set precision to bfloat16")
        if not config.checkpoint_steps and config.network.iterations:
            ways.append("set checkpoint_steps to true")
        ways.append(f"lower data.crop from {config.data.crop}")
        return (
            f"{self._world.device} ran out of memory at step {number} with {own // config.accumulate} samples of "
            f"{config.data.crop}×{config.data.crop} at a time: {', or '.join(ways)}"
        )


def _compiler_failure(error: BaseException) -> str:
    """Say in a few words why compiling failed; an empty string where the error is not the compiler's."""
    from torch._dynamo.exc import TorchDynamoException  # seconds to import, and there once a network was compiled

    if not isinstance(error, TorchDynamoException):
        return ""
    cause = getattr(error, "inner_exception", error)
    return next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)


def _parallel(network: SafeNet, detector: bool, compiled: bool, world: World) -> tuple[nn.Module, nn.Module | None]:
    """Build the modules that the network's and the detector's steps call; each exchanges its own gradients."""
    if compiled:
        network.compile()
    apart = network.detector if detector else None
    if world.size == 1:
        return network, apart
    options: dict[str, Any] = {"broadcast_buffers": False}
    if world.device.type == "cuda":
        options["device_ids"] = [world.device.index]
    if apart is None:
        return DistributedDataParallel(network, **options), None
    apart.requires_grad_(False)  # DDP leaves alone what needs no gradient when it is made
    matting = DistributedDataParallel(network, **options)
    apart.requires_grad_(True)
    return matting, DistributedDataParallel(apart, **options)
