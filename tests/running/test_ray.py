"""Builds on a real Ray cluster of several nodes, one of which dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from matting_data.building.build import build
from matting_data.errors import MattingDataError, RejectedInput, StorageError, UsageError
from matting_data.running import ray_cluster as executor_ray
from matting_data.running.executor import run
from matting_data.running.ray_cluster import RayExecutor
from matting_data.upkeep.verify import verify
from tests.support.buckets import Bucket
from tests.support.projects import Project

boto3 = pytest.importorskip("boto3")
ray = pytest.importorskip("ray")

pytestmark = pytest.mark.timeout(280)

NODE = "__import__('ray').get_runtime_context().get_node_id()"


@pytest.fixture(scope="module")
def cluster(s3_server: dict[str, str]) -> Iterator[Any]:
    """A head and another node, of one processor each, whose workers find the S3 server."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.items():
            patch.setenv(name, value)
        nodes = Cluster(initialize_head=True, head_node_args={**SIZE, "include_dashboard": False})
        nodes.add_node(**SIZE)
        ray.init(address=nodes.address, logging_level="ERROR", log_to_driver=False)
        yield nodes
        ray.shutdown()
        nodes.shutdown()


SIZE = {"num_cpus": 1, "object_store_memory": 80 << 20}


@pytest.fixture
def third(cluster: Any) -> Iterator[Any]:
    """Another node, which a test may kill."""
    node = cluster.add_node(**SIZE)
    cluster.wait_for_nodes()
    yield node
    if node in cluster.list_all_nodes():
        cluster.remove_node(node)


def dying(cluster: Any, node: Any, when: Callable[[], bool]) -> threading.Thread:
    """Kill a node as soon as something is the case."""

    def wait_and_kill() -> None:
        while not when():
            time.sleep(0.01)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=wait_and_kill, daemon=True)
    thread.start()
    return thread


def test_units_of_a_node_that_dies_run_again_elsewhere_and_count_once(cluster: Any, third: Any, tmp_path: Path) -> None:
    step = (
        "[open('{folder}/{number}-' + %s, 'w').close(), __import__('time').sleep(1), {number}][-1]" % NODE  # noqa: UP031
    )
    units = [step.format(folder=tmp_path, number=number) for number in range(8)]
    begun = lambda: [path.name for path in tmp_path.glob(f"*-{third.node_id}")]  # noqa: E731
    thread = dying(cluster, third, lambda: bool(begun()))
    assert sorted(run(eval, units, RayExecutor())) == list(range(8))
    thread.join()
    lost = begun()[0].partition("-")[0]
    assert len(list(tmp_path.glob(f"{lost}-*"))) == 2


def test_units_are_drawn_as_they_are_needed_and_errors_keep_their_kind(cluster: Any) -> None:
    drawn = []

    def items() -> Iterator[str]:
        for number in range(1000):
            drawn.append(number)
            yield str(number)

    results = run(eval, items(), RayExecutor())
    next(results)
    results.close()
    assert len(drawn) <= 10
    assert len(list(run(eval, ["1"] * 3, RayExecutor(workers=1)))) == 3
    module = "__import__('matting_data.errors', fromlist=['x'])"
    raising = "(_ for _ in ()).throw({})"
    with pytest.raises(StorageError, match=r"^the disk is full$"):
        list(run(eval, [raising.format(f"{module}.StorageError('the disk is full')")], RayExecutor()))
    with pytest.raises(RejectedInput) as caught:
        list(run(eval, [raising.format(f"{module}.RejectedInput('too_small', '3×3')")], RayExecutor()))
    assert (caught.value.reason, caught.value.detail) == ("too_small", "3×3")


def test_a_unit_that_kills_every_process_ends_the_run_with_a_sentence(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_ray, "_TRIES", 1)
    with pytest.raises(MattingDataError, match=r"a unit of work was lost 2 times .*WorkerCrashedError"):
        list(run(eval, ["__import__('os')._exit(9)"], RayExecutor()))


class Made:
    """A task that a node makes of an expression."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, (self.expression,)

    def __call__(self, item: int) -> None:
        raise NotImplementedError


def test_an_error_of_our_own_before_a_unit_begins_keeps_its_kind(cluster: Any) -> None:
    with_files = "type('Task', (), {{'files': lambda self, item: {}, '__call__': lambda self, item: item}})()"
    assert list(run(Made(with_files.format("[]")), [3], RayExecutor())) == [3]
    for expression in ("1 / 0", with_files.format("1 / 0")):
        with pytest.raises(ZeroDivisionError, match="division by zero"):
            list(run(Made(expression), [3], RayExecutor()))


def test_a_module_that_a_node_lacks_is_one_sentence(cluster: Any) -> None:
    with pytest.raises(UsageError, match=r"cannot run mattingdata \(No module named 'my_own'\): install it there"):
        list(run(Made("__import__('my_own')"), [3], RayExecutor()))


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    """Of 48 shards."""
    project = make_project(people=6, photos=20)
    project.recipe["composites"]["per_foreground"] = 8
    project.recipe["store"]["samples_per_shard"] = 1
    return project


def test_a_build_that_loses_a_node_makes_the_same_bytes(cluster: Any, third: Any, project: Project) -> None:
    reference = project.build(out=project.root / "reference").index
    done = lambda: len(list(project.out.glob("*/0*.parquet")))  # noqa: E731
    thread = dying(cluster, third, lambda: done() > 3)
    assert build(project.load(), project.out, RayExecutor()).index == reference
    thread.join()
    assert verify(project.out, True, 2, None, RayExecutor()).problems == []
    assert not list(project.out.rglob("*.tmp-*"))


@pytest.mark.parametrize("kind", ["composites", pytest.param("layers", marks=pytest.mark.slow)])
def test_a_build_of_several_nodes_into_a_bucket_makes_the_same_bytes(
    cluster: Any, third: Any, project: Project, bucket: Bucket, kind: str
) -> None:
    project.recipe["store"]["kind"] = kind
    reference = project.build(out=project.root / "reference").index
    store = boto3.resource("s3").Bucket(bucket.name)
    done = lambda: len(list(store.objects.filter(Prefix=f"{kind}/train/")))  # noqa: E731
    thread = dying(cluster, third, lambda: done() > 3)
    assert build(project.load(), bucket.url(kind), RayExecutor()).index == reference
    thread.join()
    assert verify(bucket.url(kind), True, 2, None, RayExecutor()).problems == []


def test_what_a_node_lacks_is_one_sentence(cluster: Any, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_ray, "tool_versions", lambda: {"numpy": "0.1"})
    with pytest.raises(UsageError, match=r"the node .* would make other bytes \(numpy .* instead of 0\.1\)"):
        project.build(workers=RayExecutor())


def test_a_file_that_no_node_sees_is_one_sentence_and_one_that_is_gone_for_everybody_is_not(
    cluster: Any, built: Path
) -> None:
    place = os.dup2(os.open(built, os.O_RDONLY), 987)  # a path that leads somewhere in this process only
    try:
        with pytest.raises(UsageError, match=rf"^the node \S+ does not see /proc/self/fd/{place}/train/000000\.tar: "):
            verify(Path(f"/proc/self/fd/{place}"), False, 0, None, RayExecutor(workers=1))
    finally:
        os.close(place)
    (built / "train" / "000000.tar").unlink()
    problems = verify(built, False, 0, None, RayExecutor(workers=1)).problems
    assert [(problem.file, problem.what) for problem in problems] == [("train/000000.tar", "is missing")]


def test_an_address_without_a_cluster_is_one_sentence(project: Project) -> None:
    command = [sys.executable, "-c", "from matting_data.cli.main import main; main()"]
    command += ["build", str(project.write_recipe()), "--out", str(project.out)]
    done = subprocess.run([*command, "--ray-address", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "goes with --executor ray" in done.stderr
    command += ["--executor", "ray", "--ray-address", "127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "cannot join a Ray cluster at 127.0.0.1:9: Connection refused; correct --ray-address" in done.stderr
