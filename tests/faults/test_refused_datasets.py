"""Files of a dataset, and what is kept beside it, cannot be read: nothing calls that damage or becomes another."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest

from tests.support.refused_world import ERRORS, ONE_ERROR, World, content_of, files_of
from tests.support.refusing_system import Fault

KEPT = {
    "checks of people": "*/.work/foregrounds/*.parquet",
    "checks of photographs": "*/.work/backgrounds/*.parquet",
    "index of the tar": "*/.work/tar-sun.parquet",
    "polygons": "*/.work/polygons-sun.parquet",
    "verdicts": "*/.work/openimages-images/*",
    "colours": "*/.work/colours/*",
    "mark": "*/.work/CACHEDIR.TAG",
}

OF_DATASET = {
    "shard": "*/train/000000.tar",
    "manifest": "*/train/000001.parquet",
    "plan": "*/plan.parquet",
    "people": "*/foregrounds.parquet",
    "photographs": "*/out/backgrounds.parquet",
    "recipe": "*/recipe.yaml",
    "ledger": "*/ledger/composites.parquet",
    "index": "*/dataset.json",
}

CALLS = {"open": ("open", "read"), "later": ("read",), "stat": ("stat",)}

ONE_CALL = ["open", *(pytest.param(name, marks=pytest.mark.slow) for name in ("later", "stat"))]
"""Likewise for the calls."""


def fault_at(pattern: str, error: int, calls: str) -> Fault:
    return Fault(pattern, error, CALLS[calls], 1 if calls == "later" else 0)


@pytest.mark.parametrize("calls", ONE_CALL)
@pytest.mark.parametrize("place", [*KEPT, *OF_DATASET])
@pytest.mark.parametrize("unfinished", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_build_that_continues(world: World, tmp_path: Path, place: str, calls: str, unfinished: bool) -> None:
    error = ERRORS[sum(map(ord, place + calls)) % len(ERRORS)]
    out = world.copy(tmp_path / "out")
    if unfinished:
        for name in ("dataset.json", "train/000001.parquet", "test/000000.tar"):
            (out / name).unlink()
    done = world.build(out, fault=fault_at({**KEPT, **OF_DATASET}[place], error, calls))
    if not world.system.met:
        pytest.skip("nothing asks for it")
    if done.code == 0:
        assert content_of(out) == world.content
    else:
        assert done.code in (1, 2) and done.err.startswith("mattingdata: "), done.err
        assert "Traceback" not in done.err
        assert not (out / "dataset.json").exists() or files_of(out) == files_of(world.reference)
    again = world.build(out)
    assert again.code == 0, again.err
    assert files_of(out) == files_of(world.reference)


@pytest.mark.parametrize("folder", ["*/out", "*/out/train", "*/out/.work", "*/.work/foregrounds"])
@pytest.mark.parametrize("skip", [0, 1])
def test_folders_of_a_dataset_that_cannot_be_listed(world: World, tmp_path: Path, folder: str, skip: int) -> None:
    out = world.copy(tmp_path / "out")
    for verb in (["build", world.recipe, "--out", out, "--workers", 1], ["verify", out, "--workers", 1]):
        done = world.system.run(*verb, fault=Fault(folder, errno.EIO, ("list",), skip))
        assert done.code in (0, 1, 2) and "Traceback" not in done.err, done.err
        assert world.build(out).code == 0
        assert files_of(out) == files_of(world.reference)


@pytest.mark.parametrize("calls", ONE_CALL)
@pytest.mark.parametrize("place", OF_DATASET)
def test_verify_calls_nothing_damaged_that_it_could_not_read(
    world: World, tmp_path: Path, place: str, calls: str
) -> None:
    out = world.copy(tmp_path / "out")
    error = ERRORS[sum(map(ord, place + calls)) % len(ERRORS)]
    done = world.system.run("verify", out, "--json", "--workers", 1, fault=fault_at(OF_DATASET[place], error, calls))
    if not world.system.met:
        pytest.skip("nothing asks for it")
    if done.code == 0:
        assert done.json["problems"] == [] and done.json["altered"] == []
    else:
        assert done.code == 1 and done.out == "", (done.out, done.err)
        assert done.err.startswith("mattingdata: cannot read ") and len(done.err.splitlines()) == 1
    assert world.system.run("verify", out, "--workers", 1).code == 0


@pytest.mark.parametrize("error", ONE_ERROR, ids=errno.errorcode.get)
def test_verify_takes_no_source_for_altered_that_it_could_not_read(world: World, tmp_path: Path, error: int) -> None:
    del tmp_path
    fault = Fault("*/in/people/*", error)
    done = world.system.run("verify", world.reference, "--json", "--workers", 1, fault=fault)
    assert world.system.met and done.code == 0, done.err
    assert done.json["altered"] == done.json["problems"] == [] and "could not be read" in done.json["skipped"]
    assert done.json["recomposed"] < 12


@pytest.mark.parametrize(
    "pattern",
    ["*/in/people/image/*", "*/in/photos/*", "*/test/000000.tar", "*/plan.parquet", "*/dataset.json", "*/recipe.yaml"],
)
@pytest.mark.parametrize("error", [errno.EIO, errno.EMFILE], ids=errno.errorcode.get)
def test_repair_restores_or_says_why_not(world: World, tmp_path: Path, pattern: str, error: int) -> None:
    out = world.copy(tmp_path / "out")
    damaged = out / "train" / "000000.tar"
    damaged.write_bytes(damaged.read_bytes()[:-700])
    before = files_of(out)
    done = world.system.run("repair", out, "--workers", 1, fault=Fault(pattern, error))
    assert world.system.met and "Traceback" not in done.err, done.err
    assert done.code == 1
    assert "changed" not in done.out and "no longer" not in done.out, done.out
    after = files_of(out)
    assert all(after[name] in (before[name], files_of(world.reference)[name]) for name in before | after)
    assert world.system.run("repair", out, "--workers", 1).code == 0
    assert files_of(out) == files_of(world.reference)


@pytest.mark.parametrize("error", ONE_ERROR, ids=errno.errorcode.get)
@pytest.mark.parametrize("pattern", ["*/train/000000.tar", "*/train/000000.parquet", "*/dataset.json"])
def test_readers_refuse_and_read_on(world: World, error: int, pattern: str) -> None:
    read = f"""
import hashlib, matting_data
data = matting_data.open({str(world.reference)!r})
digest = hashlib.sha256()
for split in data.splits:
    for sample in data[split]:
        for plane in (sample.image, sample.alpha, sample.trimap):
            digest.update(plane.tobytes())
print(digest.hexdigest())
"""
    true = world.system.python(read)
    assert true.code == 0, true.err
    for skip, times in ((0, 0), (1, 1), (0, 1)):
        done = world.system.python(read, Fault(pattern, error, skip=skip, times=times))
        assert world.system.met
        assert done.out == true.out or (done.code == 1 and done.err.startswith("mattingdata: cannot read ")), done
    assert world.system.python(read) == true


@pytest.mark.parametrize(
    "pattern", ["*/backgrounds/000000.tar", "*/train/000000.tar", "*/plan.parquet", "*/ATTRIBUTION.csv"]
)
@pytest.mark.parametrize("skip", [0, 2])
def test_materialize(world: World, tmp_path: Path, pattern: str, skip: int) -> None:
    out = tmp_path / "out"
    command = "materialize", world.reference_layers, "--out", out, "--workers", 1
    done = world.system.run(*command, fault=Fault(pattern, errno.EIO, ("open",), skip))
    if not world.system.met:
        pytest.skip("nothing asks for it so often")
    assert done.code in (0, 1) and "Traceback" not in done.err, done.err
    assert done.code == 0 or not (out / "dataset.json").exists()
    assert world.system.run(*command).code == 0
    assert content_of(out) == world.content


REMOVED = ("", "train", ".work", "test", ".work/foregrounds")


@pytest.mark.parametrize("name", REMOVED)
@pytest.mark.parametrize("moment", ["scanning", "planned", "rendering", "rendered"])
def test_what_is_removed_during_a_build_is_made_by_the_same_command(
    world: World, tmp_path: Path, name: str, moment: str
) -> None:
    out = tmp_path / "out"
    places = {
        "scanning": ("matting_data.building.scan_and_plan", "scan_backgrounds"),
        "planned": ("matting_data.building.build", "build_shards"),
        "rendering": ("matting_data.rendering.sample_shards", "ForegroundRenderer"),
        "rendered": ("matting_data.building.build", "finish"),
    }
    module, function = places[moment]
    code = f"""
import importlib, shutil, sys
from pathlib import Path
module = importlib.import_module({module!r})
original, calls = getattr(module, {function!r}), []
def removing(*arguments, **named):
    calls.append(1)
    if len(calls) == (2 if {moment!r} == "rendering" else 1):
        shutil.rmtree(Path({str(out)!r}) / {name!r}, ignore_errors=True)
    return original(*arguments, **named)
setattr(module, {function!r}, removing)
from matting_data.cli.main import main
sys.argv = ["mattingdata", "build", {str(world.recipe)!r}, "--out", {str(out)!r}, "--workers", "1"]
try:
    main()
finally:
    setattr(module, {function!r}, original)
"""
    done = world.system.python(code)
    assert done.code in (0, 1, 2) and "Traceback" not in done.err, done.err
    if done.code == 0:
        assert content_of(out) == world.content
    again = world.build(out)
    assert again.code == 0, (done.err, again.err)
    assert files_of(out) == files_of(world.reference)


def test_folders_that_are_not_ours_are_left_alone(world: World, tmp_path: Path) -> None:
    for number, file in enumerate(
        ["train/000000.tar", "train/notes.txt", "train/000000.tar.tmp-mine", ".work/thesis.tex", "ledger/x.parquet"]
    ):
        path = tmp_path / str(number) / file
        path.parent.mkdir(parents=True)
        path.write_text("mine")
        done = world.build(tmp_path / str(number))
        assert done.code == 2 and "holds no mattingdata dataset" in done.err
        assert path.read_text() == "mine"
    for folder in ("train", "test", ".work", "ledger"):
        (tmp_path / "empty" / folder).mkdir(parents=True)
    assert world.build(tmp_path / "empty").code == 0


def test_an_incomplete_dataset_says_so_to_json(world: World, tmp_path: Path) -> None:
    out = world.copy(tmp_path / "out")
    assert "incomplete" not in json.loads((out / "dataset.json").read_text())
    assert "ncomplete" not in world.system.run("stats", out).out + (out / "README.md").read_text()
    shutil.rmtree(out)
