"""Processes that find no shared memory, as in some containers: in a namespace of mounts of their own."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys

import pytest

KINDS = ("missing", "read-only", "full")

_SCRIPT = r"""
kind=$1; shift
case $kind in
  missing)
    mount -t tmpfs tmpfs /mnt
    for name in null zero random urandom; do : > /mnt/$name; mount --bind /dev/$name /mnt/$name; done
    ln -s /proc/self/fd /mnt/fd
    mount --rbind /mnt /dev;;
  read-only) mount -t tmpfs -o ro tmpfs /dev/shm;;
  full) mount -t tmpfs -o size=16k tmpfs /dev/shm; head -c 16k /dev/zero > /dev/shm/all;;
  *) mount -t tmpfs -o size=$kind tmpfs /dev/shm;;
esac
exec "$@"
"""


def without(kind: str, *command: str) -> list[str]:
    """Return the command that runs `command` where /dev/shm is one of :data:`KINDS`, or has a size such as ``64k``."""
    if not _permitted():
        pytest.skip("the system permits no namespace of mounts")
    return ["unshare", "--mount", "--map-root-user", "sh", "-ec", _SCRIPT, "sh", kind, *command]


def run_python(kind: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code where /dev/shm is as :func:`without` says."""
    command = without(kind, sys.executable, "-c", code, *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


@functools.cache
def _permitted() -> bool:
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    probe = ["unshare", "--mount", "--map-root-user", "sh", "-c", "mount -t tmpfs tmpfs /dev/shm"]
    return subprocess.run(probe, capture_output=True).returncode == 0
