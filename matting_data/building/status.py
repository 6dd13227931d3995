"""How far a dataset is, seen from outside: works while a build runs in another terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from matting_data.building.build import PLAN
from matting_data.building.workspace import is_locked, saved_recipe, work_folder
from matting_data.errors import UsageError
from matting_data.records import PlannedComposite, read_table
from matting_data.shards.index import INDEX
from matting_data.shards.layout import manifest_path


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
        In committed shards, and planned.
    seconds_left : float or None
        At the rate of the last shards, while building.
    """

    dataset: str
    name: str
    state: str
    shards_done: int
    shards: int
    composites_done: int
    composites: int
    seconds_left: float | None

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
        if self.seconds_left is not None:
            lines.append(f"about {_duration(self.seconds_left)} left")
        if self.state == "interrupted":
            lines.append("run the same 'mattingdata build' again to continue")
        return lines


def status(out: Path) -> Status:
    """Read the state of `out`.

    Raises
    ------
    UsageError
        There is no dataset, finished or begun.
    """
    building = is_locked(out)
    if not (out / PLAN).is_file():
        if building:
            return Status(str(out), "", "checking", 0, 0, 0, 0, None)
        raise UsageError(f"{out} holds no dataset: name the folder that 'mattingdata build' wrote")
    planned = read_table(out / PLAN, PlannedComposite)
    shards: dict[tuple[str, int], int] = {}
    for row in planned:
        shards[row.split, row.shard] = shards.get((row.split, row.shard), 0) + 1
    times = {key: path.stat().st_mtime for key in shards if (path := manifest_path(out, *key)).is_file()}
    done = sum(shards[key] for key in times)
    complete = (out / INDEX).is_file() and len(times) == len(shards) and not building
    state = "building" if building else "complete" if complete else "interrupted"
    started = (work_folder(out) / "lock").stat().st_mtime if building else 0.0
    recent = sorted(moment for moment in times.values() if moment >= started)
    left = _seconds_left(recent, len(planned) - done, done / max(1, len(times))) if building else None
    name = saved_recipe(out).recipe.name
    return Status(str(out), name, state, len(times), len(shards), done, len(planned), left)


def _seconds_left(commits: list[float], remaining: int, composites_per_shard: float) -> float | None:
    """Extrapolate from the times at which the last shards were committed."""
    recent = commits[-20:]
    if len(recent) < 2:
        return None
    elapsed = max(time.time() - recent[0], 1e-3)
    return remaining / (composites_per_shard * (len(recent) - 1) / elapsed)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
