"""How far a dataset is, seen from outside: works while a build runs in another terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from matting_data.building.commit import read_failures
from matting_data.building.plan_tables import BACKGROUNDS, FOREGROUNDS, PLAN, read_seal
from matting_data.building.workspace import is_locked, saved_recipe, work_folder
from matting_data.errors import DamageError, UsageError
from matting_data.shards.index import INDEX
from matting_data.shards.layout import BACKGROUNDS as STORED
from matting_data.shards.layout import manifest_path
from matting_data.tables import PARQUET_ERRORS

_RECENT = 20
"""Commits that the rate is measured over."""


@dataclass(frozen=True)
class Status:
    """State of a dataset.

    Attributes
    ----------
    dataset, name : str
        Its folder and its recipe's name.
    state : str
        ``complete``, ``building`` or ``interrupted``; ``checking`` while inputs are checked, before there is a plan.
    shards_done, shards : int
        Committed, and planned.
    composites_done, composites : int
        In committed shards, failed ones included, and planned.
    per_second, seconds_left : float or None
        Composites a second over the last shards, and what is left at that rate, while building.
    failed : mapping
        Failed composites of the committed shards, by reason.
    inputs : mapping
        ``foregrounds`` and ``backgrounds`` → reason → number of those that cannot be used.
    """

    dataset: str
    name: str
    state: str
    shards_done: int = 0
    shards: int = 0
    composites_done: int = 0
    composites: int = 0
    per_second: float | None = None
    seconds_left: float | None = None
    failed: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether a build is at work on it."""
        return self.state in ("building", "checking")

    def lines(self) -> list[str]:
        """Say it in lines for people."""
        if self.state == "checking":
            return [f"{self.dataset}: checking inputs; there is no plan yet"]
        share = self.composites_done / self.composites if self.composites else 1.0
        lines = [
            f"{self.dataset}: {self.name}, {self.state}",
            f"{self.shards_done} of {self.shards} shards, {self.composites_done} of {self.composites} composites "
            f"({share:.0%})",
        ]
        if self.per_second is not None and self.seconds_left is not None:
            lines.append(f"{self.per_second:.1f} composites a second, about {_duration(self.seconds_left)} left")
        for kind, reasons in self.inputs.items():
            if reasons:
                lines.append(f"{kind} not usable: {_counts(reasons)}")
        if self.failed:
            lines.append(f"composites failed: {_counts(self.failed)}")
        if self.state == "interrupted":
            lines.append("run the same 'mattingdata build' again to continue")
        return lines


def status(out: Path) -> Status:
    """Read the state of `out`.

    Raises
    ------
    DamageError
        Its plan cannot be read.
    UsageError
        There is no dataset, finished or begun.
    """
    building = is_locked(out)
    if not (out / PLAN).is_file():
        if building:
            return Status(str(out), "", "checking")
        raise UsageError(f"{out} holds no dataset: name the folder that 'mattingdata build' wrote")
    shards = _planned(out)
    times: dict[tuple[str, int], float] = {}
    failed: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for path in (out / STORED).glob("*.parquet"):  # of a store of layers
        lost.update(reason for _, reason, _ in read_failures(path))
    for key in shards:
        path = manifest_path(out, *key)
        try:
            times[key] = path.stat().st_mtime
        except OSError:
            continue
        failed.update(reason for _, reason, _ in read_failures(path))
    planned, done = sum(shards.values()), sum(shards[key] for key in times)
    complete = (out / INDEX).is_file() and len(times) == len(shards) and not building
    state = "building" if building else "complete" if complete else "interrupted"
    rate = None
    if building:
        started = (work_folder(out) / "lock").stat().st_mtime
        rate = _rate([(moment, shards[key]) for key, moment in times.items() if moment >= started])
    return Status(
        str(out),
        saved_recipe(out).recipe.name,
        state,
        len(times),
        len(shards),
        done,
        planned,
        rate,
        (planned - done) / rate if rate else None,
        dict(failed.most_common()),
        {
            "foregrounds": _unusable(out / FOREGROUNDS),
            "backgrounds": dict((Counter(_unusable(out / BACKGROUNDS)) + lost).most_common()),
        },
    )


def watch(out: Path, interval: float) -> Iterator[Status]:
    """Yield the state of `out` every `interval` seconds while a build is at work on it, and how it ended."""
    while (found := status(out)).running:
        yield found
        time.sleep(interval)
    yield found


def _planned(out: Path) -> dict[tuple[str, int], int]:
    """Return the number of composites of each planned shard."""
    if not read_seal(out):  # before it is parsed
        raise DamageError(f"{out / PLAN} is damaged: run 'mattingdata repair {out}'")
    table = pl.read_parquet(out / PLAN, columns=["split", "shard"], glob=False)
    return {(split, shard): n for split, shard, n in table.group_by("split", "shard").len().iter_rows()}


def _unusable(table: Path) -> dict[str, int]:
    """Count a table's inputs that cannot be used, by reason; nothing where it cannot be read."""
    try:
        rows = pl.read_parquet(table, columns=["state", "reason"], glob=False)
    except PARQUET_ERRORS:
        return {}
    return dict(Counter(rows.filter(pl.col("state") != "ok")["reason"].to_list()).most_common())


def _rate(commits: list[tuple[float, int]]) -> float | None:
    """Return composites a second from the last commits, each (moment, composites)."""
    recent = sorted(commits)[-_RECENT:]
    if len(recent) < 2:
        return None
    elapsed = max(time.time() - recent[0][0], 1e-3)
    return sum(count for _, count in recent[1:]) / elapsed


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
