"""Polars in forked processes: a fork copies none of its threads, and whatever needs them then waits for ever.

This concerns a process that was forked, without ``exec``, from one that had used polars, for whatever purpose: most
often one of PyTorch's loading processes on Linux. Functions that read tables do so in a fresh process there
(:func:`with_polars`); what cannot is refused (:func:`require_polars`). This module is imported before any other of the
package, since only the parent can tell what it had started before the fork.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_FORKED_WITHOUT_EXEC = 0x40
"""PF_FORKNOEXEC of Linux' ``include/linux/sched.h``, in the flags of ``/proc/self/stat``."""

_OF_POLARS = re.compile(r"polars-\d|async-executor|tokio-rt")
"""Names of the threads that polars starts when it is first used; that which its import starts is not needed again."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from matting_data.forks import answer; answer()"


def polars_is_lost() -> bool:
    """Tell whether polars was used in the process that this one was forked from."""
    return _lost


def require_polars() -> None:
    """Raise UsageError where polars would wait for ever."""
    if _lost:
        from matting_data.errors import UsageError

        raise UsageError(
            f"process {os.getpid()} was forked from one that had used polars, whose threads a fork does not copy: "
            "start it with multiprocessing.get_context('spawn') instead of 'fork'"
        )


def with_polars(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let a function at the top of a module be called also where polars is lost: it then runs in a fresh process.

    What it takes, returns and raises travels between processes, so it must be possible to pickle that. Starting the
    fresh process takes about half a second.
    """

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if not _lost:
            return function(*args, **kwargs)
        return _from_fresh_process(call, args, kwargs)

    return call


def answer() -> None:
    """Be the fresh process: call what standard input asks for, and write what comes of it to standard output."""
    import pickle

    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints must not get between
    function, args, kwargs = pickle.load(sys.stdin.buffer)
    result: Any = None
    problem: Exception | None = None
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        problem = error
    with channel:
        pickle.dump((result, problem), channel)


def _from_fresh_process(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    import pickle
    import subprocess  # daemonic processes may start these, unlike those of multiprocessing

    from matting_data.errors import MattingDataError

    program = _PROGRAM.format(path=sys.path)
    question = pickle.dumps((function, args, kwargs))
    done = subprocess.run([sys.executable, "-c", program], input=question, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise MattingDataError(
            f"a process that reads tables ended with exit code {done.returncode}, most often for want of memory: "
            "use fewer loading processes, or start them by 'spawn'"
        )
    result, error = pickle.loads(done.stdout)
    if error is not None:
        raise error
    return result


def _polars_runs() -> bool:
    """Tell whether threads of polars run here; where that cannot be seen, whether they may."""
    if "polars" not in sys.modules:
        return False
    try:
        threads = [path.name for path in Path("/proc/self/task").iterdir()]
    except OSError:
        return True
    return any(_OF_POLARS.match(_name_of(thread)) for thread in threads)


def _name_of(thread: str) -> str:
    try:
        with open(f"/proc/self/task/{thread}/comm", encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""  # it has just ended


def _was_forked() -> bool:
    try:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as stream:
            flags = int(stream.read().rpartition(")")[2].split()[6])
    except OSError:
        return False
    return bool(flags & _FORKED_WITHOUT_EXEC)


def _before_fork() -> None:
    global _runs
    _runs = _polars_runs()


def _in_child() -> None:
    global _lost
    _lost = _lost or _runs


_runs = False
_lost = "polars" in sys.modules and _was_forked() and not _polars_runs()
"""Polars was imported, before this module and by something else, in a process that was forked, and none of its threads
are here: it may have been used before the fork, and nobody was there to see it."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
