"""How far a dataset is, seen from outside: works while a build runs in another terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from matting_data.building.append_staging import coming_plan
from matting_data.errors import DamageError
from matting_data.forks import require_polars
from matting_data.records.checked import CheckedForeground
from matting_data.records.judged import JudgedBackground
from matting_data.records.planned import PlannedComposite
from matting_data.records.tables import stored_table
from matting_data.shards.commit import read_failures
from matting_data.shards.index import INDEX, no_index
from matting_data.shards.names import BACKGROUNDS as STORED
from matting_data.shards.names import SPLITS, manifest_name, shard_name
from matting_data.storage import Location, Storage, open_storage
from matting_data.workspace.plan_tables import BACKGROUNDS, FOREGROUNDS, PLAN, read_plan_metadata
from matting_data.workspace.work_folder import locked_since, saved_recipe, was_begun

_RECENT = 20
"""Commits that the rate is measured over."""


_WITHOUT_PLAN = {
    "checking": "checking inputs; there is no plan yet",
    "begun": "inputs were checked, perhaps not all; there is no plan yet: run 'mattingdata build' to continue",
}


@dataclass(frozen=True)
class Status:
    """State of a dataset.

    Attributes
    ----------
    dataset, name : str
        Its folder and its recipe's name.
    state : str
        ``complete``, ``building`` or ``interrupted``; before there is a plan, ``checking`` while inputs are checked,
        and ``begun`` when nobody does any more.
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
        if self.state in _WITHOUT_PLAN:
            return [f"{self.dataset}: {_WITHOUT_PLAN[self.state]}"]
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


def status(out: Location) -> Status:
    """Read the state of `out`.

    Raises
    ------
    DamageError
        Its plan cannot be read.
    UsageError
        There is no dataset, finished or begun.
    """
    require_polars()
    out = open_storage(out)
    started = locked_since(out)
    building = started is not None
    if not out.exists(PLAN) and not out.exists(INDEX):
        if not building and not was_begun(out):
            raise no_index(out)
        return Status(str(out), "", "checking" if building else "begun")
    plan = coming_plan(out)
    shards = _planned(plan)
    there = {name: info.modified for folder in (*SPLITS, STORED) for name, info in out.files(folder).items()}
    times = {shard: there[manifest_name(shard)] for shard in shards if manifest_name(shard) in there}
    stored = [name.removesuffix(".parquet") for name in there if name.startswith(STORED) and name.endswith(".parquet")]
    failed, lost = (
        Counter(reason for shard in names for _, reason, _ in read_failures(out, shard)) for names in (times, stored)
    )
    planned, done = sum(shards.values()), sum(shards[shard] for shard in times)
    complete = plan is out and out.exists(INDEX) and len(times) == len(shards) and not building
    state = "building" if building else "complete" if complete else "interrupted"
    rate = None
    if started is not None:
        rate = _rate([(moment, shards[shard]) for shard, moment in times.items() if moment >= started])
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
            "foregrounds": _unusable(plan, FOREGROUNDS, CheckedForeground),
            "backgrounds": dict((Counter(_unusable(plan, BACKGROUNDS, JudgedBackground)) + lost).most_common()),
        },
    )


def watch(out: Location, interval: float) -> Iterator[Status]:
    """Yield the state of `out` every `interval` seconds while a build is at work on it, and how it ended."""
    while (found := status(out)).running:
        yield found
        time.sleep(interval)
    yield found


def _planned(out: Storage) -> dict[str, int]:
    """Count the composites of each planned shard."""
    if not read_plan_metadata(out):  # before it is parsed
        raise DamageError(f"{out.label(PLAN)} is damaged: run 'mattingdata repair {out}'")
    table = stored_table(out, PLAN, PlannedComposite)
    counts = table.group_by("split", "shard").len()
    return {shard_name(split, shard): n for split, shard, n in counts.iter_rows()}


def _unusable(out: Storage, table: str, record: type) -> dict[str, int]:
    """Count a table's inputs that cannot be used, by reason; nothing where it is not as the plan's metadata says."""
    try:
        if out.sha256(table) != read_plan_metadata(out).get(table):
            return {}
        rows = stored_table(out, table, record).select("state", "reason")
    except DamageError:
        return {}
    return dict(Counter(rows.filter(pl.col("state") != "ok")["reason"].to_list()).most_common())


def _rate(commits: list[tuple[float, int]]) -> float | None:
    """Measure composites a second over the last commits, each (moment, composites)."""
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
