"""Reading an input is refused: the dataset is the reference's, or the command fails with a sentence and heals."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from matting_data.records.ledger_row import LedgerRow
from matting_data.records.tables import read_table
from tests.support.refused_world import CLEAN, ONE_ERROR, World, content_of, files_of
from tests.support.refusing_system import Ended, Fault

INPUTS = {
    "foreground": "*/in/people/image/p1.png",
    "matte": "*/in/people/alpha/p2.png",
    "photograph": "*/in/photos/sub/b3.jpg",
    "photograph by id": f"*/in/oi/images/{CLEAN}.jpg",
}
"""One record each, which can be done without."""

TABLES = {
    "metadata": "*/in/people.csv",
    "boxes": "*/in/oi/metadata/*bbox.csv",
    "labels": "*/in/oi/metadata/*imagelabels.csv",
    "list of images": "*/in/oi/metadata/image_ids*",
    "tar": "*/in/sun.tar",
    "annotation": "*/in/notes/*.xml",
}

FOLDERS = ("*/in/photos", "*/in/photos/sub", "*/in/people/alpha", "*/in/oi/metadata", "*/in/oi/images", "*/in/notes/a")


def assert_refused(done: Ended, out: Path) -> None:
    assert done.code in (1, 2), (done.code, done.err)
    assert done.err.startswith("mattingdata: ") and len(done.err.splitlines()) == 1, done.err
    assert "Traceback" not in done.err
    assert not (out / "dataset.json").exists()


def assert_true_or_refused(world: World, out: Path, fault: Fault, *more: object, **options: Any) -> Ended:
    """Build under a fault, and again without: never another dataset, and at the end the reference's."""
    done: Ended = world.build(out, *more, fault=fault, **options)
    assert world.system.met, "the fault was not met: this test says nothing"
    if done.code:
        assert_refused(done, out)
    else:
        assert content_of(out) == world.content
    again = world.build(out, **options)
    assert again.code == 0, again.err
    assert content_of(out) == world.content and files_of(out) == files_of(world.reference)
    return done


@pytest.mark.parametrize("error", ONE_ERROR, ids=errno.errorcode.get)
@pytest.mark.parametrize("place", INPUTS)
def test_an_input_that_is_refused_ends_the_build_and_is_tried_again(
    world: World, tmp_path: Path, place: str, error: int
) -> None:
    done = assert_true_or_refused(world, tmp_path / "out", Fault(INPUTS[place], error))
    assert done.code == 1
    assert os.strerror(error) in done.err and Path(INPUTS[place]).name in done.err
    assert "run the same command again" in done.err and "--on-error skip" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("place", INPUTS)
@pytest.mark.parametrize(
    ("calls", "skip", "times"),
    [(("stat",), 0, 0), (("stat",), 0, 1), (("read",), 0, 1), (("open",), 1, 1), (("read",), 1, 2), (("open",), 1, 0)],
)
def test_whichever_call_is_refused_and_how_often(
    world: World, tmp_path: Path, place: str, calls: tuple[str, ...], skip: int, times: int
) -> None:
    fault = Fault(INPUTS[place], errno.EIO, calls, skip, times)
    assert_true_or_refused(world, tmp_path / "out", fault)


@pytest.mark.parametrize("error", ONE_ERROR, ids=errno.errorcode.get)
@pytest.mark.parametrize("place", TABLES)
def test_tables_and_tars(world: World, tmp_path: Path, place: str, error: int) -> None:
    done = assert_true_or_refused(world, tmp_path / "out", Fault(TABLES[place], error))
    assert done.code == 1 and os.strerror(error) in done.err


@pytest.mark.slow
@pytest.mark.parametrize("place", TABLES)
@pytest.mark.parametrize(("calls", "skip"), [(("read",), 1), (("stat",), 0), (("stat",), 1), (("open",), 1)])
def test_tables_and_tars_that_are_refused_later(
    world: World, tmp_path: Path, place: str, calls: tuple[str, ...], skip: int
) -> None:
    fault, out = Fault(TABLES[place], errno.ESTALE, calls, skip), tmp_path / "out"
    done = world.build(out, fault=fault)
    if not world.system.met:
        pytest.skip("it is not asked for so often")
    if done.code:
        assert_refused(done, out)
    assert world.build(out).code == 0 and content_of(out) == world.content


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("skip", [0, 2])
def test_a_folder_that_cannot_be_listed_loses_nothing_in_silence(
    world: World, tmp_path: Path, folder: str, skip: int
) -> None:
    done = assert_true_or_refused(world, tmp_path / "out", Fault(folder, errno.EIO, ("list",), skip))
    assert done.code == 1 and "Input/output error" in done.err


@pytest.mark.parametrize("workers", [2])
@pytest.mark.parametrize(("place", "skip"), [("photograph", 0), pytest.param("foreground", 1, marks=pytest.mark.slow)])
def test_worker_processes_are_refused_too(world: World, tmp_path: Path, place: str, skip: int, workers: int) -> None:
    fault = Fault(INPUTS[place], errno.EIO, ("open",), skip)
    done = assert_true_or_refused(world, tmp_path / "out", fault, workers=workers)
    assert done.code == 1


def test_a_layered_store_is_held_to_the_same(world: World, tmp_path: Path) -> None:
    for number, (place, skip) in enumerate([("photograph", 0), ("photograph", 1), ("foreground", 1), ("matte", 1)]):
        out = tmp_path / str(number)
        done = world.build(out, fault=Fault(INPUTS[place], errno.EIO, ("open",), skip), recipe=world.layers)
        assert world.system.met
        assert_refused(done, out)
        assert world.build(out, recipe=world.layers).code == 0
        assert files_of(out) == files_of(world.reference_layers)


@pytest.mark.parametrize(
    "verb", ["plan", *(pytest.param(v, marks=pytest.mark.slow) for v in ("filter", "foregrounds check"))]
)
def test_other_verbs_that_check_inputs(world: World, tmp_path: Path, verb: str) -> None:
    place = "foreground" if verb == "foregrounds check" else "photograph"
    out = tmp_path / "out"
    for fault in (Fault(INPUTS[place]), Fault(INPUTS[place], errno.EACCES, ("stat", "open"))):
        done = world.system.run(*verb.split(), world.recipe, "--out", out, fault=fault)
        assert world.system.met
        assert_refused(done, out)
        assert not (out / "backgrounds.parquet").exists()
    assert world.system.run(*verb.split(), world.recipe, "--out", out).code == 0
    if verb != "filter":
        assert world.build(out).code == 0 and content_of(out) == world.content


def test_nothing_that_was_refused_is_kept(world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world.build(out, fault=Fault(INPUTS["photograph"]))
    names = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
    assert not any(name.endswith((".tar", "plan.parquet", "dataset.json")) for name in names)
    done = world.system.run("build", world.recipe, "--out", out, "--workers", 1, "-v")
    assert "11 found, 9 of them checked before" in done.err or "checked before" in done.err


@pytest.mark.parametrize(("place", "skip"), [("foreground", 0), ("photograph", 0), ("annotation", 0), ("matte", 1)])
def test_skip_finishes_a_dataset_that_says_what_is_missing_and_heals(
    world: World, tmp_path: Path, place: str, skip: int
) -> None:
    pattern, out = {**INPUTS, **TABLES}[place], tmp_path / "out"
    done = world.build(out, "--on-error", "skip", fault=Fault(pattern, errno.EIO, ("open",), skip))
    assert world.system.met and done.code == 1 and "Traceback" not in done.err, done.err
    index = json.loads((out / "dataset.json").read_text())
    # what the annotation says of its photograph decides against it anyway: the dataset cannot know that
    assert (index["content_sha256"] == world.content) == (place == "annotation")
    kind = "foregrounds" if place in ("foreground", "matte") else "backgrounds"
    assert index["incomplete"]["composites" if skip else kind] >= 1
    said = "incomplete: "
    assert said in done.out and said in world.system.run("stats", out).out
    assert "Incomplete: " in (out / "README.md").read_text()
    assert world.system.run("stats", out, "--json").json["incomplete"] == index["incomplete"]
    ledger = "composites" if skip else kind
    refused = [row for row in read_table(out / "ledger" / f"{ledger}.parquet", LedgerRow) if row.reason == "refused"]
    assert {row.outcome for row in refused} == {"failed"}
    assert {row.detail for row in refused} == {f"{Path(refused[0].detail.partition(':')[0])}: Input/output error"}
    assert world.system.run("verify", out, "--recompose", 0).code == 0
    again = world.build(out)
    assert again.code == 0, again.err
    assert content_of(out) == world.content and files_of(out) == files_of(world.reference)


def test_keep_failed_keeps_no_refusal(world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world.build(out, "--on-error", "skip", fault=Fault(INPUTS["matte"], errno.EIO, ("open",), 1))
    assert json.loads((out / "dataset.json").read_text())["incomplete"]["composites"] == 3
    assert world.build(out, "--keep-failed").code == 0 and content_of(out) == world.content


def test_a_finished_dataset_is_not_replaced_by_an_incomplete_one(world: World, tmp_path: Path) -> None:
    out = world.copy(tmp_path / "out")
    before = files_of(out)
    (out / ".work" / "backgrounds").rename(tmp_path / "away")  # or nothing would be read again
    done = world.build(out, "--on-error", "skip", fault=Fault(INPUTS["photograph"]))
    assert done.code == 2 and "the inputs of" in done.err and "1 backgrounds gone" in done.err
    assert files_of(out) == before


def test_skip_does_not_take_other_changes_for_what_was_refused(world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    world.build(out, "--on-error", "skip", fault=Fault(INPUTS["photograph"]))
    photo = world.root / "in" / "photos" / "b0.jpg"
    data = photo.read_bytes()
    try:
        photo.write_bytes((world.root / "in" / "photos" / "b1.jpg").read_bytes())
        done = world.build(out)
        assert done.code == 2 and "have changed since it was begun" in done.err
    finally:
        photo.write_bytes(data)


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may read everything")
def test_a_missing_permission_heals(world: World, tmp_path: Path) -> None:
    photo, out = world.root / "in" / "photos" / "b0.jpg", tmp_path / "out"
    photo.chmod(0)
    try:
        done = world.build(out)
    finally:
        photo.chmod(0o644)
    assert_refused(done, out)
    assert world.build(out).code == 0 and content_of(out) == world.content
