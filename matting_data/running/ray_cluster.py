"""Running tasks on a Ray cluster: as many units as it has processors, each again elsewhere when its node dies.

The nodes need mattingdata with the same versions of what decides bytes, and must see the sources (and OUT, where that
is a folder) under the same paths; both are checked on the node before a unit runs there.
"""

from __future__ import annotations

import importlib
import os
import pickle
import socket
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from matting_data.errors import MissingExtraError, OutOfMemoryError, UsageError
from matting_data.running.executor import Item, ReadsFiles, Result
from matting_data.running.local_processes import settle_opencv
from matting_data.running.raised import WorkerTraceback, portable
from matting_data.version import tool_versions

_AHEAD = 2
"""Units handed out for each processor: enough to keep it busy, few enough to keep memory flat."""

_LOOK = 5.0
"""Seconds between looks at how many processors there are: nodes come and go."""

_TRIES = 8
"""How often a unit is run again whose node or process died."""


@dataclass(frozen=True)
class _Answer:
    """What a node says of a unit."""

    state: Literal["done", "raised", "unseen", "other_tools"]
    value: Any
    node: str = ""


class RayExecutor:
    """Runs tasks on a Ray cluster.

    Parameters
    ----------
    address : str, optional
        Of the cluster, as for ``ray.init``; by default ``RAY_ADDRESS``, the cluster that runs on this machine, or else
        one that is started for this process.
    workers : int, optional
        Units that run at a time; by default as many as the cluster has processors.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    UsageError
        There is no cluster at the address.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError:
            raise MissingExtraError("ray", "ray") from None
        self._workers = workers
        with suppress(AttributeError):
            # what it says of nodes and processes that died would else land on standard output, where --json goes
            self._ray._private.worker._worker_logs_enabled = False
        if self._ray.is_initialized():
            return
        try:
            _require_listener(address or os.environ.get("RAY_ADDRESS", ""))
            self._ray.init(address=address, logging_level="ERROR", log_to_driver=False)
        except (OSError, RuntimeError, ValueError) as error:
            where = f"at {address}" if address else "here"
            what = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
            raise UsageError(
                f"cannot join a Ray cluster {where}: {what}; correct --ray-address, or run 'ray start --head'"
            ) from None

    def run(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
        """Yield ``task(item)`` once for each item, in the order in which they finish.

        Raises
        ------
        MattingDataError
            A unit was lost too often, or a node lacks what it takes; what the tasks raise is passed on.
        """
        shared = [self._ray.put(pickle.dumps(task))]  # in a list, or each unit would fetch it anew
        unit = self._ray.remote(_unit).options(num_cpus=1, max_retries=_TRIES, scheduling_strategy="SPREAD")
        pending: dict[Any, Item] = {}
        source = iter(items)
        room, looked = 0, 0.0
        try:
            while True:
                if time.monotonic() - looked > _LOOK:
                    room, looked = self._room(), time.monotonic()
                for item in islice(source, max(0, room - len(pending))):
                    pending[unit.remote(shared, item, tool_versions(), True)] = item
                if not pending:
                    return
                done, _ = self._ray.wait(list(pending), num_returns=1, timeout=_LOOK)
                for reference in done:
                    item = pending.pop(reference)
                    answer = self._answer(reference)
                    if answer.state == "unseen" and not Path(answer.value).exists():
                        # gone for everybody: the task knows what that means
                        pending[unit.remote(shared, item, tool_versions(), False)] = item
                    else:
                        yield _accepted(answer)
        finally:
            for reference in pending:  # what is finished is in its place, nothing running is worth waiting for
                with suppress(Exception):
                    self._ray.cancel(reference, force=True)

    def _room(self) -> int:
        """Compute how many units to hand out at a time."""
        if self._workers is not None:
            return self._workers
        return max(1, int(self._ray.cluster_resources().get("CPU", 1))) * _AHEAD

    def _answer(self, reference: Any) -> _Answer:
        exceptions = self._ray.exceptions
        try:
            answer = self._ray.get(reference)
            assert isinstance(answer, _Answer)
        except exceptions.RayTaskError as error:  # before the unit began
            if not isinstance(error.cause, ImportError):
                raise
            what = str(error.cause).splitlines()[0]
            raise UsageError(
                f"a node of the Ray cluster cannot run mattingdata ({what}): install it there, in the same version"
            ) from None
        except (
            exceptions.WorkerCrashedError,
            exceptions.NodeDiedError,
            exceptions.LocalRayletDiedError,
            exceptions.OutOfMemoryError,
            exceptions.ObjectLostError,
        ) as error:
            raise OutOfMemoryError(
                f"a unit of work was lost {_TRIES + 1} times with the process or node it ran on "
                f"({type(error).__name__}), most often for want of memory: give the nodes more of it, or fewer "
                "--workers, and run the same command again"
            ) from None
        return answer


def _accepted(answer: _Answer) -> Any:
    """Unpack the result in an answer, or raise the error that it reports."""
    if answer.state == "done":
        return answer.value
    if answer.state == "raised":
        error, text = answer.value
        raise error from WorkerTraceback(text)
    if answer.state == "other_tools":
        raise UsageError(
            f"the node {answer.node} would make other bytes ({answer.value}): install the same versions everywhere"
        )
    raise UsageError(
        f"the node {answer.node} does not see {answer.value}: put the sources where every node finds them under the "
        "same path, and --out there too or in an object store"
    )


_task: tuple[Any, Any] | None = None


def _unit(shared: list[Any], item: Any, tools: dict[str, str], look: bool) -> _Answer:
    """Run one unit on a node."""
    global _task
    import ray

    settle_opencv()
    node = str(ray.util.get_node_ip_address())
    own = tool_versions()
    other = [f"{name} {own.get(name)} instead of {wanted}" for name, wanted in tools.items() if own.get(name) != wanted]
    if other:
        return _Answer("other_tools", ", ".join(other), node)
    if _task is None or _task[0] != shared[0]:
        _task = shared[0], pickle.loads(ray.get(shared[0]))
    task = _task[1]
    try:
        if look and isinstance(task, ReadsFiles):
            unseen = next((path for path in task.files(item) if not path.exists()), None)
            if unseen is not None:
                return _Answer("unseen", str(unseen), node)
        return _Answer("done", task(item))
    except Exception as error:
        return _Answer("raised", portable(error))


def _require_listener(address: str) -> None:
    """Raise OSError where nobody listens at ``host:port``; Ray would end the process about it."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), 10).close()
