"""Adding to a finished dataset: what is there stays to the byte, and whatever ends an append, it continues."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import fsspec
import pytest

import matting_data
from matting_data.building import build as module
from matting_data.building import strategies
from matting_data.building.build import BuildResult, build
from matting_data.building.estimate import estimate
from matting_data.errors import UsageError
from matting_data.recipes.decisions import Decision
from matting_data.recipes.decisions import append as decide
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.tables import read_table
from matting_data.storage import LocalStorage
from matting_data.upkeep.repair import repair
from matting_data.upkeep.status import status
from matting_data.upkeep.verify import verify
from matting_data.workspace.plan_tables import saved_plan
from tests.support.commands import COMMAND
from tests.support.projects import Project

KILLS = int(os.environ.get("MATTINGDATA_KILLS", "20"))


def append(project: Project, *changes: str, out: Path | None = None, workers: int = 1) -> BuildResult:
    return build(project.load(*changes), out or project.out, workers, append=True)


def shards(out: Path) -> dict[str, tuple[int, bytes]]:
    found = [path for split in ("train", "test") for path in (out / split).iterdir()]
    return {path.relative_to(out).as_posix(): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def contents(out: Path) -> dict[str, bytes]:
    found = (path for path in out.rglob("*") if path.is_file() and ".work" not in path.parts)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def grow(project: Project) -> None:
    """Ask for more of everything: people, photographs and composites a foreground."""
    project.add_person(30)
    project.add_person(31)
    project.add_photo(40)
    project.recipe["composites"]["per_foreground"] = 4


def more_people(project: Project) -> None:
    for number in range(30, 37):
        project.add_person(number)


def more_photographs(project: Project) -> None:
    for number in range(40, 46):
        project.add_photo(number)


def more_composites(project: Project) -> None:
    project.recipe["composites"]["per_foreground"] = 5


def nothing(project: Project) -> None:
    del project


@pytest.mark.parametrize("change", [nothing, grow, more_people, more_photographs, more_composites])
@pytest.mark.parametrize("append", [False, True], ids=["continue", "append"])
def test_a_plan_promises_what_the_build_then_makes(project: Project, change: Any, append: bool) -> None:
    if append:
        project.build()
    change(project)
    before = shards(project.out) if append else {}
    promised = estimate(project.load(), project.out, 1, append)
    assert (shards(project.out) if append else {}) == before
    index = build(project.load(), project.out, 1, append=append).index
    made = {split: entry["num_samples"] for split, entry in index["splits"].items()}
    assert promised.composites == made
    assert promised.foregrounds == {split: entry["num_foregrounds"] for split, entry in index["splits"].items()}
    assert promised.backgrounds == {split: entry["num_backgrounds"] for split, entry in index["splits"].items()}
    assert promised.ledger == {name: index["ledger"][name] for name in ("foregrounds", "backgrounds")}
    after = shards(project.out)
    assert promised.shards == sum(name.endswith(".tar") for name in after)
    assert promised.there == sum(name.endswith(".tar") and after[name] == before[name] for name in before)
    assert (promised.bytes == 0) == (promised.shards == promised.there)
    again = estimate(project.load(), project.out, 1, append)
    assert (again.there, again.bytes) == (again.shards, 0)


@pytest.mark.parametrize("epochs", ["false", "true"])
def test_a_plan_of_layers_promises_what_the_build_then_makes(project: Project, epochs: str) -> None:
    options = ("store.kind=layers", f"store.epoch_backgrounds={epochs}", "composites.per_foreground=1")
    promised = estimate(project.load(*options), project.out, 1)
    index = project.build(*options).index
    assert promised.ledger == {name: index["ledger"][name] for name in ("foregrounds", "backgrounds")}
    made = [path.stat().st_size for path in project.out.rglob("*.tar")]
    assert promised.shards == len(made)
    assert promised.bytes == pytest.approx(sum(made), rel=0.25)
    again = estimate(project.load(*options), project.out, 1)
    assert (again.there, again.bytes) == (again.shards, 0)


def test_a_plan_is_refused_as_the_build_would_be(finished: Project) -> None:
    grow(finished)
    said = []
    for command in (estimate, build):
        with pytest.raises(UsageError) as caught:
            command(finished.load(), finished.out, 1)
        said.append(str(caught.value))
    assert said[0] == said[1] and said[0].endswith("or, if it only asks for more, add --append")


@pytest.fixture
def finished(project: Project) -> Project:
    project.build()
    return project


def test_finished_shards_stay_and_readers_see_all(finished: Project) -> None:
    before, old = shards(finished.out), saved_plan(finished.out)
    grow(finished)
    index = append(finished).index
    now = shards(finished.out)
    assert {name: now[name] for name in before} == before and len(now) > len(before)
    plan = saved_plan(finished.out)
    assert [c for c in plan.composites if c in set(old.composites)] == old.composites
    assert index["splits"]["train"]["num_samples"] == 6 * 4 and index["splits"]["test"]["num_samples"] == 2 * 3
    assert index["appended"] is True
    for split, number in (("train", 24), ("test", 6)):
        samples = matting_data.open(finished.out)[split]
        assert len(samples) == number
        assert len(set(samples.keys)) == number
        assert all(samples.read(place).image.shape == (*samples.read(place).alpha.shape, 3) for place in range(number))
    result = verify(finished.out, True, 99, None, 1)
    assert (result.problems, result.samples) == ([], 30)
    for ledger in index["ledger"].values():
        assert ledger["total"] == ledger["written"] + sum(ledger["rejected"].values()) + sum(ledger["failed"].values())
    assert not (finished.out / ".work" / "append").exists()
    assert "It grew by `mattingdata build --append`" in (finished.out / "README.md").read_text()


def test_a_dataset_in_a_bucket_grows_likewise(finished: Project) -> None:
    try:
        finished.build(out="memory://growing/one")
        grow(finished)
        index = append(finished).index
        assert append(finished, out="memory://growing/one").index == index
        assert verify("memory://growing/one", True, 2, None, 1).problems == []
    finally:
        fsspec.filesystem("memory").rm("/growing", recursive=True)


def test_the_same_append_gives_the_same_bytes_whatever_the_workers(finished: Project, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished.out, tmp_path / "copy"))
    grow(finished)
    first = append(finished).index
    assert append(finished, out=copy, workers=2).index == first
    assert contents(copy) == contents(finished.out)
    moments = {path: path.stat().st_mtime_ns for path in finished.out.glob("t*/*")}
    assert append(finished).index == finished.build().index == first  # nothing is left to add
    assert {path: path.stat().st_mtime_ns for path in moments} == moments


def test_an_append_may_follow_another_and_an_unfinished_build(project: Project, tmp_path: Path) -> None:
    reference = Path(tmp_path / "reference")
    project.build(out=reference)
    shutil.copytree(reference, project.out)
    (project.out / "dataset.json").unlink()
    (project.out / "train" / "000001.parquet").unlink()
    grow(project)
    assert append(project).index == append(project, out=reference).index
    before = shards(project.out)
    project.add_person(50)
    index = append(project, "version=1.1.0").index
    assert index["version"] == "1.1.0" and index["splits"]["train"]["num_samples"] == 28
    assert {name: shards(project.out)[name] for name in before} == before
    assert verify(project.out, True, 99, None, 1).problems == []


def test_an_append_to_nothing_is_a_build(project: Project, tmp_path: Path) -> None:
    index = append(project).index
    assert index == project.build(out=tmp_path / "plain").index and "appended" not in index


ALTERATIONS = {
    "seed=6": "seed 5 → 6",
    "trimap.test={kind: fixed, kernel: 9}": "trimap.test.kernel 25 → 9",
    "store.quality=80": "store.quality 95 → 80",
    "store.samples_per_shard=7": "store.samples_per_shard 6 → 7",
    "composites.crop=center": 'composites.crop "top_left" → "center"',
    "composites.per_foreground=2": "composites.per_foreground 3 → 2",
    "backgrounds.min_side=50": "backgrounds.min_side 40 → 50",
    "foregrounds.split.test=1": "foregrounds.split.test 2 → 1",
    "name=other": 'name "project" → "other"',
}


@pytest.mark.parametrize("change", ALTERATIONS)
def test_what_would_alter_finished_composites_is_refused_by_name(finished: Project, change: str) -> None:
    before = contents(finished.out)
    with pytest.raises(UsageError) as caught:
        append(finished, change)
    message = str(caught.value)
    assert message.startswith("--append leaves finished composites as they are")
    assert f"({ALTERATIONS[change]})" in message and message.endswith("restore these keys, or choose another --out")
    assert contents(finished.out) == before


def test_layers_are_refused_in_one_sentence(project: Project) -> None:
    project.recipe["store"]["kind"] = "layers"
    project.build()
    project.add_person(30)
    with pytest.raises(UsageError, match=r"store of layers.*leave out --append and build into another --out"):
        append(project)


def test_a_changed_recipe_or_new_inputs_without_append_stay_refused(finished: Project) -> None:
    with pytest.raises(UsageError, match=r"composites.per_foreground 3 → 4.*add --append"):
        finished.build("composites.per_foreground=4")
    grow(finished)
    append(finished)
    finished.add_person(60)
    with pytest.raises(UsageError, match="4 composites would be new: add --append"):
        finished.build()


@pytest.mark.parametrize(("lost", "word"), [("people/p01.png", "1 foregrounds"), ("photos/b01.jpg", "1 backgrounds")])
def test_inputs_of_finished_composites_must_be_what_they_were(finished: Project, lost: str, word: str) -> None:
    path, before = finished.root / lost, contents(finished.out)
    content = path.read_bytes()
    path.unlink()
    grow(finished)
    with pytest.raises(UsageError, match=f"changed since \\({word} gone\\): restore them"):
        append(finished)
    path.write_bytes((path.parent / f"{path.stem[0]}02{path.suffix}").read_bytes())
    with pytest.raises(UsageError, match=word):
        append(finished)
    assert contents(finished.out) == before
    path.write_bytes(content)
    assert append(finished).failed == 0


def test_an_override_remakes_its_shards_alone(finished: Project) -> None:
    old, before = saved_plan(finished.out), shards(finished.out)
    hit = old.composites[0].background
    decide(
        finished.root / "overrides.csv", [Decision("background", hit, "human", "ann", "2025-03-01T12:00:00Z", "seen")]
    )
    finished.recipe["overrides"] = "overrides.csv"
    grow(finished)
    append(finished)
    touched = {f"{c.split}/{c.shard:06d}" for c in old.composites if c.background == hit}
    for name, content in before.items():
        assert (shards(finished.out)[name] == content) == (name.partition(".")[0] not in touched)
    now = {c.key: c for c in saved_plan(finished.out).composites}
    assert all(now[c.key] == c for c in old.composites if c.background != hit)
    assert hit not in {c.background for c in now.values()}
    ledger = {row.id: row for row in read_table(finished.out / "ledger/backgrounds.parquet", LedgerRow)}
    assert (ledger[hit].outcome, ledger[hit].reason) == ("rejected", "override_human")
    assert verify(finished.out, True, 99, None, 1).problems == []
    assert append(finished).index == finished.build().index


def test_other_tools_are_named_before_anything_is_made_again(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matting_data.building import refusals
    from matting_data.version import tool_versions

    newer = {**tool_versions(), "numpy": "99.0"}
    monkeypatch.setattr(refusals, "tool_versions", lambda: newer)
    grow(finished)
    with pytest.raises(UsageError, match=r'numpy "[0-9.]+" → "99.0".*install these, or choose another --out'):
        append(finished)


def test_the_command_says_what_it_refuses_and_what_it_added(finished: Project) -> None:
    grow(finished)
    arguments = ["build", str(finished.write_recipe()), "--out", str(finished.out), "--workers", "1"]
    refused = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "add --append" in refused.stderr
    done = subprocess.run([*COMMAND, *arguments, "--append"], capture_output=True, text=True)
    assert done.returncode == 0 and "30 composites in" in done.stdout
    shown = subprocess.run([*COMMAND, "build", "--help"], capture_output=True, text=True)
    assert "--append" in shown.stdout


@pytest.mark.parametrize("name", ["plan", "foregrounds", "backgrounds"])
def test_a_lost_table_comes_back_from_the_others(finished: Project, name: str) -> None:
    grow(finished)
    append(finished)
    before = contents(finished.out)
    (finished.out / f"{name}.parquet").unlink()
    (finished.out / "train" / "000003.tar").unlink()
    done = repair(finished.out, None, 1)
    assert done.problems == []
    assert contents(finished.out) == before


class Interrupted(BaseException):
    """As sudden as a kill, but in this process."""


STEPS = ["stage", "remove_other_shards", "build_shards", "_put_tables", "save_plan", "finish", "unstage"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_an_append_that_ends_at_any_step_continues(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    copy = Path(shutil.copytree(finished.out, tmp_path / "copy"))
    grow(finished)
    reference = append(finished, out=copy).index
    place = strategies if hasattr(strategies, step) and step != "unstage" else module
    real = getattr(place, step)

    def ends(*arguments: Any, **more: Any) -> None:
        if after:
            real(*arguments, **more)
        raise Interrupted

    monkeypatch.setattr(place, step, ends)
    with pytest.raises(Interrupted):
        append(finished)
    monkeypatch.undo()
    if step in STEPS[:3]:
        assert len(matting_data.open(finished.out)["train"]) == 12  # the dataset of before
        assert status(finished.out).state == ("interrupted" if after or step != "stage" else "complete")
    assert append(finished).index == reference
    assert contents(finished.out) == contents(copy)
    assert status(finished.out).state == "complete"


@pytest.mark.slow
@pytest.mark.parametrize("decided", [False, True])
def test_an_append_that_ends_at_any_write_continues(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decided: bool
) -> None:
    before = Path(shutil.copytree(finished.out, tmp_path / "before"))
    grow(finished)
    if decided:
        hit = saved_plan(before).composites[0].background
        row = Decision("background", hit, "human", "ann", "2025-03-01T12:00:00Z", "seen")
        decide(finished.root / "overrides.csv", [row])
        finished.recipe["overrides"] = "overrides.csv"
    copy = Path(shutil.copytree(before, tmp_path / "copy"))
    reference = append(finished, out=copy).index
    real, left = LocalStorage.write, 0

    def write(self: LocalStorage, name: str, data: bytes) -> str:
        nonlocal left
        left -= 1
        if left < 0:
            raise Interrupted
        return real(self, name, data)

    for number in range(1000):
        shutil.rmtree(finished.out)
        shutil.copytree(before, finished.out)
        left = number
        monkeypatch.setattr(LocalStorage, "write", write)
        try:
            append(finished)
            break
        except Interrupted:
            monkeypatch.undo()
            assert append(finished).index == reference, number
            assert contents(finished.out) == contents(copy), number
    assert number > 15


def test_an_append_that_is_given_up_leaves_the_dataset_of_before(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, recipe = contents(finished.out), finished.recipe["composites"].copy()
    finished.recipe["composites"]["per_foreground"] = 4

    def ends(*arguments: Any, **more: Any) -> None:
        raise Interrupted

    monkeypatch.setattr(strategies, "_put_tables", ends)
    with pytest.raises(Interrupted):
        append(finished)
    monkeypatch.undo()
    (finished.out / "dataset.json").write_bytes(before["dataset.json"])  # as it was until the last moment
    finished.recipe["composites"] = recipe
    finished.build()
    assert contents(finished.out) == before


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_append_continues_to_the_same_bytes(project: Project, tmp_path: Path) -> None:
    project.recipe["store"]["samples_per_shard"] = 2
    project.build()
    before = Path(shutil.copytree(project.out, tmp_path / "before"))
    grow(project)
    reference = Path(shutil.copytree(before, tmp_path / "reference"))
    index = append(project, out=reference).index
    arguments = ["build", str(project.write_recipe()), "--append", "--out", str(project.out), "--workers", "2"]
    rng = random.Random(8)
    met = set()
    for number in range(max(4, KILLS // 3)):
        shutil.rmtree(project.out)
        shutil.copytree(before, project.out)
        process = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   start_new_session=True)  # fmt: skip
        late = number % 2
        while process.poll() is None and not list((project.out / ".work").glob("append/plan.parquet")):
            time.sleep(0.001)
        while late and process.poll() is None and not (project.out / "train" / "000012.parquet").exists():
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1 if late else 2.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        met.add(len(list(project.out.glob("train/*.parquet"))))
        kept = {path: path.stat().st_mtime_ns for path in project.out.glob("t*/*.parquet")}
        assert append(project).index == index
        assert all(path.stat().st_mtime_ns == moment for path, moment in kept.items())
        assert contents(project.out) == contents(reference)
    assert len(met) > 1
