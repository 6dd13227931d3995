"""Whatever becomes of the files below ``.work``, a build makes the same dataset or says in one sentence why not."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from matting_data.building.build import build
from matting_data.errors import DamageError, MattingDataError
from matting_data.shards.index import INDEX, read_index
from matting_data.shards.names import RECIPE
from matting_data.storage import open_storage
from matting_data.upkeep.repair import repair
from matting_data.upkeep.verify import verify
from matting_data.workspace.plan_tables import saved_plan
from tests.support.full_project import full_project
from tests.support.projects import Project

_SUSPECTS = (
    "backgrounds/",
    "foregrounds/",
    "colours/",
    "openimages-openimages/verdicts",
    "openimages-openimages/report",
    "polygons-sun",
    "tar-sun",
    "base.json",
    "CACHEDIR.TAG",
    "lock",
    "append/plan",
    "append/foregrounds",
    "append/backgrounds",
    "repair/",
)
"""Every kind of file below ``.work``, by how their names begin."""


@dataclass
class State:
    """A dataset as some command left it, the command that goes on with it, and the dataset that has to come of it."""

    folder: Path
    command: Callable[[], None]
    content: str

    def kinds(self) -> dict[str, list[str]]:
        """List the files below ``.work`` by kind; each must be of one."""
        work = self.folder / ".work"
        found: dict[str, list[str]] = {}
        for path in sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file()):
            [kind] = [suspect for suspect in _SUSPECTS if path.startswith(suspect)]
            found.setdefault(kind, []).append(path)
        return found


class Workshop:
    """A project whose dataset can be put into several states; all commands work on its `out`."""

    def __init__(self, root: Path, estimated: bool) -> None:
        self.project: Project = full_project(root, estimated)
        self.out, self.root = self.project.out, root
        self.states: dict[str, State] = {}
        content = self.project.build().index["content_sha256"]
        self._keep("finished", self.build, content)
        self._verified()
        for path in self.out.iterdir():
            if path.name != ".work":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._keep("checked", self.build, content)
        self._restore("finished")
        staged = self.out / ".work" / "repair" / "train"
        staged.mkdir(parents=True)
        for suffix in ("tar", "parquet"):
            shutil.copy(self.out / "train" / f"000000.{suffix}", staged)
            (self.out / "train" / f"000001.{suffix}").unlink()
        self._keep("repairing", self.repair, content)
        self._appended()

    def _appended(self) -> None:
        self._restore("finished")
        self.project.recipe["composites"] = {"per_foreground": 3}
        with pytest.MonkeyPatch.context() as context:
            context.setattr("matting_data.building.build.unstage", lambda _: None)
            self.append()
        content = read_index(self.out)["content_sha256"]
        (self.out / INDEX).unlink()
        self._keep("replaced", self.append, content)
        for name in ("foregrounds.parquet", "plan.parquet", RECIPE):
            shutil.copy(self.states["finished"].folder / name, self.out)
        self._keep("replacing", self.append, content)
        shutil.copy(self.states["finished"].folder / INDEX, self.out)
        shutil.copy(self.states["finished"].folder / "backgrounds.parquet", self.out)
        self._keep("appending", self.append, content)

    def _verified(self) -> None:
        assert not verify(self.out, True, 4, None, 1).problems

    def _keep(self, name: str, command: Callable[[], None], content: str) -> None:
        self.states[name] = State(Path(shutil.copytree(self.out, self.root / name)), command, content)

    def _restore(self, name: str) -> None:
        shutil.rmtree(self.out)
        shutil.copytree(self.states[name].folder, self.out)

    def build(self) -> None:
        self.project.recipe["composites"] = {"per_foreground": 2}
        self.project.build()

    def append(self) -> None:
        self.project.recipe["composites"] = {"per_foreground": 3}
        build(self.project.load(), self.out, 1, append=True)

    def repair(self) -> None:
        done = repair(self.out, None, 1)
        if done.problems:
            raise DamageError(str(done.problems[0]))

    def outcome(self, state: str, damage: Callable[[Path], None]) -> str:
        """Damage a file of a state, run its command; tell ``same`` or ``sentence``, and fail for all else."""
        self._restore(state)
        damage(self.out / ".work")
        try:
            self.states[state].command()
        except MattingDataError as error:
            assert "\n" not in str(error)
            return "sentence"
        assert read_index(self.out)["content_sha256"] == self.states[state].content
        assert saved_plan(open_storage(self.out)).sha256
        return "same"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("work") / "project", estimated=False)


@pytest.fixture(scope="module")
def full_workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("work") / "project", estimated=True)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Flip one to three bits, cut, overwrite a stretch, repeat one, or put something else in the place."""
    way = rng.choice(["flip", "flip", "flip", "flips", "cut", "zeros", "junk", "twice", "other"])
    place = rng.randrange(len(data)) if data else 0
    if way in ("flip", "flips"):
        changed = bytearray(data)
        for _ in range(1 if way == "flip" else 3):
            if changed:
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    stretch = rng.randrange(1, 64)
    return {
        "cut": data[:place],
        "zeros": data[:place] + bytes(stretch) + data[place + stretch :],
        "junk": data[:place] + rng.randbytes(stretch) + data[place + stretch :],
        "twice": data + data,
        "other": rng.choice([b"", b"[" * 100_000, b'{"base": "/"}', b"PAR1PAR1", rng.randbytes(200)]),
    }[way]


def damaged(workshop: Workshop, numbers: Sequence[int]) -> Counter[str]:
    """Mutate a file each time, every kind of file of every state in turn."""
    pairs = [(state, kind) for state, kept in workshop.states.items() for kind in kept.kinds()]
    outcomes: Counter[str] = Counter()
    for number in numbers:
        rng = random.Random(number)
        state, kind = pairs[number % len(pairs)]
        name = rng.choice(workshop.states[state].kinds()[kind])

        def damage(work: Path, name: str = name, rng: random.Random = rng) -> None:
            (work / name).write_bytes(mutate((work / name).read_bytes(), rng))

        try:
            outcome = workshop.outcome(state, damage)
        except BaseException as error:
            error.add_note(f"number {number}: {state}, {name}")
            raise
        outcomes[f"{state} {kind}: {outcome}"] += 1
    return outcomes


def test_every_kind_of_file_is_damaged(workshop: Workshop) -> None:
    found = {kind for state in workshop.states.values() for kind in state.kinds()}
    assert found == {*_SUSPECTS} - {"colours/"}


def test_damage_below_work_changes_no_dataset(workshop: Workshop) -> None:
    outcomes = damaged(workshop, range(50))
    assert sum(count for key, count in outcomes.items() if key.endswith("same")) > 40


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_damage_below_work_changes_no_dataset_at_length(full_workshop: Workshop, part: int) -> None:
    outcomes = damaged(full_workshop, range(1000 + 50 * part, 1050 + 50 * part))
    assert sum(count for key, count in outcomes.items() if key.endswith("same")) > 30
