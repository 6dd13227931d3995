"""A process whose system refuses to read what a test says: the command, with a library preloaded below Python.

Worker processes that the command starts inherit it. The process is started once for many commands; the map that the
library reads says what fails at the moment.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "faults" / "refusing.c"

CALLS = {"open": 1, "read": 2, "stat": 4, "list": 8}

_SERVER = """
import contextlib, io, json, os, sys, traceback
answers = os.fdopen(os.dup(1), "w")
import matting_data, matting_data.storage.base
from matting_data.cli.main import main
import matting_data.building.build, matting_data.upkeep.repair
matting_data.storage.base.back_off = lambda *_: 0.0  # what is tried again is tried at once
for line in sys.stdin:
    asked = json.loads(line)
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if isinstance(asked, str):
                exec(asked, {})
            else:
                sys.argv = ["mattingdata", *asked]
                main()
        except SystemExit as end:
            code = int(end.code or 0)
        except matting_data.errors.MattingDataError as error:
            code = error.exit_code
            print(f"mattingdata: {error}", file=sys.stderr)
        except BaseException:
            code = 70
            traceback.print_exc()
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""


class _Control(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int) for name in ("error", "calls", "skip", "times", "seen", "met")),
        ("pattern", ctypes.c_char * 4096),
    ]


@dataclass(frozen=True)
class Fault:
    """What is refused: calls (``open``, ``read``, ``stat``, ``list``) on paths that fit a pattern.

    The first `skip` calls pass; then `times` fail, or, for 0, all.
    """

    pattern: str
    error: int = errno.EIO
    calls: tuple[str, ...] = ("open", "read")
    skip: int = 0
    times: int = 0

    def __str__(self) -> str:
        often = f"{self.skip}+{self.times or 'all'}"
        return f"{errno.errorcode[self.error]}-{'-'.join(self.calls)}-{self.pattern.strip('*/')}-{often}"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class RefusingSystem:
    def __init__(self, library: Path, folder: Path) -> None:
        path = folder / "control"
        path.write_bytes(bytes(ctypes.sizeof(_Control)))
        with path.open("r+b") as stream:
            self._map = mmap.mmap(stream.fileno(), 0)
        self._control = _Control.from_buffer(self._map)
        environment = {**os.environ, "LD_PRELOAD": str(library), "REFUSING_CONTROL": str(path)}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdin=pipe, stdout=pipe, text=True, env=environment, cwd=folder
        )

    @property
    def met(self) -> int:
        """How many calls were refused since the last fault was set."""
        return int(self._control.met)

    def refuse(self, fault: Fault | None) -> None:
        """Refuse what `fault` says from now on; None ends it."""
        self._control.error = 0
        if fault is not None:
            self._control.pattern = fault.pattern.encode()
            self._control.calls = sum(CALLS[name] for name in fault.calls)
            self._control.skip, self._control.times = fault.skip, fault.times
            self._control.seen = self._control.met = 0
            self._control.error = fault.error

    def run(self, *arguments: object, fault: Fault | None = None) -> Ended:
        """Run the command in the process, while `fault` holds."""
        return self._ask(list(map(str, arguments)), fault)

    def python(self, code: str, fault: Fault | None = None) -> Ended:
        """Run some lines of Python there."""
        return self._ask(code, fault)

    def _ask(self, question: object, fault: Fault | None) -> Ended:
        assert self._process.stdin and self._process.stdout
        self.refuse(fault)
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return Ended(*json.loads(self._process.stdout.readline()))
        finally:
            self._control.error = 0

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)


def compiled(folder: Path) -> Path:
    """Compile the library, or skip the test with the reason."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("injecting faults below Python needs Linux and a C compiler (cc)")
    library = folder / "refusing.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the C compiler cannot build the library that injects faults: {done.stderr.splitlines()[:1]}")
    return library
