"""A training run from its first step, or from where it was left, to its last."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from matting_data.errors import DamageError, OutOfMemoryError, StorageError
from matting_data.evaluation.stop_rule import choose_refinements, held_out_errors
from matting_data.evaluation.test_sets import Item
from matting_data.networks.safenet.initial_weights import build_network
from matting_data.networks.safenet.network import SafeNet
from matting_data.networks.tensor_files import safetensors_torch
from matting_data.networks.weights import load_encoder, load_network, save_network, state_sha256
from matting_data.readers import Dataset
from matting_data.running.progress import bar
from matting_data.storage.atomic import remove_leftovers
from matting_data.training import run_folder
from matting_data.training.checkpoint import Progress, checkpoints, load_checkpoint, save_checkpoint
from matting_data.training.config import TrainConfig
from matting_data.training.ema import Average
from matting_data.training.parallel import World
from matting_data.training.run_folder import BEST, FINAL, METRICS, RESULT, WATCHED
from matting_data.training.run_log import RunLog
from matting_data.training.steps import NotFinite, Stepper, StepReport
from matting_data.training.training_data import Batches, split_run
from matting_data.training.watch import Errors, Look, Watch

_LOG = logging.getLogger(__package__)

_WITHOUT_BEST = "delete it, and --resume ends the run with its last weights"


@dataclass(frozen=True)
class TrainResult:
    """What came of a run.

    Attributes
    ----------
    run : Path
        Its folder.
    steps : int
    network : Path
        The weights to use: those of the smallest error on people held out; without such people, the last.
    network_step : int
        When they were.
    sha256 : str
        Of the weights, by :func:`matting_data.networks.weights.state_sha256`.
    watched : tuple of dict
        Errors of the last look, by number of refinements; None where a matte was not finite.
    refinements : int or None
        How many to take: the fewest whose error on people held out is within half a percent of the smallest. None
        where nobody was held out.
    held_out_mad : tuple of float or None
        MAD on those people after 0, 1, ... refinements, whole images scaled to the short side of the crops; None where
        a matte was not finite.
    notes : tuple of str
    """

    run: Path
    steps: int
    network: Path
    network_step: int
    sha256: str
    watched: tuple[Errors, ...]
    refinements: int | None
    held_out_mad: tuple[float | None, ...]
    notes: tuple[str, ...]


def train(
    config: TrainConfig,
    dataset: Dataset,
    out: Path,
    world: World,
    resume: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> TrainResult:
    """Train a network.

    Parameters
    ----------
    config : TrainConfig
    dataset : Dataset
        From ``matting_data.open``.
    out : Path
        Folder of the run.
    world : World
        From :func:`matting_data.training.parallel.world`.
    resume : bool
        Continue the run in `out` from its last checkpoint; without one, from the start.
    say : callable
        Gets sentences for people.

    Raises
    ------
    UsageError
        Config, dataset, folder or memory do not do; in one sentence.
    NotFinite
        A loss or gradient is not finite, or no matte of the trained network is; names the step or the people, and the
        last checkpoint.
    DamageError, OutOfMemoryError
        A shard is damaged, or memory that loading processes need is used up; what was trained is saved first.
    KeyboardInterrupt
        The run was interrupted, by SIGTERM, too; what was trained is saved first.
    """
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(config.deterministic or before)
    try:
        _LOG.info("training into %s on %s", out, world.device)
        result = _Run(config, dataset, out, world, resume, say).go()
        _LOG.info("trained %d steps: weights in %s", result.steps, result.network)
        return result
    finally:
        torch.use_deterministic_algorithms(before)


class _Run:
    def __init__(
        self, config: TrainConfig, dataset: Dataset, out: Path, world: World, resume: bool, say: Callable[[str], None]
    ) -> None:
        safetensors_torch()  # what nothing can be saved without is missed now, not after an epoch
        self.config, self.out, self.world = config, out, world
        self.say = say if world.leads else lambda text: None
        data = split_run(dataset, config)
        self.held_out, self.watched = data.held_out, data.watched
        self.batches = Batches(data.train, config, world.rank, world.size, world.device.type == "cuda")
        self.steps = config.steps or config.epochs * self.batches.steps_per_epoch
        self.notes = _notes(config, data.small, len(data.train))
        found = checkpoints(out) if resume else []
        network = build_network(config.network, config.seed)
        for leaders_turn in (True, False):  # whoever comes first may have to fetch it for all
            if not found and world.leads == leaders_turn:
                load_encoder(network, config.encoder)
            world.wait()
        if world.leads:
            samples = len(data.train)
            record = run_folder.describe(dataset.index, config.data.split, samples, data.held_out, world)
            run_folder.claim(out, config, record, resume)
            remove_leftovers(out, deep=True)
        world.wait()
        if config.batch_norm == "sync":
            network = torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)
        layout = torch.channels_last if config.channels_last else torch.preserve_format
        self.network: SafeNet = network.to(world.device, memory_format=layout)
        self.network.checkpoint_steps = config.checkpoint_steps
        self.average = Average(self.network, config.ema) if config.ema else None
        self.stepper = Stepper(self.network, config, self.steps, world)
        self.watch = Watch(data.watched, config, world)
        self.progress = Progress()
        if found:
            self.progress = load_checkpoint(found[-1], self.stepper, self.average)
            if self.progress.loader is not None:
                self.batches.loader.load_state_dict(self.progress.loader)
            self.say(f"continuing from step {self.progress.step} of {self.steps}")
        self.log = RunLog(out, self.progress.step) if world.leads else None
        self.last_look: Look | None = None

    def go(self) -> TrainResult:
        for note in self.notes:
            self.say(f"note: {note}")
        progress_bar = bar(self.steps, "training", "steps", self.progress.step) if self.world.leads else nullcontext()
        log = nullcontext() if self.log is None else closing(self.log)
        with _interruptions() as interrupted, progress_bar as progress, log:
            try:
                self._epochs(interrupted, progress)
            except (DamageError, OutOfMemoryError, StorageError) as error:
                raise type(error)(f"{error} {self._saved()}") from None
            except NotFinite as error:
                last = [str(path) for path in checkpoints(self.out)[-1:]]
                where = f"the last checkpoint is {last[0]}" if last else "there is no checkpoint yet"
                raise NotFinite(
                    f"{error}; {where}: lower matting.rate, set matting.clip, or look at the samples"
                ) from None
        return self._finish()

    def _epochs(self, interrupted: threading.Event, progress: Any) -> None:
        recent: list[dict[str, float]] = []
        started = time.perf_counter()
        while self.progress.step < self.steps:
            epoch, waiting = self.batches.loader.epoch, time.perf_counter()
            for batch in self.batches.loader:
                recent.append({"data": time.perf_counter() - waiting})
                report = self._step(batch)
                recent[-1] |= report.seconds
                self._write(report, epoch, recent, started, progress)
                if self.progress.step % self.config.saving.log_every == 0:
                    recent, started = [], time.perf_counter()
                ends = self.progress.step % self.batches.steps_per_epoch == 0
                if self._due(self.config.validation.every, ends):
                    self._look()
                if self.world.any(interrupted.is_set()):
                    self.say(self._saved())
                    raise KeyboardInterrupt
                if self._due(self.config.saving.every, ends):
                    self._save()
                if self.progress.step == self.steps:
                    return
                waiting = time.perf_counter()

    def _step(self, batch: dict[str, Any]) -> StepReport:
        step = self.progress.step
        try:
            report = self.stepper.step(batch, step)
        except NotFinite as error:
            keys = ", ".join(batch["key"][:3]) + (", ..." if len(batch["key"]) > 3 else "")
            raise NotFinite(f"{error} (samples {keys})") from None
        if self.average is not None:
            self.average.update(self.network)
        self.progress.step = step + 1
        self.progress.loader = self.batches.loader.state_dict()
        return report

    def _due(self, every: int, epoch_ends: bool) -> bool:
        last = self.progress.step == self.steps
        return last or (self.progress.step % every == 0 if every else epoch_ends)

    def _write(
        self, report: StepReport, epoch: int, recent: list[dict[str, float]], started: float, progress: Any
    ) -> None:
        step, saving = self.progress.step, self.config.saving
        if self.log is None:
            return
        if progress is not None:
            progress.set_postfix(loss=f"{report.values['loss']:.3f}", refresh=False)
            progress.update(1)
        if step % saving.log_every == 0 or step == self.steps:
            took = time.perf_counter() - started
            seconds = {f"seconds_{name}": sum(each[name] for each in recent) / len(recent) for name in recent[0]}
            more = {"epoch": epoch, **seconds, "samples_per_second": self.config.batch * len(recent) / took}
            self.log.add(METRICS, step, report.values, more)
        if self.log.board is not None and (step % saving.pictures_every == 0 or step == self.steps):
            self.log.show(self.watch.pictures(self._shown()), step)

    def _look(self) -> None:
        look = self.watch.look(self._shown())
        self.last_look, step = look, self.progress.step
        better = look.best < self.progress.best
        if better:
            self.progress.best, self.progress.best_step = look.best, step
        if self.log is None:
            return
        if better and self.held_out:
            save_network(self._shown(), self.out / BEST)
        columns = {f"{name}_{t}": value for t, errors in enumerate(look.errors) for name, value in errors.items()}
        self.log.add(WATCHED, step, columns)

    def _shown(self) -> SafeNet:
        return self.average.network if self.average is not None else self.network

    def _save(self) -> None:
        if self.world.leads:
            save_checkpoint(self.out, self.progress, self.stepper, self.average, self.config.saving.keep)
        self.world.wait()

    def _saved(self) -> str:
        """Save where no other process need take part, and say so."""
        if not self.world.leads or not self.progress.step:
            return "(continue with --resume)"
        save_checkpoint(self.out, self.progress, self.stepper, self.average, self.config.saving.keep)
        return f"(step {self.progress.step} is saved in {self.out}: continue with --resume)"

    def _finish(self) -> TrainResult:
        if self.last_look is None:
            self.last_look = self.watch.look(self._shown())
        step, path = self.steps, self.out / FINAL
        if math.isinf(self.last_look.best) and not (self.held_out and math.isfinite(self.progress.best)):
            raise _useless(step, "of the watched crops")
        if self.world.leads:
            shown = self._shown()
            if self.held_out and (self.out / BEST).is_file():
                shown, step = load_network(self.out / BEST, remedy=_WITHOUT_BEST), self.progress.best_step
            save_network(shown, path)
        self.world.wait()
        final = load_network(path)
        errors = self._stop_rule(final)
        if errors and math.isinf(min(errors)):
            raise _useless(step, "of people held out")
        refinements = choose_refinements(errors) if errors else None
        digest = state_sha256(final.state_dict())
        look, mad = self.last_look.errors, tuple(None if math.isinf(error) else error for error in errors)
        result = TrainResult(self.out, self.steps, path, step, digest, look, refinements, mad, self.notes)
        if self.world.leads:
            kept = {name: value for name, value in asdict(result).items() if name not in ("run", "network", "notes")}
            run_folder.write_json(self.out / RESULT, kept)
        return result

    def _stop_rule(self, network: SafeNet) -> list[float]:
        """Measure the errors on whole images of people held out, by number of refinements; empty without them."""
        if not self.held_out or not self.world.leads:
            return []
        split = self.watched
        items = [Item(row.key, store=split.store, row=row) for row in split.rows]
        count = self.config.validation.iterations if network.config.iterations else 0
        network.to(self.world.device)
        return held_out_errors(network, items, count, self.config.data.crop)


def _useless(step: int, where: str) -> NotFinite:
    wrong = f"the weights of step {step} give no finite matte {where}"
    return NotFinite(f"{wrong}: lower matting.rate, or set matting.clip")


def _notes(config: TrainConfig, small: int, samples: int) -> tuple[str, ...]:
    notes = []
    if small:
        notes.append(f"{small} of {samples} images have a side below the crop of {config.data.crop} and are enlarged")
    sgd = config.matting
    if sgd.kind == "sgd" and sgd.rate / (1 - sgd.momentum) > 0.5:
        notes.append(f"a rate of {sgd.rate} with momentum {sgd.momentum} is hot: mattes may saturate")
    return tuple(notes)


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event for the duration of the block, so that a step is never cut in two."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda *_: event.set()) for kind in kinds]
    try:
        yield event
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
