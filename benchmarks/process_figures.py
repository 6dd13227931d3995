"""Memory and processor time of this process, and load of the machine, as far as each platform tells."""

from __future__ import annotations

import math
import os
import sys
import time


def peak_mib() -> float:
    """Read the peak memory of this process in MiB; NaN on Windows, where Python cannot tell."""
    if sys.platform == "win32":
        return math.nan
    else:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, KiB elsewhere


def processor_seconds() -> float:
    """Sum up the processor time of this process and of its children that ended (on Windows of this process alone)."""
    if sys.platform == "win32":
        return time.process_time()
    else:
        import resource

        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)


def load_average() -> float:
    """Read how many processes of the machine wanted a processor in the last minute; NaN on Windows."""
    if sys.platform == "win32":
        return math.nan
    else:
        return os.getloadavg()[0]
