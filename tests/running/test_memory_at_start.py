"""Too little memory at start is one sentence, whatever library would meet it first."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from matting_data.errors import wants_memory
from tests.support.commands import COMMAND

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are those of Linux")


@pytest.mark.parametrize("option", ["v", "d"])
def test_a_limit_too_low_to_start_is_one_sentence(option: str) -> None:
    script = f'ulimit -{option} 300000; exec "$@"'
    done = subprocess.run(["bash", "-c", script, "-", *COMMAND, "status", "x"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"mattingdata: 'ulimit -{option} 300000' leaves too little memory to start (in kB): "
        "raise the limit, for instance to 4000000\n"
    )


@pytest.mark.parametrize(("option", "measure"), [("v", "VmPeak"), ("d", "VmData")])
def test_what_loading_leaves_has_to_do_for_the_work(option: str, measure: str) -> None:
    """With less, a build under way would hang in whatever library it loads next, as OpenBLAS that waits for memory."""
    loading = "import cv2, imagehash, numba, onnxruntime, polars, pydantic, scipy.linalg, scipy.ndimage, simplejpeg; "
    use = "polars.DataFrame({'a': [2, 1]}).lazy().sort('a').collect(); print(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-c", loading + use], capture_output=True, text=True, check=True).stdout
    (taken,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith(measure))
    for limit, code in ((taken + 250_000, 1), (taken + 700_000, 2)):  # in kB
        script = f'ulimit -{option} {limit}; exec "$@"'
        done = subprocess.run(["bash", "-c", script, "-", *COMMAND, "status", "x"], capture_output=True, text=True)
        assert done.returncode == code
        assert ("leaves too little memory to start" in done.stderr) is (code == 1)


def test_help_needs_no_more_than_python() -> None:
    script = 'ulimit -v 300000; exec "$@"'
    done = subprocess.run(["bash", "-c", script, "-", *COMMAND, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "verify" in done.stdout


@pytest.mark.parametrize(
    ("error", "wants"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (ImportError("libllvmlite.so: failed to map segment from shared object"), True),
        (ImportError("cannot import name 'x'"), False),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("x"), False),
    ],
)
def test_errors_for_want_of_memory_are_told_from_others(error: Exception, wants: bool) -> None:
    assert wants_memory(error) is wants
