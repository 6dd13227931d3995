"""OUT in an object store: the same bytes as in a folder, continued, verified, repaired and read there."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import fsspec
import numpy as np
import pytest

import matting_data
from matting_data.building.build import build
from matting_data.building.materialize import materialize
from matting_data.errors import StorageError, UsageError
from matting_data.storage import open_storage
from matting_data.upkeep.repair import repair
from matting_data.upkeep.status import status
from matting_data.upkeep.verify import verify
from matting_data.workspace import locks as lock
from tests.support.buckets import Bucket
from tests.support.commands import COMMAND
from tests.support.projects import Project

boto3 = pytest.importorskip("boto3")


def objects(bucket: Bucket, prefix: str) -> dict[str, bytes]:
    """The files of a dataset, without what only its makers need."""
    found = boto3.resource("s3").Bucket(bucket.name).objects.filter(Prefix=f"{prefix}/")
    names = {entry.key.removeprefix(f"{prefix}/"): entry.get()["Body"].read() for entry in found}
    return {name: content for name, content in names.items() if not name.startswith(".work/")}


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".work" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def put(bucket: Bucket, key: str, content: bytes) -> None:
    boto3.client("s3").put_object(Bucket=bucket.name, Key=key, Body=content)


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("kind", ["composites", pytest.param("layers", marks=pytest.mark.slow)])
def test_a_bucket_holds_the_same_bytes_as_a_folder(project: Project, bucket: Bucket, kind: str) -> None:
    project.recipe["store"]["kind"] = kind
    index = project.build().index
    url = bucket.url("sets/one")
    assert build(project.load(), url, 2).index == index
    assert objects(bucket, "sets/one") == files(project.out)
    result = verify(url, True, 4, None, 1)
    assert (result.problems, result.samples, result.recomposed) == ([], 18, 4)
    assert status(url).state == "complete"
    here, there = matting_data.open(project.out)["train"], matting_data.open(url)["train"]
    assert np.array_equal(there[3].image, here[3].image) and there.keys == here.keys
    assert build(project.load(), url, 1).index == index


def test_a_lock_whose_answer_was_lost_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    store = fsspec.filesystem("memory")
    lost: list[str] = []
    create = store.pipe_file

    def pipe_file(path: str, value: bytes, **options: object) -> None:
        create(path, value, **options)
        if path.endswith(lock.LOCK) and not lost:
            lost.append(path)
            raise ConnectionResetError("the answer was lost")

    monkeypatch.setattr(type(store), "pipe_file", staticmethod(pipe_file))
    storage = open_storage("memory://bucket/lost", wait=0)
    with lock.object_lock(storage) as held:
        held()
        assert lost and storage.exists(lock.LOCK)
    assert not storage.exists(lock.LOCK)


def test_memory_of_this_process_holds_the_same_bytes(project: Project) -> None:
    index = project.build().index
    try:
        assert build(project.load(), "memory://bucket/one", 1).index == index
        assert verify("memory://bucket/one", True, 2, None, 1).problems == []
        assert status("memory://bucket/one").state == "complete"
        with pytest.raises(UsageError, match="use one worker"):
            build(project.load(), "memory://bucket/two", 2)
    finally:
        fsspec.filesystem("memory").rm("/bucket", recursive=True)


def test_a_killed_build_continues_to_the_same_bytes_and_keeps_its_shards(project: Project, bucket: Bucket) -> None:
    project.recipe["store"]["samples_per_shard"] = 1
    reference = project.build().index
    url = bucket.url("killed")
    command = [*COMMAND, "build", str(project.write_recipe()), "--out", url, "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    store = boto3.resource("s3").Bucket(bucket.name)
    while not any(o.key.endswith(".parquet") for o in store.objects.filter(Prefix="killed/train/")):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "killed/dataset.json" not in {o.key for o in store.objects.all()}
    kept = {o.key: o.last_modified for o in store.objects.filter(Prefix="killed/t") if o.key.endswith(".parquet")}
    assert status(url).state == "interrupted"
    assert build(project.load(), url, 1).index == reference  # at once: its lock is of a process that has ended
    moments = {o.key: o.last_modified for o in store.objects.all()}
    assert 0 < len(kept) < 18 and {key: moments[key] for key in kept} == kept
    assert objects(bucket, "killed") == files(project.out)


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["composites", "layers"])
def test_verify_finds_a_flipped_object_and_repair_restores_it(
    project: Project, bucket: Bucket, kind: str, every: bool
) -> None:
    project.recipe["store"]["kind"] = kind
    url = bucket.url("damaged")
    build(project.load(), url, 1)
    before = objects(bucket, "damaged")
    one_of_each = {Path(name).suffix: name for name in sorted(before)}
    for name in sorted(before) if every else one_of_each.values():
        put(bucket, f"damaged/{name}", flipped(before[name]))
        if name == "dataset.json":
            with pytest.raises(matting_data.errors.DamageError, match=r"dataset\.json (was altered|is damaged)"):
                verify(url, True, 0, None, 1)
        else:
            assert {problem.file for problem in verify(url, True, 0, None, 1).problems} == {name}
        done = repair(url, None, 1)
        assert (done.repaired, done.problems) == ([name], []), name
        assert objects(bucket, "damaged") == before
    boto3.client("s3").delete_object(Bucket=bucket.name, Key="damaged/train/000000.tar")
    assert [p.what for p in verify(url, True, 0, None, 1).problems] == ["is missing"]
    assert repair(url, None, 2).repaired == ["train/000000.tar"]
    put(bucket, "damaged/train/stray.tar", b"?")
    assert [p.what for p in verify(url, False, 0, None, 1).problems] == ["is not part of the dataset"]


def test_layers_in_a_bucket_become_composites_in_another(project: Project, bucket: Bucket) -> None:
    reference = project.build().index
    project.recipe["store"]["kind"] = "layers"
    build(project.load(), bucket.url("layers"), 1)
    made = materialize(bucket.url("layers"), bucket.url("composites"), 1).index
    assert made["content_sha256"] == reference["content_sha256"]


def test_two_builds_do_not_mix(project: Project, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    url = bucket.url("busy")
    storage = open_storage(url)
    with lock.object_lock(storage):
        assert status(url).state == "checking"
        with pytest.raises(StorageError, match=r"is writing to s3://people/busy, on .* wait for it; if it"):
            build(project.load(), url, 1)
    monkeypatch.setattr(lock, "_machine", lambda: "another")
    with lock.object_lock(storage) as held:
        monkeypatch.undo()
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StorageError, match="another build is writing to"):
            build(project.load(), url, 1)
        monkeypatch.setattr(lock, "STALE", -10.0)  # as if it had given no sign of life for so long
        result = build(project.load(), url, 1)
        assert result.failed == 0
        with pytest.raises(StorageError, match="another build took s3://people/busy over"):
            held()


def test_another_recipe_and_foreign_objects_are_refused(project: Project, bucket: Bucket) -> None:
    url = bucket.url("one")
    build(project.load(), url, 1)
    with pytest.raises(UsageError, match=r"holds the dataset 'project' of another recipe \(seed 5 → 6\)"):
        build(project.load("seed=6"), url, 1)
    put(bucket, "holidays/beach.jpg", b"?")
    with pytest.raises(UsageError, match="s3://people/holidays is not empty and holds no mattingdata dataset"):
        build(project.load(), bucket.url("holidays"), 1)
    with pytest.raises(UsageError, match="s3://people is not empty"):
        build(project.load(), "s3://people", 1)


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    return done.returncode, done.stderr


def test_what_else_reads_a_dataset_reads_it_there(project: Project, bucket: Bucket) -> None:
    recipe, url = str(project.write_recipe()), bucket.url("one")
    for arguments in (["plan", recipe, "--out"], ["build", recipe, "--out"], ["status"], ["stats"], ["verify"]):
        assert run(*arguments, url) == (0, ""), arguments
    assert run("card", url, "--creator", "somebody") == (0, "")
    assert b"somebody" in objects(bucket, "one")["croissant.json"]
    assert verify(url, False, 0, None, 1).problems == []


def test_mistakes_are_one_sentence(project: Project, bucket: Bucket) -> None:
    recipe = str(project.write_recipe())
    code, said = run("build", recipe, "--out", "s3://nosuch/one", "--workers", "1")
    assert code == 2 and said.count("\n") == 1
    assert "cannot write s3://nosuch/one/.work/lock: The specified bucket does not exist; create the bucket" in said
    unknown = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    code, said = run("build", recipe, "--out", bucket.url("one"), "--workers", "1", **unknown)
    assert code == 2 and said.count("\n") == 1 and "set credentials" in said
    code, said = run("verify", bucket.url("nothing"))
    assert (code, said) == (
        2,
        "mattingdata: s3://people/nothing holds no dataset: name the folder that 'mattingdata build' wrote\n",
    )
    code, said = run("filter", recipe, "--out", bucket.url("one"))
    assert code == 2 and "works on folders" in said


def test_a_store_that_cannot_be_reached_for_a_while_only_delays(project: Project, bucket: Bucket) -> None:
    from moto.server import ThreadedMotoServer

    project.recipe["store"]["samples_per_shard"] = 1
    reference = project.build().index
    shaky = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)  # shares its buckets with the other
    shaky.start()
    host, port = shaky.get_host_and_port()
    command = [*COMMAND, "build", str(project.write_recipe()), "--out", bucket.url("shaky"), "--workers", "2"]
    environment = {**os.environ, "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_MAX_ATTEMPTS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    store = boto3.resource("s3").Bucket(bucket.name)
    while not any(o.key.endswith(".parquet") for o in store.objects.filter(Prefix="shaky/train/")):
        assert process.poll() is None
        time.sleep(0.02)
    shaky.stop()
    _, said = process.communicate(timeout=200)
    assert process.returncode in (1, 2) and said.count("\n") == 1, said  # a read was refused, or a write
    assert "check that it can be reached" in said and "run the same command again" in said
    back = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    back.start()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
    finally:
        back.stop()
    assert objects(bucket, "shaky") == files(project.out)
    assert reference["content_sha256"] in done.stdout
