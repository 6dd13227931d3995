"""Whether a limit of memory (``ulimit -v``, ``ulimit -d``) leaves enough to start.

Libraries that meet such a limit while they are loaded end the process by a signal, or wait for ever, and no handler
sees anything of it. So where there is a limit, a process of its own loads them first, and measures what they take.
"""

from __future__ import annotations

import subprocess
import sys

from matting_data.errors import OutOfMemoryError

_AMPLE = 16 << 30
"""Bytes from which on nothing is tried: more address space than loading takes on any machine."""

_HEADROOM = 320 << 20
"""Bytes that are to be left once everything is loaded, for images and for what threads reserve.

Builds of the bundled sample took up to 115 MiB. It must exceed the 128 MiB that glibc reserves for a thread at a time:
a library that goes without for want of them would look as if it needed less.
"""

_TRIAL = rf"""
import re, resource, sys
try:
    import cv2, imagehash, numba, onnxruntime, polars, pydantic, scipy.linalg, scipy.ndimage, simplejpeg
    polars.DataFrame({{"a": [2, 1]}}).lazy().sort("a").collect()
except ModuleNotFoundError:
    pass  # not for want of memory
try:
    with open("/proc/self/status", encoding="utf-8", errors="replace") as stream:
        taken = {{name: int(size) << 10 for name, size in re.findall(r"(Vm\w+):\s+(\d+) kB", stream.read())}}
except OSError:
    taken = {{}}  # outside Linux it has loaded, and that is all that can be seen
for kind, name in ((resource.RLIMIT_AS, "VmPeak"), (resource.RLIMIT_DATA, "VmData")):
    limit = resource.getrlimit(kind)[0]
    if limit != resource.RLIM_INFINITY and taken.get(name, 0) + {_HEADROOM} > limit:
        sys.exit(1)
"""


def require_memory() -> None:
    """Raise OutOfMemoryError where a limit that a user has set leaves too little memory to start."""
    if limits := _limits():
        options = " and ".join(f"'ulimit -{option} {limit >> 10}'" for option, limit in limits.items())
        if not _loads():
            raise OutOfMemoryError(
                f"{options} leaves too little memory to start (in kB): raise the limit, for instance to 4000000"
            )


def _limits() -> dict[str, int]:
    """Look up the limits that may matter, in bytes, by the option of ``ulimit`` that sets them."""
    if sys.platform == "win32":
        return {}
    else:
        import resource

        kinds = {"v": resource.RLIMIT_AS, "d": resource.RLIMIT_DATA}
        limits = {option: resource.getrlimit(kind)[0] for option, kind in kinds.items()}
        return {option: limit for option, limit in limits.items() if 0 <= limit < _AMPLE}


def _loads() -> bool:
    try:
        return (
            subprocess.run(
                [sys.executable, "-c", _TRIAL],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=60,
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
