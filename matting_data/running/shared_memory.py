"""Memory that processes share: semaphores and batches lie in ``/dev/shm``, which containers may lack or keep small."""

from __future__ import annotations

import errno
import multiprocessing
import re

SHARED = "/dev/shm"

REMEDY = "let the container have one, for instance with 'docker run --shm-size=1g'"
"""What helps wherever shared memory is missing or small."""

_NOT_ITS_FAULT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
"""Limits that a process also meets where there is shared memory."""

_FULL = re.compile(r"unable to (?:open|allocate|resize|mmap|write to)\b.*(?:shared memory|shm|/torch_)|Bus error")
_KILLED = re.compile(r"killed by signal|exited unexpectedly")


def refusal(error: BaseException) -> str | None:
    """Tell why the system refused a semaphore; None where the error means something else."""
    if isinstance(error, OSError) and error.errno not in _NOT_ITS_FAULT:
        return error.strerror or str(error)
    if isinstance(error, (ImportError, NotImplementedError)):  # Python was built without semaphores
        return "this Python has no semaphores"
    return None


def why_no_semaphores() -> str | None:
    """Try to make a semaphore; tell why it cannot be made, None where it can."""
    try:
        multiprocessing.get_context().Lock()
    except (OSError, ImportError, NotImplementedError) as error:
        if (why := refusal(error)) is None:
            raise
        return why
    return None


def lost_worker(error: RuntimeError) -> str | None:
    """Tell what ended a loading process of PyTorch: ``full`` (shared memory), ``killed``, or None for another error."""
    text = "\n".join(str(each) for each in (error, error.__cause__, error.__context__))
    return "full" if _FULL.search(text) else "killed" if _KILLED.search(text) else None
