"""Running tasks here and in worker processes. Tasks are built-ins, which any process can load."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterator

import pytest

from matting_data.errors import MissingExtraError, OutOfMemoryError, RejectedInput, StorageError
from matting_data.running.executor import run
from matting_data.running.ray_cluster import RayExecutor

WORKERS = pytest.mark.parametrize("workers", [1, 2])
PID = "__import__('os').getpid()"


@WORKERS
def test_every_item_is_done_once(workers: int) -> None:
    assert sorted(run(operator.neg, range(50), workers)) == list(range(-49, 1))
    assert list(run(operator.neg, [], workers)) == []


def test_one_worker_keeps_the_order_and_this_process() -> None:
    assert list(run(operator.neg, range(9), 1)) == [0, -1, -2, -3, -4, -5, -6, -7, -8]
    assert set(run(eval, [PID] * 3, 1)) == {os.getpid()}


def test_more_workers_run_in_processes_of_their_own_and_use_one_thread_of_opencv() -> None:
    answers = set(run(eval, [f"({PID}, __import__('cv2').getNumThreads())"] * 40, 2))
    assert os.getpid() not in {pid for pid, _ in answers}
    assert 1 <= len(answers) <= 2
    assert {threads for _, threads in answers} == {1}


def test_workers_leave_ctrl_c_to_their_parent() -> None:
    question = "__import__('signal').getsignal(__import__('signal').SIGINT).name"
    assert set(run(eval, [question] * 4, 2)) == {"SIG_IGN"}


@WORKERS
def test_what_a_task_raises_is_passed_on(workers: int) -> None:
    with pytest.raises(ValueError, match="invalid literal for int"):
        list(run(int, ["1", "2", "x"], workers))


@WORKERS
def test_errors_of_this_package_keep_their_kind_and_content(workers: int) -> None:
    module = "__import__('matting_data.errors', fromlist=['x'])"
    raising = "(_ for _ in ()).throw({})"
    with pytest.raises(StorageError, match=r"^the disk is full$"):
        list(run(eval, [raising.format(f"{module}.StorageError('the disk is full')")], workers))
    with pytest.raises(RejectedInput) as caught:
        list(run(eval, [raising.format(f"{module}.RejectedInput('too_small', '3×3')")], workers))
    assert (caught.value.reason, caught.value.detail) == ("too_small", "3×3")


def test_a_worker_that_dies_is_one_sentence_with_the_remedy() -> None:
    with pytest.raises(OutOfMemoryError) as caught:
        list(run(os._exit, [9], 2))
    assert caught.value.exit_code == 1
    assert str(caught.value) == (
        "a worker process was killed, most often for want of memory: run the same command again with fewer --workers"
    )


class Unpicklable:
    """A task that cannot be read in a worker."""

    def __call__(self, item: int) -> int:
        return item

    def __setstate__(self, state: object) -> None:
        raise TypeError("planted")

    def __getstate__(self) -> object:
        return 1


def test_a_task_that_a_worker_cannot_read_is_no_killed_worker() -> None:
    with pytest.raises(TypeError, match="planted") as caught:
        list(run(Unpicklable(), [1, 2], 2))
    assert "in __setstate__" in str(caught.value.__cause__)  # the worker's own lines


def test_a_cluster_without_its_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"^ray not installed: run pip install 'mattingdata\[ray\]'$"):
        RayExecutor()


@WORKERS
def test_items_are_drawn_as_they_are_needed(workers: int) -> None:
    drawn = []

    def items() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    results = run(operator.neg, items(), workers)
    next(results)
    assert len(drawn) <= 2 + 6 * workers
    results.close()
    assert len(drawn) <= 2 + 6 * workers


@WORKERS
def test_an_error_of_the_items_ends_the_run_and_is_passed_on(workers: int) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(run(operator.neg, items(), workers))
